import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { afterSilence } from "../../drivers/silence.ts";
import { createSystemClock } from "../../drivers/system.ts";
import { SimClock } from "../sim/clock.ts";

/** So long that even a busy machine begins the stall below before the last look is due. */
const SILENCE_MS = 500;

test("what came in while our own loop stalled is read before silence is believed", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const near = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [[far]] = await Promise.all([once(server, "connection"), once(near, "connect")]);
  onTestFinished(() => {
    near.destroy();
    far.destroy();
    server.close();
  });
  const heard: string[] = [];
  await new Promise<void>((done) => {
    const silence = afterSilence(createSystemClock(), SILENCE_MS, () => {
      heard.push("silence");
      done();
    });
    far.once("data", () => {
      heard.push("bytes");
      silence.cancel();
      done();
    });
    // Not in the turn's timers: from here the clock's own come before what is read.
    const stall = () => {
      near.write("x");
      const endMs = performance.now() + SILENCE_MS;
      while (performance.now() < endMs);
    };
    setTimeout(() => setImmediate(stall), 0.6 * SILENCE_MS);
  });
  expect(heard).toEqual(["bytes"]);
});

test.each([SILENCE_MS, 10])(
  "silence of %d ms is told of once, and not after it was cancelled",
  async (silenceMs) => {
    const clock = new SimClock();
    let told = 0;
    afterSilence(clock, silenceMs, () => {
      told += 1;
    });
    const cancelled = afterSilence(clock, silenceMs, () => {
      told += 1;
    });
    await clock.advance(silenceMs / 2);
    cancelled.cancel();
    await clock.advance(2 * SILENCE_MS);
    expect(told).toBe(1);
  },
);
