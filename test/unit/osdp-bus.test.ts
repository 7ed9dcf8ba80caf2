/** One line and the readers on it: silence, noise and a plug that is pulled, and what neighbours notice of it. */
import { describe, expect, it } from "vitest";
import type { OsdpSite } from "../conformance/osdp-site.ts";
import { KEY, line, MODEL, one } from "./osdp-line.ts";

describe("a reader that does not answer", () => {
  it("is down after a second, with a word, and back within 5 s", async () => {
    const { world, ear, pd } = await line(one());
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
    const { ear, world } = await line([], { addresses: [5] });
    expect(ear.states).toEqual([expect.stringMatching(/^down it does not answer/)]);
    expect(world.logged).toEqual(["warn reader reader-5 is down"]);
  });

  it("but with noise says so", async () => {
    const { world, ear, pd } = await line(one());
    pd.faults.corrupt = true;
    await world.clock.advance(3_000);
    expect(ear.states.slice(1)).toEqual([expect.stringMatching(/^down only noise came/)]);
  });

  it("in time is asked again, and its late words are not taken for another's", async () => {
    const { world, ear, ears, site } = await line([
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
    expect(ears[1]!.readings).toContain("BB-1234-567891");
    expect(ears[0]!.readings).toEqual([]);
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
    const { world, site, ears } = await line(eight, { baudRate: 38_400 });
    expect(ears.map(({ states }) => states)).toEqual(eight.map(() => [MODEL]));
    site.sent.splice(0);
    await world.clock.advance(5_000);
    for (const { address } of eight) expect(longestGapMs(site, address)).toBeLessThanOrEqual(120);
  });

  it("lose no more than one reply timeout a round to those that died, and seldom that", async () => {
    const { world, site, ears } = await line(eight, { baudRate: 38_400 });
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
    const { world, site, ears } = await line(eight, { baudRate: 38_400 });
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
    const { world, site, ears, readers } = await line(
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
    const { world, site, ear, pd } = await line(one());
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
