/**
 * The central side: a list is published from rows. It works under the feed's lock, and leaves the state before it or
 * the one after it. What a person can do something about rejects as `CentreFault`.
 */
import { type Change, Comparison, guardChange } from "./publish-change.ts";
import type { CardRow, CsvFault, CsvRow } from "./publish-csv.ts";
import { Ended, readEnded, writeEnded } from "./publish-ended.ts";
import { openSigningKeys } from "./publish-keys.ts";
import {
  CentreFault,
  type CentreWorld,
  locked,
  openRepository,
  type Place,
  type Say,
  writeUpdate,
} from "./publish-repository.ts";
import { PROGRESS_ROWS, type Progress, writeWhole } from "./publish-revision.ts";
import { forgetSets, readSets } from "./publish-sets.ts";
import { readOverlay, readState } from "./publish-state.ts";
import { CardTable } from "./publish-table.ts";

/** Enough to see what is wrong with a CSV; reading ends there. */
const FAULTS_MAX = 100;

/**
 * `published`: written. `unchanged`: the list says what the feed says; only expiry was renewed. `refused`: `why` says
 * what is not believed. `dry-run`: it would be published. `from`: the revision before, null for the first.
 */
export interface PublishOutcome {
  kind: "published" | "unchanged" | "refused" | "dry-run";
  from: number | null;
  to: number;
  change: Change;
  why: string[];
}

/** Cards as rows, for lists that were never a CSV. */
export async function* cardRows(cards: AsyncIterable<CardRow> | Iterable<CardRow>): AsyncGenerator<CsvRow[]> {
  let row = 2;
  for await (const card of cards) yield [{ kind: "card", row: row++, card }];
}

/** Publishes the whole list that `rows` are, and the delta to it. One faulty row publishes nothing: all are named. */
export function publishCards(
  place: Place,
  rows: AsyncIterable<CsvRow[]>,
  { allowChange, dryRun }: { allowChange: number; dryRun: boolean },
  world: CentreWorld,
  say: Say,
  progress: Progress = () => {},
): Promise<PublishOutcome> {
  return locked(place, world, async () => {
    const repository = await openRepository(place, world);
    const table = await fillTable(rows);
    const ended = await readEnded(place, world);
    const sets = await readSets(place, world, say);
    const comparison = new Comparison(table, { ended, sets }, FAULTS_MAX);
    const from = repository.newest;
    const overlay = await readOverlay(from?.deltas ?? [], place, world);
    if (from !== null) {
      await readState(from.whole, overlay, place, world, (row) => {
        const done = comparison.change.cardsBefore;
        if (done % PROGRESS_ROWS === 0) progress("comparing", done, from.cards);
        return comparison.take(row);
      });
    }
    comparison.finish();
    refuseFaults(comparison.faults);

    const { change, changed } = comparison;
    const why = guardChange(change, allowChange);
    const isSame = from !== null && change.added + change.vanished + change.changed === 0;
    const outcome = (kind: PublishOutcome["kind"]): PublishOutcome => {
      const to = (from?.revision ?? 0) + (kind === "unchanged" ? 0 : 1);
      return { kind, from: from?.revision ?? null, to, change, why };
    };
    if (why.length > 0) return outcome("refused");
    if (dryRun) return outcome(isSame ? "unchanged" : "dry-run");
    const keys = await openSigningKeys(place, repository, world);
    if (isSame) {
      await writeUpdate(place, repository, keys, { lists: null, renew: true }, world);
      await forgetSets(place, world);
      return outcome("unchanged");
    }
    const gone = Ended.of(comparison.endedGone);
    if (gone.size > 0) await writeEnded(place, ended.with(gone), world);
    await writeWhole({ place, repository, keys, world, say, progress }, table, changed, overlay);
    await forgetSets(place, world);
    return outcome("published");
  });
}

/** The rows as a table in the order of numbers; rejects with every fault, up to a bound. */
async function fillTable(rows: AsyncIterable<CsvRow[]>): Promise<CardTable> {
  const table = new CardTable();
  const faults: CsvFault[] = [];
  for await (const batch of rows) {
    for (const row of batch) {
      if (row.kind === "card") table.add(row.card);
      else {
        table.skip(row.row);
        faults.push(row);
      }
    }
    if (faults.length >= FAULTS_MAX) break;
  }
  table.arrange();
  refuseFaults([...faults, ...table.faults(FAULTS_MAX)]);
  return table;
}

function refuseFaults(faults: CsvFault[]): void {
  if (faults.length === 0) return;
  const shown = faults.sort((a, b) => a.row - b.row).slice(0, FAULTS_MAX);
  const lines = shown.map(({ row, why }) => `row ${row}: ${why}`);
  if (faults.length >= FAULTS_MAX) lines.push(`there may be more; the first ${FAULTS_MAX} are shown`);
  throw new CentreFault(...lines, "nothing was published");
}
