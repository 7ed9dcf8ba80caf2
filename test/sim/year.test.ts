import { expect, test } from "vitest";
import { liveOffline, Year } from "./year.ts";

/** The length of `npm run sim -- --hours 8760`, and of `--offline 100`, is not for every day. */
const HOURS = 6;

test("a morning of site life loses nothing, in seed 3", async () => {
  const year = new Year(3);
  await year.start();
  for (let hour = 0; hour < HOURS; hour += 1) await year.hour();
  await year.finish();
  expect(year.figures.taps).toBeGreaterThan(700);
  expect(year.figures.events).toBeGreaterThan(year.figures.taps);
});

test("what comes while there is no network waits, in seed 1", async () => {
  const unsent: number[] = [];
  await liveOffline(1, 1, (_, count) => unsent.push(count));
  expect(unsent[0]).toBeGreaterThan(2_000);
});
