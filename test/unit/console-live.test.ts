import { expect, test } from "vitest";
import { createLive } from "../../daemon/console/live.ts";
import { CARD, MASKED, tapView, wellStatus } from "../e2e/console-house.ts";
import { SimClock } from "../sim/clock.ts";

test("a page that takes nothing is hung up on, one that takes is not", async () => {
  const clock = new SimClock();
  const live = createLive(clock, wellStatus);
  let stuckHangUps = 0;
  let takingHangUps = 0;
  const stuck = live.open(
    () => true,
    () => {
      stuckHangUps += 1;
      stuck?.closed();
    },
  );
  const taking = live.open(
    () => true,
    () => {
      takingHangUps += 1;
    },
  );
  const reader = taking!.body.getReader();
  for (let round = 0; round < 20; round += 1) {
    for (let count = 0; count < 256; count += 1) live.tapped(tapView());
    await clock.advance(50);
    await reader.read();
  }
  expect([stuckHangUps, takingHangUps]).toEqual([1, 0]);
  taking!.closed();
  await clock.runUntilIdle();
});

test("each page sees card numbers as its visitor may", async () => {
  const clock = new SimClock();
  const live = createLive(clock, wellStatus);
  const read = async (signedIn: boolean): Promise<string> => {
    const reader = live
      .open(
        () => signedIn,
        () => {},
      )!
      .body.getReader();
    let text = Buffer.from((await reader.read()).value!).toString();
    live.tapped(tapView());
    await clock.advance(50);
    text += Buffer.from((await reader.read()).value!).toString();
    await reader.cancel();
    return text;
  };
  expect((await read(true)).split(CARD)).toHaveLength(3);
  const masked = await read(false);
  expect(masked.split(MASKED)).toHaveLength(3);
  expect(masked).not.toContain(CARD);
  await clock.runUntilIdle();
});

test("without a page nothing is kept and no time is taken", async () => {
  const clock = new SimClock();
  const live = createLive(clock, wellStatus);
  live.tapped(tapView());
  const page = live.open(
    () => true,
    () => {},
  )!;
  const reader = page.body.getReader();
  expect(Buffer.from((await reader.read()).value!).toString()).not.toContain("event: tap");
  page.closed();
  page.closed();
  await clock.runUntilIdle();
});
