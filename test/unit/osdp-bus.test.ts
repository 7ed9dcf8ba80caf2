import { afterEach, describe, expect, it } from "vitest";
import { OsdpBus } from "../../drivers/bus-osdp.ts";
import { OsdpReader } from "../../drivers/bus-osdp-reader.ts";
import { OsdpFramer } from "../../drivers/codec/osdp.ts";
import { COLOUR } from "../../drivers/codec/osdp-messages.ts";
import type { ReaderEvents, ReaderNotice } from "../../drivers/driver.ts";
import type { OsdpPd, OsdpPdOptions } from "../../drivers/osdp-pd.ts";
import type { TextReads } from "../../drivers/reads.ts";
import { makeSite, type OsdpSite } from "../conformance/osdp-site.ts";
import { simulatedWorld, type TestWorld } from "../conformance/world.ts";
import type { SimClock } from "../sim/clock.ts";

const KEY = new Uint8Array(Buffer.from("00112233445566778899AABBCCDDEEFF", "hex"));
const OTHER_KEY = KEY.map((byte) => byte ^ 0x5a);

class Ear implements ReaderEvents {
  readings: string[] = [];
  stamps: number[] = [];
  states: string[] = [];
  why: string | null = null;
  notices: ReaderNotice[] = [];

  reading: ReaderEvents["reading"] = (reading, stamp) => {
    this.stamps.push(stamp.monotonicMs);
    if (reading.kind === "misread") this.readings.push(`${reading.reason}: ${reading.step}`);
    else if (reading.credential.kind === "number") this.readings.push(reading.credential.number);
    else this.readings.push(`${reading.credential.uid} ${reading.credential.part}`);
  };
  up = ({ model }: { model?: string }) => this.states.push(`up ${model}`);
  /** Each down with the first of its reasons. */
  down = (why: string) => {
    this.why = why;
    if (!this.states.at(-1)?.startsWith("down")) this.states.push(`down ${why}`);
  };
  notice = (notice: ReaderNotice) => this.notices.push(notice);

  get alarms(): string[] {
    return this.notices.flatMap((notice) => (notice.kind === "alarm" ? [notice.why] : []));
  }
}

interface Stage {
  world: TestWorld & { clock: SimClock };
  site: OsdpSite;
  bus: OsdpBus;
  pd: OsdpPd;
  readers: OsdpReader[];
  ears: Ear[];
  reader: OsdpReader;
  ear: Ear;
}

const stages: Stage[] = [];

/** `key`: what the gateway has; the readers have what `pds` says. */
async function stage(
  pds: readonly OsdpPdOptions[],
  options: { key?: Uint8Array | null; baudRate?: number; reads?: TextReads; addresses?: number[] } = {},
): Promise<Stage> {
  const { key = KEY, baudRate = 9_600, reads = "card-number" } = options;
  let site: OsdpSite | null = null;
  const world = simulatedWorld((address, events) => site!.openChannel(address, events));
  site = makeSite(world.clock, baudRate, pds);
  const bus = new OsdpBus({ port: "/dev/ttyUSB0", baudRate }, world);
  const addresses = options.addresses ?? pds.map(({ address }) => address);
  const ears = addresses.map(() => new Ear());
  const readers = addresses.map((address, index) => {
    const settings = { id: `reader-${address}`, address, scbk: key, reads, issuers: ["BB"], bus };
    return new OsdpReader(settings, world, ears[index]!);
  });
  const made = { world, site, bus, pd: site.pds[0]!, readers, ears, reader: readers[0]!, ear: ears[0]! };
  stages.push(made);
  const started = Promise.all(readers.map((reader) => reader.start()));
  await world.clock.advance(3_000);
  await started;
  return made;
}

const one = (more: Partial<OsdpPdOptions> = {}): OsdpPdOptions[] => [{ address: 1, key: KEY, ...more }];
const MODEL = "up 00-00-00 model 1.1, firmware 1.0.0, serial 1";

afterEach(async () => {
  for (const { world, readers, site } of stages.splice(0)) {
    for (const reader of readers) await reader.stop();
    expect(site.collisions).toEqual([]);
    await world.clock.runUntilIdle();
  }
});

describe("a reader with a key", () => {
  it("is up, in its secure channel, and its cards come over it", async () => {
    const { world, ear, pd, site } = await stage(one());
    expect(ear.states).toEqual([MODEL]);
    expect(pd.isSecure).toBe(true);
    pd.present("BB-1234-567890");
    await world.clock.advance(100);
    expect(ear.readings).toEqual(["BB-1234-567890"]);
    const spoken = Buffer.concat(site.replied).toString("latin1");
    expect(spoken).not.toContain("1234-567890");
  });

  it("is polled every 50 ms or faster", async () => {
    const { world, site } = await stage(one());
    site.sent.splice(0);
    await world.clock.advance(2_000);
    const times = site.sent.map(({ atMs }) => atMs);
    expect(times.length).toBeGreaterThanOrEqual(40);
    for (const [index, atMs] of times.slice(1).entries())
      expect(atMs - times[index]!).toBeLessThanOrEqual(50);
  });

  it("counts its commands 0, 1, 2, 3, 1, …, and says the same again where a reply is lost", async () => {
    const { world, site, pd, ear } = await stage(one());
    const sequences = () =>
      site.sent.flatMap(({ bytes }) => new OsdpFramer().push(bytes)).map(({ sequence }) => sequence);
    expect(sequences().slice(0, 8)).toEqual([0, 1, 2, 3, 1, 2, 3, 1]);
    site.sent.splice(0);
    pd.present("BB-1234-567890");
    pd.faults.corrupt = true;
    await world.clock.advance(500);
    pd.faults.corrupt = false;
    await world.clock.advance(500);
    expect(new Set(site.sent.slice(0, 3).map(({ bytes }) => Buffer.from(bytes).toString("hex"))).size).toBe(
      1,
    );
    // The card was in the reply that was lost; it comes once, with the one that was not.
    expect(ear.readings).toEqual(["BB-1234-567890"]);
    expect(ear.states).toEqual([MODEL]);
  });

  it("is down with a word where its key is another, and never spoken to in the clear", async () => {
    const { world, ear, pd, site } = await stage(one({ key: OTHER_KEY }));
    expect(ear.states).toEqual(["down it does not have the key of scbk"]);
    pd.present("BB-1234-567890");
    await world.clock.advance(30_000);
    expect(ear.readings).toEqual([]);
    expect(ear.states).toHaveLength(1);
    const codes = new Set(
      site.sent.flatMap(({ bytes }) => new OsdpFramer().push(bytes)).map(({ code }) => code),
    );
    expect(codes).toEqual(new Set([0x61, 0x62, 0x76]));
  });

  it("is down with a word where it has no key at all, and alarms where it claims the key everybody knows", async () => {
    const { ear } = await stage(one({ key: null }));
    expect(ear.states).toEqual(["down it opens no secure channel: it has no secure channel of this kind"]);
    const claiming = await stage(one());
    claiming.pd.faults.claimsDefaultKey = true;
    claiming.pd.restart();
    await claiming.world.clock.advance(2_000);
    expect(claiming.ear.states.slice(1)).toEqual([
      "down it wants to use the key that everybody knows (SCBK-D)",
    ]);
    expect(claiming.ear.alarms).toEqual(["it wants to use the key that everybody knows (SCBK-D)"]);
  });

  it("alarms where its replies come in the clear, takes no card from them, and is down where it goes on", async () => {
    const { world, ear, pd } = await stage(one());
    pd.faults.plaintext = true;
    pd.present("BB-1234-567890");
    await world.clock.advance(5_000);
    expect(ear.readings).toEqual([]);
    expect(ear.alarms).toEqual(["it answers in the clear, though it has a key"]);
    expect(ear.states[1]).toBe("down it answers in the clear, though it has a key");
    pd.faults.plaintext = false;
    await world.clock.advance(5_000);
    expect(ear.states.at(-1)).toBe(MODEL);
    await world.clock.advance(30_000);
    expect(ear.alarms).toHaveLength(1);
  });

  it("opens its session again after it lost its power, before anybody hears of it", async () => {
    const { world, ear, pd } = await stage(one());
    for (let times = 0; times < 5; times += 1) {
      pd.restart();
      await world.clock.advance(400);
      expect(pd.isSecure).toBe(true);
      pd.present(`BB-1234-56789${times}`);
      await world.clock.advance(12_000);
    }
    expect(ear.readings).toHaveLength(5);
    expect(ear.states).toEqual([MODEL]);
  });

  it("is down while its session breaks again and again", async () => {
    const { world, ear, pd } = await stage(one());
    for (let times = 0; times < 4; times += 1) {
      pd.restart();
      await world.clock.advance(400);
    }
    expect(ear.states.slice(0, 2)).toEqual([MODEL, "down it has left the secure channel"]);
  });
});

describe("a reader that does not answer", () => {
  it("is down after a second, with a word, and back within 5 s", async () => {
    const { world, ear, pd } = await stage(one());
    pd.faults.silent = true;
    await world.clock.advance(1_200);
    expect(ear.states.slice(1)).toEqual([expect.stringMatching(/^down it does not answer: is it powered/)]);
    await world.clock.advance(120_000);
    expect(ear.states).toHaveLength(2);
    pd.faults.silent = false;
    await world.clock.advance(5_000);
    expect(ear.states.slice(2)).toEqual([MODEL]);
  });

  it("is down from the start when it is not there, and so says start", async () => {
    const { ear, world } = await stage([], { addresses: [5] });
    expect(ear.states).toEqual([expect.stringMatching(/^down it does not answer/)]);
    expect(world.logged).toEqual(["warn reader reader-5 is down"]);
  });

  it("but with noise says so", async () => {
    const { world, ear, pd } = await stage(one());
    pd.faults.corrupt = true;
    await world.clock.advance(3_000);
    expect(ear.states.slice(1)).toEqual([expect.stringMatching(/^down only noise came/)]);
  });

  it("in time is asked again, and its late words are not taken for another's", async () => {
    const { world, ear, site } = await stage([
      { address: 1, key: KEY },
      { address: 2, key: KEY },
    ]);
    const [late, other] = site.pds;
    late!.faults.lateMs = 230;
    await world.clock.advance(600);
    other!.present("BB-1234-567890");
    await world.clock.advance(600);
    late!.faults.lateMs = 0;
    await world.clock.advance(6_000);
    expect(ear.states.at(-1)).toBe(MODEL);
    // On a real line its late words garble what is said at the time; nobody may be harmed by that for long.
    site.collisions.splice(0);
    other!.present("BB-1234-567891");
    await world.clock.advance(300);
    expect(stages.at(-1)!.ears[1]!.readings).toContain("BB-1234-567891");
    expect(stages.at(-1)!.ears[0]!.readings).toEqual([]);
  });
});

describe("a reader", () => {
  it("that is busy is asked again with the same words, and is down when it stays so", async () => {
    const { world, ear, pd } = await stage(one());
    pd.present("BB-1234-567890");
    pd.faults.busyCount = 20;
    await world.clock.advance(2_000);
    expect(ear.readings).toEqual(["BB-1234-567890"]);
    pd.faults.busyCount = 10_000;
    await world.clock.advance(8_500);
    expect(ear.states.slice(1)).toEqual(["down it has said busy for 8 s"]);
  });

  it("without a key, on a site that says so, speaks in the clear", async () => {
    const { world, ear, pd } = await stage(one({ key: null }), { key: null });
    pd.present("bb 1234 567890");
    await world.clock.advance(100);
    expect(ear.readings).toEqual(["BB-1234-567890"]);
  });

  it("that demands a key, on a site that gives none, is down and says so", async () => {
    const { ear } = await stage(one(), { key: null });
    expect(ear.states).toEqual(["down it demands a secure channel: give its key as scbk"]);
  });

  it("hands over raw bits as the site reads them, and refuses what is no whole UID", async () => {
    const { world, ear, pd } = await stage(one(), { reads: "uid" });
    pd.present("uid:04A1B2C3D4E5F6");
    pd.present("uid:04A1B2C3");
    pd.presentBits({ countBits: 26, bytes: Uint8Array.of(1, 2, 3, 4) });
    await world.clock.advance(300);
    expect(ear.readings).toEqual([
      "04A1B2C3D4E5F6 whole",
      "04A1B2C3 whole",
      "malformed: 26 bits are no whole bytes: reads may have to be { wiegand: 26 }",
    ]);
    const cut = await stage(one(), { reads: { uid: "dec", order: "lsb", bytes: 4, cut: "first" } });
    cut.pd.present("uid:C3B2A104");
    await cut.world.clock.advance(100);
    expect(cut.ear.readings).toEqual(["04A1B2C3 first"]);
    const text = await stage(one());
    text.pd.present("uid:04A1B2C3");
    await text.world.clock.advance(100);
    expect(text.ear.readings).toEqual([
      "malformed: 32 bits came where text was expected: reads may have to be uid",
    ]);
  });

  it("stamps a card when its first byte came, not when it was asked", async () => {
    const { world, ear, pd } = await stage(one());
    const presentedMs = world.clock.monotonicMs();
    pd.present("BB-1234-567890");
    await world.clock.advance(200);
    expect(ear.stamps[0]! - presentedMs).toBeGreaterThan(0);
    expect(ear.stamps[0]! - presentedMs).toBeLessThan(100);
  });

  it("tells of keys, tamper and power, each change once", async () => {
    const { world, ear, pd } = await stage(one());
    pd.press("12*#");
    pd.tamper(true);
    pd.tamper(true);
    pd.failPower(true);
    await world.clock.advance(400);
    pd.tamper(false);
    await world.clock.advance(100);
    expect(ear.notices).toEqual([
      { kind: "keys", digits: "12*#" },
      { kind: "tamper", active: true },
      { kind: "power", failed: true },
      { kind: "tamper", active: false },
    ]);
  });

  it("that was opened before the gateway came says so when it is up", async () => {
    const made = await stage([]);
    const site = makeSite(made.world.clock, 9_600, one());
    site.pds[0]!.tamper(true);
    const world = simulatedWorld((address, events) => site.openChannel(address, events));
    const ear = new Ear();
    const bus = new OsdpBus({ port: "/dev/ttyUSB0", baudRate: 9_600 }, { ...world, clock: made.world.clock });
    const reader = new OsdpReader(
      { id: "r", address: 1, scbk: KEY, reads: "uid", issuers: [], bus },
      { ...world, clock: made.world.clock },
      ear,
    );
    const started = reader.start();
    await made.world.clock.advance(1_000);
    await started;
    expect(ear.notices).toEqual([{ kind: "tamper", active: true }]);
    await reader.stop();
  });

  it("shows green and red, and beeps", async () => {
    const { world, reader, site } = await stage(one());
    reader.signal("granted");
    await world.clock.advance(200);
    expect(site.told.get(1)!.splice(0).slice(1)).toEqual([
      { kind: "light", colour: COLOUR.green, tenths: 20 },
      { kind: "beep", count: 1 },
    ]);
    reader.signal("denied");
    await world.clock.advance(200);
    expect(site.told.get(1)).toEqual([
      { kind: "light", colour: COLOUR.red, tenths: 20 },
      { kind: "beep", count: 3 },
    ]);
  });

  it("that refuses a command stays up", async () => {
    const { world, reader, pd, ear } = await stage(one());
    pd.faults.nak = 3;
    reader.signal("granted");
    await world.clock.advance(1_000);
    pd.faults.nak = null;
    pd.present("BB-1234-567890");
    await world.clock.advance(100);
    expect(ear.readings).toEqual(["BB-1234-567890"]);
    expect(ear.states).toEqual([MODEL]);
  });

  it("is given another address, and answers at that one from then on", async () => {
    const { world, reader, pd, ear } = await stage(one());
    await expect(reader.setLine(127, 9_600)).rejects.toThrow(/no place on a line/);
    await expect(reader.setLine(Number.NaN, 9_600)).rejects.toThrow(/no place on a line/);
    for (const speed of [0, 9_600.5, 2 ** 32 + 9_600, Number.NaN])
      await expect(reader.setLine(7, speed)).rejects.toThrow(/no place on a line/);
    const answered = reader.setLine(7, 38_400);
    await world.clock.advance(200);
    expect(await answered).toEqual({ address: 7, baudRate: 38_400 });
    expect(pd.address).toBe(7);
    await world.clock.advance(2_000);
    expect(ear.states.at(-1)).toMatch(/^down it does not answer/);
  });
});

describe("commissioning", () => {
  it("gives a new reader its key, in a window that was opened for it, and only then", async () => {
    const { world, reader, pd, ear, site } = await stage(one({ key: null, installMode: true }));
    const usesDefault = () =>
      site.sent
        .flatMap(({ bytes }) => new OsdpFramer().push(bytes))
        .some(({ code, security }) => code === 0x76 && security?.data[0] === 0);
    await world.clock.advance(20_000);
    expect(ear.states).toHaveLength(1);
    expect(usesDefault()).toBe(false);
    expect(reader.commission(60_000)).toBeNull();
    await world.clock.advance(3_000);
    expect(ear.notices).toEqual([{ kind: "commissioned" }]);
    expect(ear.states.at(-1)).toBe(MODEL);
    expect(site.told.get(1)).toContainEqual({ kind: "key" });
    expect(reader.commission(60_000)).toBe("the reader has the key already");
    // From now on it is this key or none.
    pd.restart();
    pd.present("BB-1234-567890");
    await world.clock.advance(1_000);
    expect(pd.isSecure).toBe(true);
  });

  it("ends with its window", async () => {
    const { world, reader, ear, site } = await stage(one({ key: OTHER_KEY }));
    expect(reader.commission(5_000)).toBeNull();
    await world.clock.advance(6_000);
    const before = site.sent.length;
    await world.clock.advance(60_000);
    const late = site.sent.slice(before).flatMap(({ bytes }) => new OsdpFramer().push(bytes));
    expect(late.filter(({ code }) => code === 0x76).length).toBeGreaterThan(5);
    expect(late.filter(({ code, security }) => code === 0x76 && security?.data[0] === 0)).toEqual([]);
    expect(ear.states).toHaveLength(1);
  });

  it("is refused where there is no key to give, no reader, or no window", async () => {
    const { reader } = await stage(one({ key: null }), { key: null });
    expect(reader.commission(1_000)).toMatch(/no scbk/);
    const secure = await stage(one({ key: OTHER_KEY }));
    expect(secure.reader.commission(0)).toMatch(/is none/);
    expect(secure.reader.commission(3_600_000)).toMatch(/is none/);
    await secure.reader.stop();
    expect(secure.reader.commission(1_000)).toMatch(/not been started/);
  });
});

describe("neighbours on a line", () => {
  const eight = Array.from({ length: 8 }, (_, address) => ({ address, key: KEY }));

  /** The longest time between two commands to one reader. */
  function longestGapMs(site: OsdpSite, address: number): number {
    const times = site.sent.filter(({ bytes }) => bytes[2] === address).map(({ atMs }) => atMs);
    return Math.max(...times.slice(1).map((atMs, index) => atMs - times[index]!));
  }

  it("eight secure ones at 38,400 baud are each asked every 120 ms", async () => {
    const { world, site, ears } = await stage(eight, { baudRate: 38_400 });
    expect(ears.map(({ states }) => states)).toEqual(eight.map(() => [MODEL]));
    site.sent.splice(0);
    await world.clock.advance(5_000);
    for (const { address } of eight) expect(longestGapMs(site, address)).toBeLessThanOrEqual(120);
  });

  it("lose no more than one reply timeout a round to those that died, and seldom that", async () => {
    const { world, site, ears } = await stage(eight, { baudRate: 38_400 });
    site.pds[2]!.faults.silent = true;
    site.pds[5]!.faults.silent = true;
    await world.clock.advance(5_000);
    site.sent.splice(0);
    await world.clock.advance(20_000);
    const alive = [0, 1, 3, 4, 6, 7];
    for (const address of alive) expect(longestGapMs(site, address)).toBeLessThanOrEqual(120 + 210);
    const dead = site.sent.filter(({ bytes }) => bytes[2] === 2 || bytes[2] === 5);
    expect(dead.length).toBeGreaterThan(10);
    expect(dead.length).toBeLessThan(20);
    expect(ears.map(({ states }) => states.length)).toEqual([1, 1, 2, 1, 1, 2, 1, 1]);
    site.pds[2]!.present("BB-1234-567890");
    site.pds[2]!.faults.silent = false;
    await world.clock.advance(5_000);
    expect(ears[2]!.states).toHaveLength(3);
  });

  it("all go down with the line and come back with it, their cards too", async () => {
    const { world, site, ears } = await stage(eight, { baudRate: 38_400 });
    site.vanish();
    await world.clock.advance(10);
    for (const { states } of ears) expect(states.slice(1)).toEqual(["down /dev/ttyUSB0 was unplugged"]);
    await world.clock.advance(60_000);
    for (const { why } of ears) expect(why).toMatch(/^\/dev\/ttyUSB0 is not there/);
    site.comeBack();
    await world.clock.advance(5_000);
    for (const pd of site.pds) pd.present(`BB-1234-56789${pd.address}`);
    await world.clock.advance(500);
    expect(ears.map(({ states }) => states.length)).toEqual(eight.map(() => 3));
    expect(ears.map(({ readings }) => readings)).toEqual(
      eight.map(({ address }) => [`BB-1234-56789${address}`]),
    );
  });

  it("are pulled out and put back 200 times, under cards, and nothing is left over", async () => {
    const { world, site, ears, readers } = await stage(
      [
        { address: 1, key: KEY },
        { address: 2, key: null },
      ],
      { addresses: [1] },
    );
    for (let times = 0; times < 200; times += 1) {
      if (times % 2 === 0) site.pds[0]!.present("BB-1234-567890");
      await world.clock.advance(20 + (times % 7) * 9);
      site.vanish();
      await world.clock.advance(50);
      site.comeBack();
      await world.clock.advance(4_500);
    }
    expect(ears[0]!.states).toHaveLength(401);
    await readers[0]!.stop();
    await world.clock.runUntilIdle();
  });

  it("hear nothing of noise that nobody asked for", async () => {
    const { world, site, ear, pd } = await stage(one());
    for (let times = 0; times < 200; times += 1) {
      site.disturb(Uint8Array.from({ length: 40 }, (_, at) => (at * 83 + times) & 0xff));
      await world.clock.advance(37);
    }
    expect(ear.states).toEqual([MODEL]);
    pd.present("BB-1234-567890");
    await world.clock.advance(500);
    expect(ear.readings).toEqual(["BB-1234-567890"]);
  });
});
