/**
 * The gateway as `install` sets it up, under the guest's own systemd: shut in with its devices alone, and started again whatever becomes
 * of it, no relay left energised.
 */
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFailed, onTestFinished, test } from "vitest";
import { CARDS, relayCommands, until } from "../e2e/site.ts";
import { TcpDevice } from "../peers/tcp-device.ts";
import { type Gate, guest as machine, setGate } from "./gate.ts";
import type { Guest } from "./guest.ts";
import { UsbSerial } from "./usb-serial.ts";

const UNIT = "grindvakt.service";
const FILE = "/etc/grindvakt/gate.yaml";
const PROGRAM = "node /house/dist/daemon/cli.js";
/** Longer than any of these tests looks away: what releases it is not its own end. */
const PULSE_MS = 10_000;
/** A translated machine takes half a minute to start the gateway; the watchdog waits as long. */
const patienceMs = 180_000;

interface Service {
  guest: Guest;
  gate: Gate;
  reader: UsbSerial;
  board: TcpDevice;
}

/** Adapters plugged in, everything installed as `install` says, and started; gone after the test. */
async function setService(): Promise<Service> {
  const board = await TcpDevice.listen();
  onTestFinished(() => board.vanish());
  const places = {
    reader: { id: "SVCIN", usbPort: 1 },
    relay: { id: "SVCOUT", usbPort: 2, farPort: board.port },
  };
  const gate = await setGate((configuration) => {
    configuration.dataDir = "/var/lib/grindvakt";
    configuration.cards = { feed: "/srv/feed", root: "./root.json", name: "test", refreshSeconds: 5 };
    configuration.readers[0].port = new UsbSerial(machine(), places.reader).byId;
    configuration.accessPoints[0].relay = {
      driver: "serial-relay",
      port: new UsbSerial(machine(), places.relay).byId,
      pulseMs: PULSE_MS,
    };
  });
  const { guest, site } = gate;
  onTestFailed(async () => console.log((await guest.run(`journalctl -u ${UNIT} -n 60 --no-pager`)).stdout));
  const [reader, relay] = [new UsbSerial(guest, places.reader), new UsbSerial(guest, places.relay)];
  for (const adapter of [reader, relay]) {
    onTestFinished(() => adapter.remove());
    await adapter.plug();
  }
  const bag = join(guest.place.shared, "service");
  await cp(site.dir, bag, { recursive: true });
  await guest.sh(
    `mkdir -p /etc/grindvakt /srv && cp -r ${bag}/feed /srv/ && chmod -R a+rX /srv/feed && cp ${bag}/gate.yaml ${bag}/root.json /etc/grindvakt/`,
  );
  const told = await guest.sh(`${PROGRAM} install -c ${FILE}`);
  onTestFinished(
    async () => void (await guest.run(`systemctl disable --now ${UNIT}; rm -rf /var/lib/grindvakt`)),
  );
  // A program starts twenty times slower on a translated machine, and so does the one that releases the relays.
  const slow = "/etc/systemd/system/grindvakt.service.d";
  await guest.sh(`mkdir -p ${slow} && printf '[Service]\\nTimeoutStopSec=180\\n' >${slow}/slow.conf`);
  const [, steps = ""] = told.split("for it to count, as root:\n");
  for (const step of steps.split("\n")) await guest.sh(step);
  return { guest, gate, reader, board };
}

async function shows(guest: Guest, property: string): Promise<string> {
  return guest.sh(`systemctl show --value -p ${property} ${UNIT}`);
}

function becomes(guest: Guest, property: string, wanted: string): Promise<true> {
  let last = "";
  return until(
    () => `${property} is ${wanted}; it is ${last}`,
    async () => {
      last = await shows(guest, property);
      return last === wanted || null;
    },
    patienceMs,
  );
}

/** Waits until the board's last command, of those after the first `from`, is this. */
function boardTold(board: TcpDevice, command: string, from: number): Promise<true> {
  const told = () => relayCommands(board).slice(from);
  return until(
    () => `the board is told ${command}; it was told ${told()}`,
    () => told().at(-1) === command || null,
    patienceMs,
  );
}

/** A tap whose pulse has begun. */
async function energise({ guest, reader, board, gate }: Service): Promise<void> {
  await until(
    "a list is in force",
    async () => (await shows(guest, "StatusText")).includes("list 1") || null,
    patienceMs,
  );
  const before = gate.ear.taps().length;
  reader.send(`${CARDS.granted}\r\n`);
  await gate.ear.hearTaps("a tap", ({ length }) => length > before);
  await boardTold(board, "1 on", 0);
}

async function isUpAgain({ guest, gate }: Service, restarts: number): Promise<void> {
  await becomes(guest, "NRestarts", `${restarts}`);
  await becomes(guest, "SubState", "running");
  await until(
    "a reader is up",
    async () => (await shows(guest, "StatusText")).includes("readers up: 1 of 1") || null,
    patienceMs,
  );
  expect(gate.ear.faults()).toEqual([]);
}

test("a service decides from within its sandbox, and is up again after it was killed, and after it stood still", async () => {
  const service = await setService();
  const { guest, board, reader } = service;
  await isUpAgain(service, 0);
  const pid = () => shows(guest, "MainPID");
  expect(await guest.sh(`ps -o user= -p ${await pid()}`)).toBe("grindvakt");
  await energise(service);

  const told = relayCommands(board).length;
  await guest.sh(`kill -9 ${await pid()}`);
  await boardTold(board, "1 off", told);
  await isUpAgain(service, 1);

  await reader.unplug();
  await until(
    "the reader is missed",
    async () => (await shows(guest, "StatusText")).includes("readers up: 0 of 1") || null,
    patienceMs,
  );
  await reader.plug();
  await isUpAgain(service, 1);

  await energise(service);
  const before = relayCommands(board).length;
  await guest.sh(`kill -STOP ${await pid()}`);
  await isUpAgain(service, 2);
  expect(relayCommands(board).slice(before)).toContain("1 off");

  await guest.sh(`systemctl stop ${UNIT}`);
  expect(relayCommands(board).at(-1)).toBe("1 off");
  expect(await shows(guest, "Result")).toBe("success");
});

test("a wrong configuration ends a service, and is not tried again and again", async () => {
  const { guest } = await setService();
  await guest.sh(`echo 'nonsense: 1' >>${FILE}`);
  await guest.run(`systemctl restart ${UNIT}`);
  await becomes(guest, "SubState", "failed");
  expect(await shows(guest, "ExecMainStatus")).toBe("2");
  // Several times what it would wait before it starts again.
  await guest.sh("sleep 5");
  expect([await shows(guest, "SubState"), await shows(guest, "NRestarts")]).toEqual(["failed", "0"]);
});
