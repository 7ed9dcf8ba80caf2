import { beforeEach, describe, expect, it } from "vitest";
import type { Sight } from "../../drivers/driver.ts";
import { type HidKeys, type HidReaderOptions, type HidReports, hidReader } from "../../drivers/reader-hid.ts";
import { ReaderListener } from "../conformance/reader.ts";
import { simulatedWorld, until } from "../conformance/world.ts";
import { keyReport, NO_KEYS, typed } from "../peers/wedge.ts";
import { SimHid } from "../sim/hid.ts";

const IDS = { vendorId: 0x08ff, productId: 0x0009 };
const WEDGE = { ...IDS, serial: "", product: "Card Reader" };
const KEYS: HidKeys = { mode: "keyboard", layout: "us", terminator: "enter", keyTimeoutMs: 500 };
const REPORTS: HidReports = {
  mode: "report",
  report: { offsetBits: 0, lengthBits: 32, lengthUnit: "bits", order: "msb", holds: "bits", idle: "zeros" },
};
const PORT = "1-1.2:1.0";

let world: ReturnType<typeof simulatedWorld>;
let hid: SimHid;
let heard: ReaderListener;

beforeEach(() => {
  world = simulatedWorld();
  hid = new SimHid();
  heard = new ReaderListener();
});

function make(options: Partial<HidReaderOptions> = {}) {
  const all = { id: "r", ...IDS, ...KEYS, reads: "card-number", issuers: ["BB"], hid, ...options };
  return hidReader.create(all as HidReaderOptions, world, heard);
}

async function start(options: Partial<HidReaderOptions> = {}) {
  const reader = make(options);
  await reader.start();
  heard.speaking = true;
  await until(world, () => heard.states.length > 0);
  return reader;
}

const readings = () => heard.told.map(({ reading }) => reading);

describe("keys", () => {
  beforeEach(() => hid.plug(PORT, WEDGE));

  it("are a reading that is stamped at its first key", async () => {
    await start();
    const atMs = world.clock.monotonicMs();
    for (const report of typed("BB-1234-567890\n")) {
      hid.report(PORT, report);
      await world.pass();
    }
    expect(heard.numbers()).toEqual(["BB-1234-567890"]);
    expect(heard.told[0]?.stamp.monotonicMs).toBe(atMs);
  });

  it("that stop are no reading, and the next one is whole", async () => {
    await start();
    hid.report(PORT, ...typed("BB-12"));
    await world.clock.advance(499);
    expect(readings()).toEqual([]);
    await world.clock.advance(2);
    expect(readings()).toEqual([
      { kind: "misread", reason: "unreadable", step: "broken off after 5 keys: is terminator right?" },
    ]);
    hid.report(PORT, ...typed("BB-1234-567890\n"));
    expect(heard.numbers()).toEqual(["BB-1234-567890"]);
  });

  it("that stop are the reading where silence ends it, however often the keyboard says that none is held", async () => {
    await start({ terminator: "none", keyTimeoutMs: 100 });
    hid.report(PORT, ...typed("BB-1234-567890"));
    for (let passes = 0; passes < 20; passes += 1) {
      hid.report(PORT, NO_KEYS);
      await world.pass();
    }
    expect(heard.numbers()).toEqual(["BB-1234-567890"]);
  });

  it("of a Swedish reader are read as such", async () => {
    await start({ layout: "se" });
    hid.report(PORT, ...typed("BB/1234/567890\n"));
    expect(heard.numbers()).toEqual(["BB-1234-567890"]);
  });

  it("that are unclear or without an end are told of", async () => {
    await start();
    hid.report(PORT, keyReport(0x3a), ...typed("\n"), ...typed(`${"1".repeat(200)}\n`));
    expect(readings()).toMatchObject([
      { reason: "unreadable", step: "key 58 types no character in this layout" },
      { reason: "unreadable", step: expect.stringMatching(/^200 keys without an end/) },
    ]);
  });

  it("that began before the reader was pulled are forgotten", async () => {
    await start();
    hid.report(PORT, ...typed("BB-9999-"));
    hid.pull(PORT);
    await until(world, () => heard.states.length === 2);
    hid.plug(PORT, WEDGE);
    await until(world, () => heard.states.length === 3);
    hid.report(PORT, ...typed("BB-1234-567890\n"));
    await world.clock.advance(5_000);
    expect(heard.numbers()).toEqual(["BB-1234-567890"]);
    expect(heard.told).toHaveLength(1);
  });
});

describe("reports", () => {
  beforeEach(() => hid.plug(PORT, WEDGE));
  const report = (hex: string) => hid.report(PORT, Buffer.from(hex, "hex"));

  it("give the UID they hold, and nothing while there is no card", async () => {
    await start({ ...REPORTS, reads: "uid" });
    report("04a1b2c300000000");
    report("0000000000000000");
    expect(readings()).toEqual([
      { kind: "credential", credential: { kind: "token", uid: "04A1B2C3", part: "whole" }, assurance: "uid" },
    ]);
  });

  it("give the UID wrapped in Wiegand bits", async () => {
    const layout = { ...REPORTS.report, lengthBits: 34 };
    await start({
      mode: "report",
      report: layout,
      reads: { wiegand: 34, identityOf16Bits: false, order: "msb" },
    });
    // Even parity of 04A1, the UID, odd parity of B2C3.
    const bits = `0${(0x04a1b2c3).toString(2).padStart(32, "0")}1`;
    report(
      BigInt(`0b${bits.padEnd(40, "0")}`)
        .toString(16)
        .padStart(10, "0"),
    );
    expect(readings()).toMatchObject([{ credential: { uid: "04A1B2C3" } }]);
  });

  it("give the card number they hold", async () => {
    await start({ mode: "report", report: { ...REPORTS.report, holds: "text", lengthBits: 128 } });
    report(Buffer.from("BB-1234-567890").toString("hex").padEnd(32, "0"));
    expect(heard.numbers()).toEqual(["BB-1234-567890"]);
  });

  it("that are not as configured are told of without what they hold", async () => {
    await start({ ...REPORTS, reads: "uid" });
    report("04a1b2");
    expect(readings()).toEqual([
      {
        kind: "misread",
        reason: "unreadable",
        step: "a report that is not as configured: it ends after 24 bits, before the 32 bits from 0 on",
      },
    ]);
  });
});

describe("a technician sees", () => {
  beforeEach(() => hid.plug(PORT, WEDGE));

  async function watch(options: Partial<HidReaderOptions>, ...reports: Uint8Array[]): Promise<Sight[]> {
    const reader = await start(options);
    const seen: Sight[] = [];
    reader.observe?.((sight) => seen.push(sight));
    hid.report(PORT, ...reports);
    reader.observe?.(null);
    hid.report(PORT, ...reports);
    return seen;
  }

  it("each report of a keyboard, and what was typed", async () => {
    const seen = await watch({}, ...typed("42\n"));
    expect(seen.filter(({ kind }) => kind === "bytes")).toHaveLength(6);
    expect(seen.filter(({ kind }) => kind === "text")).toEqual([{ kind: "text", text: "42" }]);
  });

  it("each report of another reader, and its bits", async () => {
    const bytes = Buffer.from("04a1b2c300", "hex");
    expect(await watch({ ...REPORTS, reads: "uid" }, bytes)).toEqual([
      { kind: "bytes", direction: "in", bytes },
      { kind: "bits", countBits: 32, bytes: Uint8Array.of(0x04, 0xa1, 0xb2, 0xc3) },
    ]);
  });
});

describe("which reader is meant", () => {
  it("is asked for where there are two, and then found by port or serial number", async () => {
    hid.plug("1-1.2:1.0", { ...WEDGE, serial: "A" });
    hid.plug("1-1.3:1.0", { ...WEDGE, serial: "B" });
    await start();
    expect(heard.states).toEqual([
      "down: 08ff:0009 is plugged in more than once: say path or serial; there is port 1-1.2 serial A, port 1-1.3 serial B",
    ]);
    for (const which of [{ path: "1-1.3" }, { path: "1-1.3:1.0" }, { serial: "B" }]) {
      heard = new ReaderListener();
      await start(which);
      hid.report("1-1.2:1.0", ...typed("BB-1234-567891\n"));
      hid.report("1-1.3:1.0", ...typed("BB-1234-567890\n"));
      expect(heard.numbers()).toEqual(["BB-1234-567890"]);
    }
  });

  it("is said in words where it is not there", async () => {
    await start({ serial: "C" });
    expect(heard.states).toEqual(["down: no USB device 08ff:0009 is plugged in"]);
    hid.plug(PORT, { ...WEDGE, serial: "A" });
    heard = new ReaderListener();
    await start({ serial: "C" });
    expect(heard.states).toEqual([
      "down: no USB device 08ff:0009 is as configured; there is port 1-1.2 serial A",
    ]);
  });

  it("is the first interface of one device, or the one with the usage", async () => {
    hid.plug("1-1.2:1.1", { ...WEDGE, usagePage: 0xff00, usage: 1 });
    hid.plug("1-1.2:1.0", { ...WEDGE, usagePage: 1, usage: 6 });
    await start();
    hid.report("1-1.2:1.0", ...typed("BB-1234-567890\n"));
    expect(heard.numbers()).toEqual(["BB-1234-567890"]);
    heard = new ReaderListener();
    await start({ ...REPORTS, reads: "uid", usagePage: 0xff00 });
    hid.report("1-1.2:1.1", Buffer.from("04a1b2c3", "hex"));
    expect(heard.told).toHaveLength(1);
  });

  it("may be of one that the system says no usage of", async () => {
    hid.plug(PORT, WEDGE);
    await start({ usagePage: 1, usage: 6 });
    expect(heard.states).toEqual(["up"]);
  });
});

it("tells of what it must not open", async () => {
  hid.plug(PORT, WEDGE);
  hid.denied = "no permission for /dev/hidraw1";
  await start();
  expect(heard.states).toEqual(["down: no permission for /dev/hidraw1"]);
});

it("survives 10,000 re-plugs under taps, and keeps no handle", async () => {
  hid.plug(PORT, WEDGE);
  const reader = await start();
  // A backoff is seconds long: looked at every 10 ms, these would be three million looks.
  const patience = { pass: () => world.clock.advance(500) };
  const odd: string[] = [];
  for (let cycle = 0; cycle < 10_000; cycle += 1) {
    await until(patience, () => heard.states.at(-1) === "up");
    hid.report(PORT, ...typed("BB-1234-567890\nBB-99"));
    hid.pull(PORT);
    await until(world, () => heard.states.at(-1) !== "up");
    if (heard.told.length !== 1 || heard.states.length > 3)
      odd.push(`cycle ${cycle}: ${heard.told.length} taps, ${heard.states.length} states`);
    heard.told.length = 0;
    heard.states.splice(0, heard.states.length - 1);
    world.logged.length = 0;
    hid.plug(PORT, WEDGE);
  }
  expect(odd).toEqual([]);
  await until(world, () => heard.states.at(-1) === "up");
  expect(hid.openHandles).toBe(1);
  heard.speaking = false;
  await reader.stop();
  expect(hid.openHandles).toBe(0);
  await world.clock.runUntilIdle(0);
  expect(heard.faults).toEqual([]);
});
