import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { BuildIndex } from "../../sync/build.ts";
import { Index } from "../../sync/index.ts";
import { card, deltaOf, gzipOf, imagesOf, indexOf, type ListCard, SEAL, textOf } from "./sync-lists.ts";
import { WRONG_HASH } from "./sync-site.ts";

// A worker thread cannot load TypeScript on Node 20: this is what `npm run build` made.
const built = new URL("../../dist/sync/build.js", import.meta.url).href;
const { buildInWorker } = (await import(built)) as { buildInWorker: BuildIndex };
const { signal } = new AbortController();

const CARDS = Array.from({ length: 3_000 }, (_, i) =>
  card(`BB-2401-${String(i * 7).padStart(6, "0")}`, "active", `04${String(i).padStart(12, "0")}`),
);

/** In many small pieces, more than are on the way at once. */
async function* inPieces(bytes: Uint8Array, error?: Error): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 100) yield bytes.subarray(at, at + 100);
  if (error !== undefined) throw error;
}

function whole(cards: readonly ListCard[], gzip: AsyncIterable<Uint8Array>, previous: Index | null = null) {
  return {
    lower: imagesOf(previous),
    top: null,
    cuts: [{ part: "last" as const, sizeBytes: 3 as const }],
    corrections: [],
    seal: SEAL,
    lists: [{ revision: 2, base: null, publishedAtMs: 5, cards: cards.length, gzip }],
    signal,
  };
}

describe("building in a worker", () => {
  it("gives the index that building in place gives, by the one-way rule too", async () => {
    const previous = indexOf([card("BB-2401-000000", "terminated"), card("LL-0000-000000", "superseded")]);
    const outcome = await buildInWorker.build(whole(CARDS, inPieces(gzipOf(CARDS)), previous));
    if (outcome.kind === "refused") throw new Error(outcome.why);
    expect(outcome.ignoredRows).toBe(1);
    const index = new Index(outcome.whole!);
    expect(index.facts).toEqual({ revision: 2, publishedAtMs: 5, cards: 3_000 });
    for (const { number, uids } of CARDS) {
      const status = number === "BB-2401-000000" ? "terminated" : "active";
      expect(index.byNumber(number)).toMatchObject({ card: { number, status } });
      expect(index.byToken(uids[0]!, "whole")).toMatchObject({ card: { number, status } });
      expect(index.byToken(uids[0]!.slice(-6), "last")).toMatchObject({ card: { number, status } });
    }
  });

  it("takes a piece that is longer than a slot of the belt", async () => {
    const gzip = gzipSync(textOf(CARDS), { level: 0 });
    expect(gzip.length).toBeGreaterThan(64 * 1024);
    async function* atOnce(): AsyncIterable<Uint8Array> {
      yield gzip;
    }
    const outcome = await buildInWorker.build(whole(CARDS, atOnce()));
    if (outcome.kind === "refused") throw new Error(outcome.why);
    const index = new Index(outcome.whole!);
    for (const { number } of CARDS) expect(index.byNumber(number)).toMatchObject({ card: { number } });
  });

  it("takes a way of several lists, and merges what comes of it", async () => {
    const changed = CARDS.map((one, i) => (i % 10 === 0 ? { ...one, status: "blocked" as const } : one));
    const few = changed.slice(0, 2_000);
    const request = whole(CARDS, inPieces(gzipOf(CARDS)));
    const deltas = [
      { base: 2, revision: 3, rows: deltaOf(CARDS, changed), cards: changed.length },
      { base: 2, revision: 4, rows: deltaOf(CARDS, few), cards: few.length },
    ].map(({ rows, ...order }) => ({ ...order, publishedAtMs: 6, gzip: inPieces(gzipOf(rows)) }));
    const outcome = await buildInWorker.build({ ...request, lists: [...request.lists, ...deltas] });
    if (outcome.kind === "refused") throw new Error(outcome.why);
    const layers = [outcome.whole!, outcome.top!];
    const merged = await buildInWorker.merge({ layers, cuts: request.cuts, seal: SEAL, signal });
    for (const index of [new Index(...layers), new Index(merged)]) {
      expect(index.facts).toEqual({ revision: 4, publishedAtMs: 6, cards: few.length });
      for (const [i, { number, status, uids }] of changed.entries()) {
        const answer = i < few.length ? { kind: "card", card: { number, status } } : { kind: "unknown" };
        expect(index.byNumber(number)).toMatchObject(answer);
        expect(index.byToken(uids[0]!, "whole")).toMatchObject(answer);
        expect(index.byToken(uids[0]!.slice(-6), "last")).toMatchObject(answer);
      }
    }
  });

  it("says which list of a way is refused", async () => {
    const request = whole(CARDS, inPieces(gzipOf(CARDS)));
    const gzip = inPieces(gzipOf([card("BB-2401-999999")]));
    const delta = { base: 2, revision: 3, publishedAtMs: 6, cards: 17, gzip };
    expect(await buildInWorker.build({ ...request, lists: [...request.lists, delta] })).toMatchObject({
      kind: "refused",
      list: 1,
      name: "wrong-count",
      why: "it leaves 3001 cards, its signed description says 17",
    });
  });

  it("refuses what building in place refuses", async () => {
    const bad = [...CARDS, card("BB-12")];
    expect(await buildInWorker.build(whole(bad, inPieces(gzipOf(bad))))).toMatchObject({
      kind: "refused",
      name: "bad-row",
      why: expect.stringMatching(/^row 3002: the number/),
    });
    const early = [card("BB-12"), ...CARDS];
    expect(await buildInWorker.build(whole(early, inPieces(gzipOf(early))))).toMatchObject({
      name: "bad-row",
    });
    const torn = gzipOf(CARDS).slice(0, -20);
    expect(await buildInWorker.build(whole(CARDS, inPieces(torn)))).toMatchObject({ name: "bad-gzip" });
    const noise = new Uint8Array(100_000);
    expect(await buildInWorker.build(whole(CARDS, inPieces(noise)))).toMatchObject({ name: "bad-gzip" });
  });

  it("rejects with what the download rejects with, also when the text was bad before", async () => {
    await expect(buildInWorker.build(whole(CARDS, inPieces(gzipOf(CARDS), WRONG_HASH)))).rejects.toBe(
      WRONG_HASH,
    );
    const noise = new Uint8Array(100_000);
    await expect(buildInWorker.build(whole(CARDS, inPieces(noise, WRONG_HASH)))).rejects.toBe(WRONG_HASH);
  });

  it("ends when nobody waits any more", async () => {
    const aborting = new AbortController();
    async function* unfinished(): AsyncIterable<Uint8Array> {
      const piece = gzipOf(CARDS).subarray(0, 200);
      yield piece;
      aborting.abort();
      yield piece;
    }
    const request = { ...whole(CARDS, unfinished()), signal: aborting.signal };
    await expect(buildInWorker.build(request)).rejects.toThrow();
    await expect(buildInWorker.merge({ ...request, layers: imagesOf(indexOf(CARDS)) })).rejects.toThrow();
  });
});
