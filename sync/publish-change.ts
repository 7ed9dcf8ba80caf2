/**
 * What a new list changes against the one before it, and whether that is believable: both are walked once, in the
 * order of numbers.
 */
import { isFinal, STATUSES, unpackNumber } from "./card.ts";
import type { CsvFault } from "./publish-csv.ts";
import { type Ended, endedEntry } from "./publish-ended.ts";
import { type SetCard, type SetStatus, type Sets, statusOf } from "./publish-sets.ts";
import type { CardTable } from "./publish-table.ts";
import { REMOVED, type Row } from "./rows.ts";

/** A card that `feed set` made `set`, and that the new list makes `csv` again. */
export interface Undone {
  number: string;
  set: SetStatus;
  csv: SetStatus;
}

/**
 * Cards counted by what becomes of them. `ended`: newly terminated or superseded. `undone`: the list takes back what `feed
 * set` made of them; the first of them by name. `statuses`: cards with each, before and after.
 */
export interface Change {
  cardsBefore: number;
  cards: number;
  added: number;
  vanished: number;
  changed: number;
  ended: number;
  undone: number;
  undoneCards: Undone[];
  statuses: Record<string, { before: number; after: number }>;
}

/** More of a list than this may not vanish, or turn terminated or superseded, unless the operator says how many. */
const VANISHED_SHARE_MAX = 0.02;
const ENDED_SHARE_MAX = 0.005;

/** A delta that says more than this share of the list anew saves nobody anything. */
const DELTA_SHARE_MAX = 0.25;

/** As many as a person would go through; the number of all is told. */
const UNDONE_CARDS_MAX = 1_000;

/** Walks the list before (`take` its rows, ascending) beside the new one, then `finish`. */
export class Comparison {
  readonly change: Change;
  /** Packed numbers of the cards that a delta must say, ascending; null once a delta no longer pays. */
  changed: number[] | null = [];
  /** Cards that come back from an end. */
  readonly faults: CsvFault[] = [];
  /** Ended cards that leave the list with this change. */
  readonly endedGone: number[] = [];
  readonly #table: CardTable;
  readonly #ended: Ended;
  readonly #sets: Sets;
  readonly #faultsMax: number;
  readonly #before = new Array<number>(STATUSES.length).fill(0);
  readonly #after = new Array<number>(STATUSES.length).fill(0);
  #place = 0;
  #last = -1;

  constructor(table: CardTable, { ended, sets }: { ended: Ended; sets: Sets }, faultsMax: number) {
    this.#table = table;
    this.#ended = ended;
    this.#sets = sets;
    this.#faultsMax = faultsMax;
    this.change = {
      cardsBefore: 0,
      cards: table.cards,
      added: 0,
      vanished: 0,
      changed: 0,
      ended: 0,
      undone: 0,
      undoneCards: [],
      statuses: {},
    };
  }

  /** A row of the list before, or what is wrong with it. */
  take(row: Row): string | null {
    const { change } = this;
    const table = this.#table;
    if (row.packed <= this.#last) return "not in the order of numbers";
    this.#last = row.packed;
    change.cardsBefore += 1;
    this.#before[row.status]! += 1;
    while (this.#place < table.cards && table.packedAt(this.#place) < row.packed) this.#add();
    if (this.#place < table.cards && table.packedAt(this.#place) === row.packed) this.#keep(row);
    else this.#vanish(row);
    return null;
  }

  finish(): void {
    while (this.#place < this.#table.cards) this.#add();
    STATUSES.forEach((status, code) => {
      this.change.statuses[status] = { before: this.#before[code]!, after: this.#after[code]! };
    });
  }

  #keep(row: Row): void {
    const status = this.#table.statusAt(this.#place);
    this.#guardEnd(row.status, status);
    if (isEnd(status) && !isEnd(row.status)) this.change.ended += 1;
    if (!this.#table.isSame(this.#place, row)) {
      this.change.changed += 1;
      this.#say(row.packed);
      this.#undo(row.packed, row, { status, day: this.#table.dayAt(this.#place) });
    }
    this.#pass(status);
  }

  #add(): void {
    const packed = this.#table.packedAt(this.#place);
    const status = this.#table.statusAt(this.#place);
    const end = this.#ended.statusOf(packed);
    if (end !== null) this.#guardEnd(end, status);
    this.change.added += 1;
    this.#say(packed);
    this.#undo(packed, { status: REMOVED, day: -1 }, { status, day: -1 });
    this.#pass(status);
  }

  #vanish(row: Row): void {
    this.change.vanished += 1;
    this.#say(row.packed);
    if (isEnd(row.status)) this.endedGone.push(endedEntry(row));
  }

  /** Counts a card that was still as `feed set` left it (`before`), and gets another status or day, short of an end. */
  #undo(packed: number, before: SetCard, after: SetCard): void {
    const set = this.#sets.get(packed);
    if (set === undefined || set.status !== before.status || set.day !== before.day) return;
    if (isEnd(after.status) || (after.status === before.status && after.day === before.day)) return;
    this.change.undone += 1;
    if (this.change.undoneCards.length === UNDONE_CARDS_MAX) return;
    const number = unpackNumber(packed);
    this.change.undoneCards.push({ number, set: statusOf(set.status), csv: statusOf(after.status) });
  }

  #pass(status: number): void {
    this.#after[status]! += 1;
    this.#place += 1;
  }

  #say(packed: number): void {
    this.changed?.push(packed);
    if ((this.changed?.length ?? 0) > DELTA_SHARE_MAX * this.#table.cards) this.changed = null;
  }

  #guardEnd(before: number, after: number): void {
    if (!isEnd(before) || before === after || this.faults.length >= this.#faultsMax) return;
    const number = unpackNumber(this.#table.packedAt(this.#place));
    this.faults.push({
      row: this.#table.row(this.#place),
      why: `${number} is ${STATUSES[before]} and can never be ${STATUSES[after]} again; a new card has a new number`,
    });
  }
}

function isEnd(code: number): boolean {
  return isFinal(STATUSES[code]!);
}

/** Why a change is not believed, or nothing. `allowed`: how many cards the operator says may vanish or end. */
export function guardChange({ cardsBefore, vanished, ended }: Change, allowed: number): string[] {
  const faults: string[] = [];
  const share = (count: number) =>
    `${count} of ${cardsBefore} cards (${((100 * count) / cardsBefore).toFixed(1)} %)`;
  if (vanished > Math.max(VANISHED_SHARE_MAX * cardsBefore, allowed)) {
    faults.push(
      `${share(vanished)} would vanish, more than 2 %: is the CSV whole? If so, say --allow-change ${vanished}`,
    );
  }
  if (ended > Math.max(ENDED_SHARE_MAX * cardsBefore, allowed)) {
    faults.push(
      `${share(ended)} would turn terminated or superseded, for ever, more than 0.5 %: if so, say --allow-change ${ended}`,
    );
  }
  return faults;
}
