/** Reading the journal for many pages: one read at a time, and one for all who ask for the same before it begins. */
import { expect, test } from "vitest";
import { oneATurn, oneAtATime, perMinute } from "../../daemon/console/request.ts";
import { SimClock } from "../sim/clock.ts";

/** Reads that end when they are told to. */
function makeReads() {
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const read = (what: string) => () => {
    begun.push(what);
    return new Promise<string>((done) => ends.push(() => done(what)));
  };
  /** Ends the one that runs, and lets the next begin. */
  const end = async (): Promise<void> => {
    ends.shift()?.();
    await new Promise((done) => setImmediate(done));
  };
  return { begun, read, end };
}

test("reads run one after the other, in the order they were asked for", async () => {
  const { begun, read, end } = makeReads();
  const inTurn = oneAtATime();
  const asked = ["a", "b", "c"].map((what) => inTurn(read(what)));
  await end();
  expect(begun).toEqual(["a"]);
  await end();
  await end();
  await end();
  expect([begun, await Promise.all(asked)]).toEqual([
    ["a", "b", "c"],
    ["a", "b", "c"],
  ]);
});

test("those who ask for the same share a read, and never one that began before they asked", async () => {
  const { begun, read, end } = makeReads();
  const inTurn = oneAtATime();
  const first = inTurn(read("1"), "newest");
  await end();
  expect(begun).toEqual(["1"]);
  const later = Array.from({ length: 100 }, () => inTurn(read("2"), "newest"));
  const other = inTurn(read("other"), "oldest");
  const nameless = [inTurn(read("3")), inTurn(read("4"))];
  for (let count = 0; count < 6; count += 1) await end();
  expect(begun).toEqual(["1", "2", "other", "3", "4"]);
  expect([await first, await other, await Promise.all(nameless)]).toEqual(["1", "other", ["3", "4"]]);
  expect(new Set(await Promise.all(later))).toEqual(new Set(["2"]));
});

test("those who share a read are answered one in a turn of the loop", async () => {
  const inTurn = oneAtATime();
  let answered = 0;
  for (let count = 0; count < 5; count += 1) void inTurn(async () => "x", "newest").then(() => answered++);
  const seen: number[] = [];
  for (let turn = 0; turn < 5; turn += 1) {
    await new Promise((done) => setImmediate(done));
    seen.push(answered);
  }
  expect(seen.at(-1)).toBe(5);
  for (const [turn, count] of seen.entries()) expect(count - (seen[turn - 1] ?? 0)).toBeLessThanOrEqual(2);
});

test("a read that fails is told to all who share it, and the next one runs", async () => {
  const inTurn = oneAtATime();
  const broken = () => Promise.reject(new Error("EIO"));
  const both = [inTurn(broken, "newest"), inTurn(broken, "newest")];
  const outcomes = await Promise.allSettled(both);
  expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(await inTurn(async () => "well", "newest")).toBe("well");
});

test("of what comes together one thing begins in a turn of the loop, the first at once", async () => {
  const inTurn = oneATurn();
  const turn = () => new Promise((done) => setImmediate(done));
  const begun: string[] = [];
  for (const what of ["a", "b", "c"]) inTurn(() => begun.push(what));
  const seen: string[] = [];
  for (let count = 0; count < 4; count += 1) {
    seen.push(begun.join(""));
    await turn();
  }
  expect(seen).toEqual(["a", "ab", "abc", "abc"]);
  inTurn(() => begun.push("d"));
  expect(begun.join("")).toBe("abcd");
});

test("so many a minute, and then again", async () => {
  const clock = new SimClock();
  const admit = perMinute(2, () => clock.monotonicMs());
  expect([admit(), admit(), admit(), admit()]).toEqual([true, true, false, false]);
  await clock.advance(59_999);
  expect(admit()).toBe(false);
  await clock.advance(1);
  expect(admit()).toBe(true);
});
