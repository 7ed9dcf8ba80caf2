import { setImmediate as turn } from "node:timers/promises";
import { beforeEach, describe, expect, test } from "vitest";
import { Pace } from "../../drivers/channel-pace.ts";

let given: Uint8Array[];
let isPaused: boolean;
let pace: Pace;

beforeEach(() => {
  given = [];
  isPaused = false;
  const source = {
    pause: () => {
      isPaused = true;
    },
    resume: () => {
      isPaused = false;
    },
  };
  pace = new Pace(source, (bytes) => given.push(Uint8Array.from(bytes)));
});

const counting = (length: number, from = 0) => Uint8Array.from({ length }, (_, index) => from + index);
const all = () => Buffer.concat(given);

describe("a paced stream", () => {
  test("hands on at once what a reader sends", () => {
    pace.take(counting(16));
    pace.take(counting(16, 16));
    expect(given.map(({ length }) => length)).toEqual([16, 16]);
    expect(isPaused).toBe(false);
  });

  test("hands on a piece a turn, in order, with its source stopped, and lets that go on afterwards", async () => {
    pace.take(counting(1_300));
    expect(given.map(({ length }) => length)).toEqual([512]);
    expect(isPaused).toBe(true);
    // What the source had in hand already comes after it.
    pace.take(counting(100, 7));
    await turn();
    expect(given).toHaveLength(2);
    while (isPaused) await turn();
    expect(all()).toEqual(Buffer.concat([counting(1_300), counting(100, 7)]));
    expect(given.every(({ length }) => length <= 512)).toBe(true);
  });

  test("of a flood takes no more than a line can bring, and loses none of it", async () => {
    const flood = Uint8Array.from({ length: 65_536 }, (_, index) => index * 31);
    const startMs = performance.now();
    pace.take(flood);
    while (isPaused) await turn();
    // 64 KiB less the 32 KiB that may come at once, at 128 KiB a second; never sooner, on however slow a machine.
    expect(performance.now() - startMs).toBeGreaterThan(200);
    expect(all()).toEqual(Buffer.from(flood));
  });

  test("that ends is told of once all has been handed on, and one that is stopped hands on nothing more", async () => {
    let hasEnded = 0;
    const ended = () => {
      hasEnded += 1;
    };
    pace.take(counting(1_000));
    pace.end(ended);
    expect(hasEnded).toBe(0);
    while (hasEnded === 0) await turn();
    expect(all()).toHaveLength(1_000);
    pace.end(ended);
    expect(hasEnded).toBe(2);
    pace.take(counting(1_000));
    pace.stop();
    for (let turns = 0; turns < 5; turns += 1) await turn();
    expect(all()).toHaveLength(1_512);
  });
});
