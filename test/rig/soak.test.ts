/**
 * The long run: six readers under taps (serial on USB and over TCP, a keyboard, PC/SC, two on a secure OSDP line of which one opens); a broker that comes and goes, a list that changes every ten seconds, and the
 * console open in a browser. `npm run test:rig -- --minutes 60 soak`.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { expect, inject, onTestFinished, test } from "vitest";
import { openDesk } from "../../daemon/commands/osdp-pd-desk.ts";
import { createSystemClock, systemRandom } from "../../drivers/system.ts";
import { CARDS, type Configuration, until } from "../e2e/site.ts";
import { startChromium } from "../peers/chromium.ts";
import { TcpDevice } from "../peers/tcp-device.ts";
import { startTcpProxy } from "../peers/tcp-proxy.ts";
import { type Daemon, type Gate, guest, setGate } from "./gate.ts";
import { Keyboard } from "./keyboard.ts";
import { cardOf } from "./replug.ts";
import { UsbSerial } from "./usb-serial.ts";
import { CardReader } from "./virtual-card.ts";

const MINUTE_MS = 60_000;
const minutes = inject("minutes");
/** A card at each reader, and how long one lies on the reader that is asked for it. */
const TAP_MS = 5_000;
const PRESENT_MS = 2_500;
const LIST_MS = 10_000;
const BROKER_UP_MS = 40_000;
const BROKER_DOWN_MS = 8_000;
const LOOK_MS = 15_000;
/** Of the first quarter nothing is asked: lists, pages and caches find their size. */
const SETTLED_SHARE = 0.25;
/** Between the middle of the second quarter's looks and that of the last. */
const GROWTH_MB_MAX = 10;
const CONSOLE_PORT = 8080;
const OSDP_PORT = "/dev/serial/by-id/usb-QEMU_QEMU_USB_SERIAL_OSDP-if00-port0";
const OSDP_KEY = "000102030405060708090a0b0c0d0e0f";
const UID = "04a1b2c3d4e5f6";

/** One reader, and how a card comes to it; gives what the event says as `card`. */
interface Tapped {
  id: string;
  tap(count: number): Promise<string | null>;
}

interface Look {
  residentMb: number;
  handles: number;
}

test(
  `six readers of five kinds for ${minutes} minutes, a broker that flaps, a list that changes, a console open`,
  async () => {
    const far = await farEnds();
    const gate = await setGate((configuration) => sixReaders(configuration, far), far.wire);
    const readers = await plugAll(gate, far);
    const daemon = await gate.run();
    for (const { id } of readers) await daemon.readerIs(id, "up");
    const page = await openConsole(gate);

    const untilMs = performance.now() + minutes * MINUTE_MS;
    const goesOn = (): boolean => performance.now() < untilMs;
    const wanted = new Map<string, (string | null)[]>(readers.map(({ id }) => [id, []]));
    const looks: Look[] = [];
    let lists = 0;
    const every = async (ms: number, act: () => Promise<unknown>): Promise<void> => {
      while (goesOn()) {
        await act();
        await pause(ms);
      }
    };
    await Promise.all([
      ...readers.map(({ id, tap }) => {
        let count = 0;
        return every(TAP_MS, async () => {
          count += 1;
          wanted.get(id)?.push(await tap(count));
        });
      }),
      every(LIST_MS, async () => {
        lists += 1;
        const status = lists % 2 === 0 ? "blocked" : "suspended";
        const { code, stderr } = await gate.site.command("feed", "set", "feed", CARDS.blocked, status);
        if (code !== 0) throw new Error(stderr);
      }),
      every(BROKER_UP_MS, () => far.flap()),
      every(LOOK_MS, async () => looks.push(await lookAt(gate, daemon))),
    ]);

    const seen = (id: string) =>
      gate.ear
        .taps()
        .filter(({ data }) => data.reader === id)
        .map(({ data }) => data.card);
    for (const { id } of readers)
      await until(
        () => `${wanted.get(id)?.length} taps of ${id} have come; ${seen(id).length} have`,
        () => seen(id).length >= (wanted.get(id)?.length ?? 0) || null,
        MINUTE_MS,
      );
    for (const { id } of readers) expect(seen(id)).toEqual(wanted.get(id));
    const sequences = gate.ear.events().map(({ data }) => data.seq as number);
    expect(sequences).toEqual(sequences.map((_, index) => (sequences[0] ?? 0) + index));
    expect(gate.ear.faults()).toEqual([]);
    await page.live();

    const [settled, last] = [
      looks.slice(looks.length * SETTLED_SHARE, looks.length / 2),
      looks.slice(-looks.length / 4),
    ];
    const grown = middle(last, "residentMb") - middle(settled, "residentMb");
    const taps = [...wanted.values()].flat().length;
    console.log(
      `rig: soak: ${minutes} minutes, ${taps} of ${taps} taps, ${lists} lists, ${far.flaps()} outages; resident ${middle(settled, "residentMb")} MB in the second quarter, ${middle(last, "residentMb")} MB in the last; handles ${middle(settled, "handles")} and ${middle(last, "handles")}`,
    );
    expect(grown).toBeLessThan(GROWTH_MB_MAX);
    expect(middle(last, "handles")).toBeLessThanOrEqual(middle(settled, "handles"));
  },
  minutes * MINUTE_MS + 900_000,
);

function serial(id: string, port: string): object {
  return { id, driver: "serial", port, reads: "card-number" };
}

// ---------------------------------------------------------------- what the gateway stands among

/** Each with an access point of its own. Where a keyboard is among them all of HID goes through libusb, which sees no uhid devices. */
function sixReaders(configuration: Configuration, far: FarEnds): void {
  configuration.readers = [
    serial("usb", "/dev/serial/by-id/usb-QEMU_QEMU_USB_SERIAL_IN1-if00-port0"),
    serial("tcp", `tcp://127.0.0.1:${far.tcpPort}`),
    {
      ...{ id: "keys", driver: "hid", vendorId: 0x0627, productId: 1, reads: "card-number" },
      keyTimeoutMs: 1_000,
    },
    { id: "chips", driver: "pcsc", name: "Gem" },
    ...[1, 2].map((address) => ({
      ...{ id: `osdp-${address}`, driver: "osdp", address, reads: "card-number" },
      ...{ port: OSDP_PORT, scbk: { file: far.keyFile } },
    })),
  ];
  const [place] = configuration.accessPoints;
  configuration.accessPoints = configuration.readers.map(({ id }: { id: string }) => ({
    ...place,
    id,
    readers: [id],
  }));
  configuration.accessPoints.at(-1).relay = {
    ...{ driver: "osdp-output", reader: "osdp-2", output: 0, pulseMs: 500 },
  };
  configuration.console = { listen: `127.0.0.1:${CONSOLE_PORT}` };
  configuration.cards.refreshSeconds = 5;
}

type FarEnds = Awaited<ReturnType<typeof farEnds>>;

/** What is not in the machine: a device server, an OSDP reader, and a wire to the broker. */
async function farEnds() {
  const machine = guest();
  const device = await TcpDevice.listen();
  onTestFinished(() => device.vanish());
  const keyFile = join(machine.place.shared, "scbk");
  await writeFile(keyFile, OSDP_KEY, { mode: 0o600 });
  const clock = createSystemClock();
  await clock.start();
  onTestFinished(() => clock.stop());
  const desk = await openDesk(
    {
      place: { kind: "listen", port: 0 },
      addresses: [1, 2],
      key: Buffer.from(OSDP_KEY, "hex"),
      installMode: false,
    },
    { clock, random: systemRandom },
    () => undefined,
    () => undefined,
  );
  onTestFinished(() => desk.stop());
  let proxy: Awaited<ReturnType<typeof startTcpProxy>> | null = null;
  let flaps = 0;
  return {
    device,
    keyFile,
    tcpPort: await machine.lead(device.port),
    osdpPort: Number(/\d+$/.exec(desk.port)?.[0]),
    osdpType: (line: string) => void desk.type(line),
    /** Between the gateway and this broker. */
    wire: async (brokerPort: number): Promise<number> => {
      const made = await startTcpProxy(brokerPort);
      onTestFinished(() => made.stop());
      proxy = made;
      return made.port;
    },
    flaps: () => flaps,
    /** Away, in one of two ways, and back. */
    async flap(): Promise<void> {
      flaps += 1;
      if (flaps % 2 === 0) proxy?.stall();
      else proxy?.cut();
      proxy?.refuse();
      await pause(BROKER_DOWN_MS);
      proxy?.cut();
      proxy?.flow();
      proxy?.accept();
    },
  };
}

async function plugAll(gate: Gate, far: FarEnds): Promise<Tapped[]> {
  const usb = new UsbSerial(gate.guest, { id: "IN1", usbPort: 1 });
  const osdp = new UsbSerial(gate.guest, { id: "OSDP", usbPort: 3, farPort: far.osdpPort });
  // Slowly: beside all else QEMU lets go of a key late now and then.
  const keyboard = new Keyboard(gate.guest, 40);
  const chips = new CardReader(gate.guest);
  onTestFinished(async () => {
    await usb.remove();
    await osdp.remove();
    await keyboard.unplug();
    await chips.unplug();
  });
  for (const device of [usb, osdp, keyboard, chips]) await device.plug();
  const numbered = (id: string, reader: number, send: (card: string) => unknown): Tapped => ({
    id,
    tap: async (count) => {
      const card = cardOf(reader, count, 0);
      await send(card);
      return card;
    },
  });
  return [
    numbered("usb", 1, (card) => usb.send(`${card}\r\n`)),
    numbered("tcp", 2, (card) => far.device.send(`${card}\r\n`)),
    numbered("keys", 3, (card) => keyboard.type(`${card.toLowerCase()}\n`)),
    {
      id: "chips",
      tap: async () => {
        chips.present(UID);
        await pause(PRESENT_MS);
        chips.remove();
        return CARDS.granted;
      },
    },
    numbered("osdp-1", 4, far.osdpType),
    {
      id: "osdp-2",
      tap: async () => {
        far.osdpType(`2: ${CARDS.granted}`);
        return CARDS.granted;
      },
    },
  ];
}

/** The console as a browser has it; `live` rejects unless it still hears of taps. */
async function openConsole(gate: Gate): Promise<{ live(): Promise<void> }> {
  const port = await gate.guest.reach(CONSOLE_PORT);
  const browser = await startChromium();
  onTestFinished(() => browser.close());
  const page = await browser.newPage();
  const url = `http://127.0.0.1:${port}/`;
  await page.goto(url);
  return {
    live: async () => {
      const before = await page.locator("body").innerText();
      await until(
        "the console's page goes on",
        async () => (await page.locator("body").innerText()) !== before || null,
      );
    },
  };
}

// ---------------------------------------------------------------- what is looked at

async function lookAt({ guest: machine }: Gate, daemon: Daemon): Promise<Look> {
  const resident = await machine.sh(
    `sed -n 's/^VmRSS:[^0-9]*\\([0-9]*\\) kB/\\1/p' /proc/${daemon.pid}/status`,
  );
  return { residentMb: Math.round(Number(resident) / 1024), handles: await daemon.handles() };
}

function middle(looks: readonly Look[], of: keyof Look): number {
  return looks.map((look) => look[of]).toSorted((a, b) => a - b)[looks.length >> 1] ?? Number.NaN;
}
