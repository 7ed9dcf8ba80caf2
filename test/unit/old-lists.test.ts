import { setImmediate as turn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import type { IndexImage } from "../../sync/index-file.ts";
import { OldLists } from "../../sync/old-lists.ts";
import { sharedPages } from "../../sync/pages.ts";
import { SimClock } from "../sim/clock.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

const MB = 1024 * 1024;
const LONG_MS = 10 * 60_000;

function image(sizeBytes: number): IndexImage {
  return { bytes: sharedPages(sizeBytes) } as IndexImage;
}

function site(collectSoon: () => void = () => undefined) {
  const clock = new SimClock();
  const seen = { looks: 0 };
  const lists = new OldLists(clock, () => {
    seen.looks += 1;
    collectSoon();
  });
  return { clock, lists, seen };
}

describe("lists that nobody holds any more", () => {
  it("are looked for once, and are gone", async () => {
    const { clock, lists, seen } = site(collect);
    lists.replaced([image(8 * MB)], [image(8 * MB)]);
    expect(seen.looks).toBe(0);
    await turn();
    await clock.advance(LONG_MS);
    expect(seen.looks).toBe(1);
  });

  it("are looked for some times where somebody holds them, and no more", async () => {
    const { clock, lists, seen } = site();
    const held = image(8 * MB);
    lists.replaced([held], []);
    await clock.advance(LONG_MS);
    expect(seen.looks).toBe(4);
    expect(held.bytes.length).toBe(8 * MB);
  });

  it("are not looked for when they are short, or still in force", async () => {
    const { clock, lists, seen } = site();
    const lower = image(8 * MB);
    const top = image(MB);
    lists.replaced([lower, top], [lower]);
    await clock.advance(LONG_MS);
    expect(seen.looks).toBe(0);
    // Short ones come together.
    const more = [image(MB), image(MB), image(MB)];
    lists.replaced([lower, ...more], [lower]);
    await clock.advance(LONG_MS);
    expect(seen.looks).toBeGreaterThan(0);
    expect([lower, top, ...more].every(({ bytes }) => bytes.length > 0)).toBe(true);
  });

  it("are not looked for after the end", async () => {
    const { clock, lists, seen } = site();
    const held = image(8 * MB);
    lists.replaced([held], []);
    lists.stop();
    await clock.advance(LONG_MS);
    expect(seen.looks).toBe(0);
    expect(held.bytes.length).toBe(8 * MB);
  });
});
