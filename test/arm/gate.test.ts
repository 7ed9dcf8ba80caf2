/** A gate on the emulated processor, between this machine's pseudo-terminal and this machine's broker. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { CARDS, makeFeedDir } from "../e2e/site.ts";
import { setStage } from "../e2e/stage.ts";

let feed: Awaited<ReturnType<typeof makeFeedDir>>;
beforeAll(async () => {
  feed = await makeFeedDir();
});
afterAll(() => feed.dispose());

test("taps come from bytes to messages, in sequence, before and after kill -9, and the journal proves it", async () => {
  const { line, ear, site } = await setStage(feed.dir, (configuration) => {
    configuration.accessPoints[0].relay = { driver: "virtual", pulseMs: 50 };
  });
  const first = await (await site.run()).healthy();
  for (const card of Object.values(CARDS)) await line.send(`${card}\r\n`);
  const taps = await ear.hearTaps("eight taps", ({ length }) => length === 8);
  expect(taps.map(({ data }) => [data.card, data.reason, data.granted])).toEqual(
    Object.entries(CARDS).map(([reason, card]) => [card, reason, reason === "granted"]),
  );
  await ear.hear("passage", ({ data }) => data.event === "opened" && data.tap === taps[0]?.id);
  expect(JSON.parse((await site.command("journal", "verify", "--json")).stdout)).toMatchObject({ ok: true });

  expect(await first.end("SIGKILL")).toEqual({ code: null, signal: "SIGKILL" });
  const second = await (await site.run()).healthy();
  await line.send(`${CARDS.granted}\r\n`);
  await ear.hearTaps("a tap after the crash", ({ length }) => length === 9);
  expect(await second.end("SIGTERM")).toEqual({ code: 0, signal: null });

  const proven = JSON.parse((await site.command("journal", "verify", "--json")).stdout);
  expect(proven).toMatchObject({ ok: true, faults: [], ignoredBytes: 0 });
  const journal = await site.journal();
  expect((await ear.hearUpTo(journal.length)).map(({ data }) => [data.seq, data.chain])).toEqual(
    journal.map(({ chain }, index) => [index + 1, chain]),
  );
  expect(ear.faults()).toEqual([]);
});
