/** One card's status set at the centre: in seconds also on a list of ten million, because only what changes is written. */
import { isFinal, packNumber, STATUSES, type Status } from "./card.ts";
import type { FeedTarget } from "./feed-metadata.ts";
import { Ended, endedEntry, readEnded, writeEnded } from "./publish-ended.ts";
import { openSigningKeys } from "./publish-keys.ts";
import { copyRow } from "./publish-lines.ts";
import { type Member, requireList } from "./publish-list.ts";
import { findRow, readMembers } from "./publish-members.ts";
import {
  CentreFault,
  type CentreWorld,
  locked,
  type Newest,
  openRepository,
  type Place,
  type Repository,
  type Say,
} from "./publish-repository.ts";
import { type Work, writeStep, writeWhole } from "./publish-revision.ts";
import { keepSet, readSets } from "./publish-sets.ts";
import { type Overlay, readOverlay, readState } from "./publish-state.ts";
import { CardTable } from "./publish-table.ts";
import { REMOVED, type Row } from "./rows.ts";

/**
 * `wholeBytesMin`: a list shorter than this is written whole, one small file being less to fetch than two. `deltaBytesMax`
 * and `deltaShareMax`: past so many bytes, or so large a share of the whole list, the delta after it has grown too long.
 */
const LIMITS = {
  wholeBytesMin: 64 * 1024,
  deltaBytesMax: 1024 * 1024,
  deltaShareMax: 0.25,
};

/** What becomes of a card. `validUntilDay` undefined: as it was. */
export interface CardChange {
  status: Status | "removed";
  validUntilDay?: number | null;
}

export interface SetOutcome {
  from: number;
  /** The same as `from` when nothing changed. */
  to: number;
  before: { status: Status; validUntilDay: number | null };
}

/** Sets one card of the list; `number` is canonical. */
export function setCard(
  place: Place,
  number: string,
  change: CardChange,
  world: CentreWorld,
  say: Say,
  limits: typeof LIMITS = LIMITS,
): Promise<SetOutcome> {
  return locked(place, world, async () => {
    const state = await openState(place, number, world);
    const { newest, repository, row } = state;
    if (row === null) throw new CentreFault(`${number} is not on the list; new cards come with feed publish`);
    const before = STATUSES[row.status]!;
    const next = changed(row, change);
    if (isFinal(before) && next.status !== row.status && next.status !== REMOVED) {
      throw new CentreFault(
        `${number} is ${before} and can never be ${change.status} again; a new card has a new number`,
      );
    }
    const isSame = next.status === row.status && next.day === row.day;
    const outcome: SetOutcome = {
      from: newest.revision,
      to: newest.revision + (isSame ? 0 : 1),
      before: { status: before, validUntilDay: row.day < 0 ? null : row.day },
    };
    if (isSame) return outcome;
    const keys = await openSigningKeys(place, repository, world);
    if (next.status === REMOVED && isFinal(before)) {
      const ended = await readEnded(place, world);
      await writeEnded(place, ended.with(Ended.of([endedEntry(row)])), world);
    }
    await keepSet(place, await readSets(place, world, say), next, world);
    await writeState({ place, repository, keys, world, say, progress: () => {} }, state, next, limits);
    return outcome;
  });
}

/** The feed as it is, and what it says of one card: `row` null when it is not on the list. */
export interface State {
  repository: Repository;
  newest: Newest;
  overlay: Overlay;
  members: Member[] | null;
  row: Row | null;
}

/** Rejects with `CentreFault` before the first list. */
export async function openState(place: Place, number: string, world: CentreWorld): Promise<State> {
  const repository = await openRepository(place, world);
  const { newest } = repository;
  if (newest === null)
    throw new CentreFault(`there is no list yet: publish one with feed publish ${place.dir}`);
  const overlay = await readOverlay(newest.deltas, place, world);
  const packed = packNumber(number);
  const members = await readMembers(place, newest.whole, world);
  const row = overlay.get(packed) ?? (await findCard(place, newest.whole, members, packed, world));
  return { repository, newest, overlay, members, row: row?.status === REMOVED ? null : row };
}

/** The row that says this change of a card. */
export function changed(row: Row, { status, validUntilDay }: CardChange): Row {
  if (status === "removed") return { ...row, status: REMOVED, day: -1, tokenCount: 0 };
  const day = validUntilDay === undefined ? row.day : (validUntilDay ?? -1);
  return { ...row, status: STATUSES.indexOf(status), day };
}

/** Writes the next revision, in which one card says something else; `next` null: in which all is as it was. */
export async function writeState(
  work: Work,
  { newest, overlay, members }: State,
  next: Row | null,
  limits: typeof LIMITS = LIMITS,
): Promise<void> {
  const rows = next === null ? [] : [next];
  if (members !== null && isWorthwhile(newest, limits)) {
    const cards = newest.cards - (next?.status === REMOVED ? 1 : 0);
    return writeStep(work, newest, rows, cards, overlay);
  }
  const numbers = rows.map((row) => row.packed);
  const together = new Map([...overlay, ...rows.map((row) => [row.packed, row] as const)]);
  const table = await fillTable(work.place, newest, together, work.world);
  await writeWhole(work, table, numbers, overlay);
}

/** Whether what changes is better said by deltas after the whole list than by a new whole list. */
function isWorthwhile({ whole, deltas }: Newest, limits: typeof LIMITS): boolean {
  const deltaBytes = deltas.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
  const { wholeBytesMin, deltaBytesMax, deltaShareMax } = limits;
  return (
    whole.lengthBytes >= wholeBytesMin &&
    deltaBytes <= Math.min(deltaBytesMax, deltaShareMax * whole.lengthBytes)
  );
}

/** The row of a card in a whole list, null when it is not there: at once where its members are known. */
async function findCard(
  place: Place,
  whole: FeedTarget,
  members: Member[] | null,
  packed: number,
  world: CentreWorld,
): Promise<Row | null> {
  if (members !== null) return findRow(place, whole, members, packed, world);
  let found: Row | null = null;
  await requireList(whole, place, world, (row) => {
    if (row.packed === packed) found = copyRow(row);
    return null;
  });
  return found;
}

async function fillTable(
  place: Place,
  { whole }: Newest,
  overlay: Overlay,
  world: CentreWorld,
): Promise<CardTable> {
  const table = new CardTable();
  await readState(whole, overlay, place, world, (row) => {
    table.addRow(row);
    return null;
  });
  table.arrange();
  return table;
}
