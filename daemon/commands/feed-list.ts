/** `feed publish` and `feed set`: what is on the list. The work is done in `sync/publish.ts` and `sync/publish-set.ts`. */
import { createSystemDisk } from "../../drivers/system.ts";
import type { Status } from "../../sync/card.ts";
import { type PublishOutcome, publishCards } from "../../sync/publish.ts";
import type { Change } from "../../sync/publish-change.ts";
import { readCsv, showDay } from "../../sync/publish-csv.ts";
import { setCard } from "../../sync/publish-set.ts";
import { Exit } from "./exit.ts";
import { type Announce, announcer, type NotifyOptions } from "./feed-broker.ts";
import { createWorld, fault, type PlaceOptions, placeOf, warn } from "./feed-words.ts";
import { type Bar, createBar } from "./progress.ts";
import { paint, print, printJson } from "./terms.ts";

/** The CSV is read in pieces of this size. */
const PIECE_BYTES = 256 * 1024;

/** On one line of a terminal. */
const UNDONE_NAMED_MAX = 5;

export interface PublishOptions extends PlaceOptions, NotifyOptions {
  cards: string;
  allowChange: number;
  dryRun?: true;
}

export async function publish(dir: string, options: PublishOptions): Promise<void> {
  const { cards, allowChange, dryRun = false, json } = options;
  const place = await placeOf(dir, options);
  const world = createWorld();
  const announce = await announcer(place, options, world);
  const bar = createBar();
  const rows = readCsv(readInput(cards, bar));
  const settings = { allowChange, dryRun };
  const outcome = await publishCards(place, rows, settings, world, warn, bar.show).finally(bar.clear);
  const isPublished = outcome.kind === "published" || outcome.kind === "unchanged";
  const silence = isPublished ? await tell(announce, outcome.to) : null;
  if (json === true) printJson({ ...outcome, ...announced(announce, silence) });
  else printChange(outcome);
  warnOfUndone(outcome.change);
  if (outcome.kind === "refused") throw fault([...outcome.why, "nothing was published"]);
  if (silence !== null) throw unannounced(outcome.to, silence);
}

function printChange({ kind, from, to, change }: PublishOutcome): void {
  const { cards, added, vanished, changed, statuses } = change;
  const before = from === null ? "no list" : `revision ${from}`;
  const heads = {
    published: `${before} -> revision ${to}`,
    unchanged: `${before}: nothing changed`,
    refused: `refused: ${before} -> revision ${to}`,
    "dry-run": `${before} -> revision ${to}, if it were published`,
  };
  print(
    `${paint(heads[kind], kind === "refused" ? "red" : "green")}, ${cards} cards: ${added} new, ${changed} changed, ${vanished} gone`,
  );
  for (const [status, count] of Object.entries(statuses)) {
    const { before, after } = count;
    if (before === 0 && after === 0) continue;
    const difference = after - before;
    const told = difference === 0 ? "" : ` (${difference > 0 ? "+" : ""}${difference})`;
    print(`  ${status.padEnd(14)} ${String(after).padStart(9)}${told}`);
  }
}

/** In words, where the CSV takes back what was set by hand: mostly a block that nobody meant to lift. */
function warnOfUndone({ undone, undoneCards }: Change): void {
  if (undone === 0) return;
  const named = undoneCards
    .slice(0, UNDONE_NAMED_MAX)
    .map(({ number, set, csv }) => `${number} ${set} -> ${csv}`);
  const cards = undone === 1 ? "1 card" : `${undone} cards`;
  const more = undone > named.length ? "; --json names more" : "";
  warn(`this CSV takes back what feed set made of ${cards}: ${named.join(", ")}${more}`);
  warn("was it written before? Set them again, and in the system that writes the CSV, too");
}

export interface SetOptions extends PlaceOptions, NotifyOptions {
  validUntil?: number | null;
}

export async function set(
  dir: string,
  card: string,
  status: Status | "removed",
  options: SetOptions,
): Promise<void> {
  const { validUntil, json } = options;
  const place = await placeOf(dir, options);
  const world = createWorld();
  const announce = await announcer(place, options, world);
  const change = { status, ...(validUntil !== undefined && { validUntilDay: validUntil }) };
  const { from, to, before } = await setCard(place, card, change, world, warn);
  const silence = await tell(announce, to);
  const day = before.validUntilDay === null ? null : showDay(before.validUntilDay);
  if (json === true) {
    const was = { status: before.status, validUntil: day };
    printJson({ from, to, card, status, before: was, ...announced(announce, silence) });
  } else if (from === to) print(`${card} was ${status} already; revision ${from} stays`);
  else
    print(
      `${paint(`revision ${from} -> revision ${to}`, "green")}: ${card} was ${before.status}, is ${status}`,
    );
  if (silence !== null) throw unannounced(to, silence);
}

// ---------------------------------------------------------------- the announcement

/** Null when it was told, or nobody is to be told; else why it could not be. */
export function tell(announce: Announce | null, revision: number): Promise<string | null> {
  return announce === null ? Promise.resolve(null) : announce(revision);
}

export function announced(announce: Announce | null, silence: string | null): { announced?: boolean } {
  return announce === null ? {} : { announced: silence === null };
}

/** What was published stays published: gateways find it by themselves, a little later. */
export function unannounced(revision: number, why: string): Exit {
  return fault([
    `revision ${revision} is published, but could not be announced: ${why}`,
    "gateways find it at their next refresh; feed refresh --notify announces it again",
  ]);
}

// ---------------------------------------------------------------- the CSV

async function* readInput(path: string, bar: Bar): AsyncGenerator<Uint8Array, void, void> {
  const file = await createSystemDisk()
    .open(path, "read")
    .catch((error: NodeJS.ErrnoException) => {
      throw new Exit(2, error.code === "ENOENT" ? `${path} is not there` : error.message);
    });
  try {
    const sizeBytes = await file.sizeBytes();
    for (let offset = 0; ; ) {
      const piece = await file.read(offset, PIECE_BYTES);
      if (piece.length === 0) return;
      offset += piece.length;
      yield piece;
      bar.show("reading", offset, sizeBytes);
    }
  } finally {
    await file.close();
  }
}
