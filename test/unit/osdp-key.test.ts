/** How a reader is spoken to under its key, and how it is given one. */
import { describe, expect, it } from "vitest";
import { OsdpFramer } from "../../drivers/codec/osdp.ts";
import { KEY, line, MODEL, one } from "./osdp-line.ts";

const OTHER_KEY = KEY.map((byte) => byte ^ 0x5a);

describe("a reader with a key", () => {
  it("is up, in its secure channel, and its cards come over it", async () => {
    const { world, ear, pd, site } = await line(one());
    expect(ear.states).toEqual([MODEL]);
    expect(pd.isSecure).toBe(true);
    pd.present("BB-1234-567890");
    await world.clock.advance(100);
    expect(ear.readings).toEqual(["BB-1234-567890"]);
    const spoken = Buffer.concat(site.replied).toString("latin1");
    expect(spoken).not.toContain("1234-567890");
  });

  it("is polled every 50 ms or faster", async () => {
    const { world, site } = await line(one());
    site.sent.splice(0);
    await world.clock.advance(2_000);
    const times = site.sent.map(({ atMs }) => atMs);
    expect(times.length).toBeGreaterThanOrEqual(40);
    for (const [index, atMs] of times.slice(1).entries())
      expect(atMs - times[index]!).toBeLessThanOrEqual(50);
  });

  it("counts its commands 0, 1, 2, 3, 1, …, and says the same again where a reply is lost", async () => {
    const { world, site, pd, ear } = await line(one());
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
    const { world, ear, pd, site } = await line(one({ key: OTHER_KEY }));
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
    const { ear } = await line(one({ key: null }));
    expect(ear.states).toEqual(["down it opens no secure channel: it has no secure channel of this kind"]);
    const claiming = await line(one());
    claiming.pd.faults.claimsDefaultKey = true;
    claiming.pd.restart();
    await claiming.world.clock.advance(2_000);
    expect(claiming.ear.states.slice(1)).toEqual([
      "down it wants to use the key that everybody knows (SCBK-D)",
    ]);
    expect(claiming.ear.alarms).toEqual(["it wants to use the key that everybody knows (SCBK-D)"]);
  });

  it("alarms where its replies come in the clear, takes no card from them, and is down where it goes on", async () => {
    const { world, ear, pd } = await line(one());
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
    const { world, ear, pd } = await line(one());
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
    const { world, ear, pd } = await line(one());
    for (let times = 0; times < 4; times += 1) {
      pd.restart();
      await world.clock.advance(400);
    }
    expect(ear.states.slice(0, 2)).toEqual([MODEL, "down it has left the secure channel"]);
  });
});

describe("commissioning", () => {
  it("gives a new reader its key, in a window that was opened for it, and only then", async () => {
    const { world, reader, pd, ear, site } = await line(one({ key: null, installMode: true }));
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
    const { world, reader, ear, site } = await line(one({ key: OTHER_KEY }));
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
    const { reader } = await line(one({ key: null }), { key: null });
    expect(reader.commission(1_000)).toMatch(/no scbk/);
    const secure = await line(one({ key: OTHER_KEY }));
    expect(secure.reader.commission(0)).toMatch(/is none/);
    expect(secure.reader.commission(3_600_000)).toMatch(/is none/);
    await secure.reader.stop();
    expect(secure.reader.commission(1_000)).toMatch(/not been started/);
  });
});
