/** Light and beep, through the guest's own pcscd and libccid, of readers that are ours to look at. */
import { afterAll, expect, onTestFinished, test } from "vitest";
import { until } from "../e2e/site.ts";
import { Acr122u, Acr1252u, type ContactlessReader, OtherReader, OWN_BEEP } from "./acr.ts";
import { type Gate, guest, setGate } from "./gate.ts";
import type { Guest } from "./guest.ts";
import { replug } from "./replug.ts";

const UID = "04a1b2c3d4e5f6";
const CARD = "BB-2611-000001";
const STRANGER = "04ffeeddccbbaa";
const PLIST = "/etc/libccid_Info.plist";
const SILENCED = "ff00520000";
const BEHAVIOUR = { factory: 0x7f, silenced: 0x77 };

const SEEN = {
  acr122: {
    granted: ["beep 300", "green", "red"],
    denied: ["beep 100", "dark", "beep 100", "red", "dark", "red"],
  },
  acr1252: {
    granted: ["green", "beep 100", "dark"],
    denied: ["red", "beep 60", "beep 60", "beep 60", "dark"],
  },
} as const;

/** What libccid lets through while the test runs: with 1, escape commands. Debian's own setting is 0. */
async function setLibccid(machine: Guest, options: number): Promise<void> {
  const set = (value: number) =>
    machine.sh(
      `sed -i '/ifdDriverOptions/,+1s/0x000./0x000${value}/' ${PLIST}; systemctl stop pcscd.service`,
    );
  await set(options);
  onTestFinished(async () => {
    await set(0);
  });
}

/** Each reader with an access point of its own, named like it. */
async function setReaders(
  machine: Guest,
  readers: Record<string, { reader: ContactlessReader; name: string }>,
): Promise<Gate> {
  for (const [socket, { reader }] of Object.values(readers).entries()) {
    reader.join(machine, socket);
    onTestFinished(() => reader.remove());
  }
  return setGate((configuration) => {
    configuration.readers = Object.entries(readers).map(([id, { name }]) => ({ id, driver: "pcsc", name }));
    configuration.accessPoints = Object.keys(readers).map((id) => ({
      ...{ id, direction: "entry", readers: [id], repeatSeconds: 0 },
      relay: { driver: "virtual", pulseMs: 50 },
    }));
  });
}

/** The process beside the gateway starts anew at each, which takes a translated guest some ten seconds, and a minute beside other work. */
const rounds = 24;
const backMsMaxTranslated = 60_000;
const PATIENT = { timeout: 1_800_000 };

/** From a card laid down to the first light or sound of its decision. */
const shownMs: number[] = [];
afterAll(() => {
  const sorted = shownMs.toSorted((a, b) => a - b).map(Math.round);
  const median = sorted[sorted.length >> 1];
  console.log(
    `rig: a decision is seen or heard ${median} ms after the card, at worst ${sorted.at(-1)}, of ${sorted.length}`,
  );
});

/** Lays a card on it, takes it when it has been decided on and shown, and gives what was to be seen and heard. */
async function tap(
  gate: Gate,
  reader: ContactlessReader,
  uid: string,
  shown: readonly string[],
  waved = false,
) {
  const before = reader.done.length;
  const taps = gate.ear.taps().length;
  const laidMs = performance.now();
  reader.lay(uid, waved);
  await gate.ear.hearTaps(`a tap at ${reader.product}`, ({ length }) => length > taps);
  await until(
    () => `${reader.product} shows it; it did ${reader.since(before)}, told ${reader.commands}`,
    () => reader.since(before).length >= shown.length || null,
  );
  reader.take();
  await until(`pcscd sees that the card is gone`, () => reader.isMissed || null);
  const decision = reader.done.slice(before).find(({ what }) => what !== OWN_BEEP);
  if (decision !== undefined) shownMs.push(decision.atMs - laidMs);
  return reader.since(before);
}

test("an ACR122U and an ACR1252U show and sound what was decided, silenced before; their neighbours are told nothing", async () => {
  const machine = guest();
  const [acr122, twin, acr1252, other] = [new Acr122u(), new Acr122u(), new Acr1252u(), new OtherReader()];
  const gate = await setReaders(machine, {
    acr122: { reader: acr122, name: "ACR122U PICC Interface 00 00" },
    twin: { reader: twin, name: "ACR122U PICC Interface 01 00" },
    acr1252: { reader: acr1252, name: "ACS ACR1252" },
    other: { reader: other, name: "uTrust" },
  });
  await setLibccid(machine, 1);
  for (const reader of [acr122, twin, acr1252, other]) await reader.plug();
  const daemon = await gate.run();
  for (const id of ["acr122", "twin", "acr1252", "other"]) await daemon.readerIs(id, "up");
  await until(
    () => `they are silenced: ${acr122.commands}; ${twin.commands}; ${acr1252.commands}`,
    () =>
      ([acr122, twin].every(({ commands }) => commands.includes(SILENCED)) &&
        acr1252.behaviour === BEHAVIOUR.silenced) ||
      null,
  );
  expect(await tap(gate, acr122, UID, SEEN.acr122.granted)).toEqual(SEEN.acr122.granted);
  expect(await tap(gate, acr122, STRANGER, SEEN.acr122.denied)).toEqual(SEEN.acr122.denied);
  // Waved: the reader is told all the same, though no card is there to be told through.
  expect(await tap(gate, acr122, UID, SEEN.acr122.granted, true)).toEqual(SEEN.acr122.granted);
  expect(await tap(gate, acr1252, UID, SEEN.acr1252.granted)).toEqual(SEEN.acr1252.granted);
  expect(await tap(gate, acr1252, STRANGER, SEEN.acr1252.denied)).toEqual(SEEN.acr1252.denied);
  expect(await tap(gate, other, UID, [])).toEqual([]);
  expect(gate.ear.taps().map(({ data }) => [data.reader, data.card])).toEqual([
    ...[
      ["acr122", CARD],
      ["acr122", null],
      ["acr122", CARD],
    ],
    ...[
      ["acr1252", CARD],
      ["acr1252", null],
      ["other", CARD],
    ],
  ]);
  expect([twin.commands, other.commands]).toEqual([[SILENCED], []]);
  expect(acr1252.writes).toBe(1);
});

test(
  `an ACR122U and an ACR1252U are plugged in again ${rounds} times under taps, and are silent each time`,
  PATIENT,
  async () => {
    const machine = guest();
    const [acr122, acr1252] = [new Acr122u(), new Acr1252u()];
    const gate = await setReaders(machine, {
      acr122: { reader: acr122, name: "ACR122U" },
      acr1252: { reader: acr1252, name: "ACR1252" },
    });
    await setLibccid(machine, 1);
    const daemon = await gate.run();
    const seen: string[][] = [];
    await replug(gate, daemon, {
      reader: "acr122",
      ...{ rounds, backMsMaxTranslated },
      plug: async () => {
        const told = acr122.commands.length;
        await Promise.all([acr122.plug(), acr1252.plug()]);
        await daemon.readerIs("acr1252", "up");
        const isSilent = () =>
          acr122.commands.slice(told).includes(SILENCED) && acr1252.behaviour === BEHAVIOUR.silenced;
        await until(
          () => `they are silenced again: ${acr122.commands.slice(told)}`,
          () => isSilent() || null,
        );
      },
      tap: async (_, number) => {
        seen.push(await tap(gate, acr122, UID, SEEN.acr122.granted));
        if (number === 0) seen.push(await tap(gate, acr1252, UID, SEEN.acr1252.granted));
        return CARD;
      },
      pull: async () => {
        await Promise.all([acr122.unplug(), acr1252.unplug()]);
      },
    });
    const round = [SEEN.acr122.granted, SEEN.acr1252.granted, SEEN.acr122.granted, SEEN.acr122.granted];
    expect(seen).toEqual(Array.from({ length: rounds }, () => round).flat());
    expect(acr1252.writes).toBe(1);
  },
);

test("as libccid comes, no escape command passes: the gateway says what is lost, doctor how to have it, and taps go on", async () => {
  const machine = guest();
  const [acr122, acr1252] = [new Acr122u(), new Acr1252u()];
  const gate = await setReaders(machine, {
    acr122: { reader: acr122, name: "ACR122U" },
    acr1252: { reader: acr1252, name: "ACR1252" },
  });
  await setLibccid(machine, 0);
  for (const reader of [acr122, acr1252]) await reader.plug();
  const daemon = await gate.run();
  for (const id of ["acr122", "acr1252"]) await daemon.readerIs(id, "up");
  const said = (line: string) =>
    until(
      () => `"${line}" is said; ${daemon.said}`,
      () => daemon.said.includes(line) || null,
    );
  await said(
    "reader acr122 beeps by itself at the first card, and shows and sounds a decision only while the card lies there",
  );
  await said("reader acr1252 shows and sounds no decision, and beeps as it is set");
  // The first card has silenced it.
  expect(await tap(gate, acr122, UID, [OWN_BEEP, ...SEEN.acr122.granted])).toEqual([
    OWN_BEEP,
    ...SEEN.acr122.granted,
  ]);
  expect(await tap(gate, acr122, STRANGER, SEEN.acr122.denied)).toEqual(SEEN.acr122.denied);
  expect(await tap(gate, acr122, UID, [], true)).toEqual([]);
  expect(await tap(gate, acr1252, UID, [OWN_BEEP])).toEqual([OWN_BEEP]);
  expect([acr122.commands.length, acr1252.commands]).toEqual([3, []]);
  expect(gate.ear.taps()).toHaveLength(4);
  expect(daemon.said.match(/libccid lets no escape command through/g)).toHaveLength(2);
  const findings = await doctor(gate);
  expect(findings.find(({ subject }) => subject === "libccid")).toMatchObject({
    level: "warning",
    todo: `sudo sed -i '/ifdDriverOptions/,+1s/0x0000/0x0001/' ${PLIST}, then sudo systemctl restart pcscd`,
  });
  // What it says is what helps.
  await machine.sh(`sed -i '/ifdDriverOptions/,+1s/0x0000/0x0001/' ${PLIST}; systemctl restart pcscd`);
  await until("it is silenced", () => acr1252.behaviour === BEHAVIOUR.silenced || null);
  expect(await tap(gate, acr1252, STRANGER, SEEN.acr1252.denied)).toEqual(SEEN.acr1252.denied);
});

test("an ACR122U whose firmware libccid refuses: doctor names it, and what else takes it", async () => {
  const machine = guest();
  const old = new Acr122u({ release: 0x0203 });
  const gate = await setReaders(machine, { old: { reader: old, name: "ACR122U" } });
  await setLibccid(machine, 1);
  await old.plug();
  const daemon = await gate.run();
  await daemon.readerIs("old", "down");
  const findings = await doctor(gate);
  expect(findings.find(({ subject }) => subject === "libccid")).toMatchObject({
    level: "wrong",
    what: expect.stringContaining("older than 2.06"),
  });
  await setLibccid(machine, 5);
  await daemon.readerIs("old", "up");
});

async function doctor({ guest: machine, site }: Gate) {
  const { stdout } = await machine.run(`node /house/dist/daemon/cli.js doctor -c ${site.file} --json`);
  const { findings } = JSON.parse(stdout) as {
    findings: { subject: string; level: string; what: string; todo: string | null }[];
  };
  return findings;
}
