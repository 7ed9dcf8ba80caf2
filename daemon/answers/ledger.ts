/** A day at the site by card: when it was first let in, and last let out, or is said to have come and gone. Pure. */
import type { CloudEvent } from "../journal/record.ts";

export interface LedgerRow {
  card: string;
  /** RFC 3339; null where there was none that day. */
  firstEntry: string | null;
  lastExit: string | null;
  entries: number;
  exits: number;
  /** Of these, said by hand. */
  manual: number;
}

/** When it happened: an event by hand tells of a time before it was written. */
export function occurredAt({ time, data }: CloudEvent): string {
  return data.manual === true && typeof data.when === "string" ? data.when : time;
}

export class Ledger {
  readonly #rows = new Map<string, LedgerRow>();
  /** Taps that were refused, and that led to no card. */
  refused = 0;
  /** Granted taps of chips whose card is not known by number. */
  unnamed = 0;

  /** In the order of the journal; the times themselves decide what is first and last. */
  add(event: CloudEvent): void {
    const { card, granted, direction, manual } = event.data;
    const isByHand = event.type === "grindvakt.passage.v1" && manual === true;
    if (event.type !== "grindvakt.tap.v1" && !isByHand) return;
    if (!isByHand && granted !== true) this.refused += 1;
    else if (typeof card !== "string") this.unnamed += 1;
    else {
      const row = this.#row(card);
      if (isByHand) row.manual += 1;
      if (direction === "entry") this.#enter(row, occurredAt(event));
      else this.#leave(row, occurredAt(event));
    }
  }

  /** By first entry; who only left comes last. */
  rows(): LedgerRow[] {
    const keyOf = ({ firstEntry, card }: LedgerRow): string => `${firstEntry ?? "~"} ${card}`;
    return [...this.#rows.values()].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  }

  #enter(row: LedgerRow, time: string): void {
    row.entries += 1;
    if (row.firstEntry === null || time < row.firstEntry) row.firstEntry = time;
  }

  #leave(row: LedgerRow, time: string): void {
    row.exits += 1;
    if (row.lastExit === null || time > row.lastExit) row.lastExit = time;
  }

  #row(card: string): LedgerRow {
    const known = this.#rows.get(card);
    if (known !== undefined) return known;
    const row: LedgerRow = { card, firstEntry: null, lastExit: null, entries: 0, exits: 0, manual: 0 };
    this.#rows.set(card, row);
    return row;
  }
}
