/**
 * Merging the layers that deltas leave into one index, in the background: no answer changes, and deltas go on being
 * taken meanwhile, in a layer above those that are being merged.
 */
import type { Clock, Log } from "../drivers/ports.ts";
import type { BuildIndex } from "./build.ts";
import { type Cut, placeOfCut } from "./index-cuts.ts";
import type { IndexImage } from "./index-file.ts";
import type { Shelf } from "./shelf.ts";

/** Half a megabyte is written at each delta until then; a merge at ten million cards writes 120. */
const LAYER_CARDS_MAX = 32_768;
/** A disk that is full is still full a minute later, and merging is only tidiness. */
const RETRY_MS = 15 * 60_000;

export interface Merger {
  /** Begins, unless one is under way or there is too little to merge. */
  mergeWhenDue(): void;
  /** Ends the one under way without a result; resolves when nothing of it is left. */
  abandon(): Promise<void>;
  /** None begins from now on. */
  stop(): void;
}

/** `merged` is told the layers there are now, once they are in force. */
export function createMerger(
  { cuts = [], layerCardsMax = LAYER_CARDS_MAX }: { cuts?: readonly Cut[]; layerCardsMax?: number },
  { clock, build, log }: { clock: Clock; build: BuildIndex; log: Log },
  shelf: Shelf,
  merged: (layers: readonly IndexImage[]) => void,
): Merger {
  let aborting = new AbortController();
  let running: Promise<void> | null = null;
  let notBeforeMs = Number.NEGATIVE_INFINITY;
  let stopped = false;

  function isDue(): boolean {
    const [lowest, ...newer] = shelf.layers;
    if (lowest === undefined) return false;
    const cards = newer.reduce((sum, { parts }) => sum + parts.numbers.cells.length, 0);
    if (!shelf.isSealed) return true;
    return cards > layerCardsMax || cuts.some((cut) => lowest.parts.cuts[placeOfCut(cut)] === null);
  }

  async function merge(): Promise<void> {
    const { signal } = aborting;
    const layers = shelf.freeze();
    try {
      const image = await build.merge({ layers, cuts, seal: shelf.seal, signal });
      signal.throwIfAborted();
      if (await shelf.settle(image, layers)) merged(shelf.layers);
      await shelf.tidy();
    } catch (error) {
      if (signal.aborted) return;
      notBeforeMs = clock.monotonicMs() + RETRY_MS;
      log.warn("the changes of the card list could not be merged into its index; it is tried again later", {
        why: (error as Error).message,
      });
    }
  }

  return {
    mergeWhenDue() {
      if (running !== null || stopped || clock.monotonicMs() < notBeforeMs || !isDue()) return;
      aborting = new AbortController();
      running = merge().finally(() => {
        running = null;
      });
    },
    async abandon() {
      if (running === null) return;
      aborting.abort();
      await running;
    },
    stop() {
      stopped = true;
      aborting.abort();
    },
  };
}
