/**
 * Card numbers, sorted, in 16 bits each, beside 16 bits that say what is known of the card. A number's high bits
 * choose a page; `starts` says where each page begins, and within it only the low bits are kept, in order, for a
 * binary search, which ends where the answer is: one miss of the cache. The place of a number among all is its
 * *position*.
 *
 * The pages cover only the issuers that occur. A short or scattered list would have more pages than cards: it
 * keeps 24 low bits instead, the upper eight in `tops`, and has 256 times fewer pages.
 */

/** Positions fit 24 bits beside 40 bits of a token; a list of sixteen million is more cards than people. */
export const POSITIONS_MAX = 2 ** 24;

const DIGITS = 1e10;
const ISSUERS = 26 * 26;
const NARROW_BITS = 16;
const WIDE_BITS = 24;
/** Half a line of the cache: of evenly spread numbers half lie nearer to where they should be. */
const FIRST_STEP = 8;
/** From a position back to its page begins at the page of every 1,024th position, a few pages away. */
const BLOCK_BITS = 10;

export interface NumberParts {
  /** The issuers that occur, ascending. */
  issuers: Uint16Array;
  /** Of each page its first position, and at the end the count of all. */
  starts: Uint32Array;
  /** Of each block of positions the page it begins in, and at the end the last page. */
  blocks: Uint32Array;
  /** Of each position the number's low 16 bits, and below them the card's code. */
  cells: Uint32Array;
  /** Empty, or the upper eight of 24 low bits. */
  tops: Uint8Array;
}

/** How many `blocks` a list needs. */
export function blockCount(positions: number): number {
  return (positions >>> BLOCK_BITS) + 2;
}

/** How many pages a list needs, and whether it keeps 24 low bits: whichever takes fewer bytes. */
export function planPages(issuers: number, positions: number): { wide: boolean; pages: number } {
  const narrow = Math.ceil((issuers * DIGITS) / 2 ** NARROW_BITS);
  const wide = Math.ceil((issuers * DIGITS) / 2 ** WIDE_BITS);
  return narrow * 4 <= wide * 4 + positions ? { wide: false, pages: narrow } : { wide: true, pages: wide };
}

export class NumberTable {
  readonly size: number;
  readonly #parts: NumberParts;
  readonly #bits: number;
  /** Of each issuer its place in `parts.issuers`, or -1. */
  readonly #slots = new Int16Array(ISSUERS).fill(-1);
  #lastPosition = -1;
  #lastPacked = -1;

  constructor(parts: NumberParts, wide: boolean) {
    this.#parts = parts;
    this.size = parts.cells.length;
    this.#bits = wide ? WIDE_BITS : NARROW_BITS;
    parts.issuers.forEach((issuer, slot) => {
      this.#slots[issuer] = slot;
    });
  }

  /** The position of a packed number, or -1. */
  find(packed: number): number {
    const key = this.#keyOf(packed);
    if (key < 0) return -1;
    const { starts, cells, tops } = this.#parts;
    const span = 2 ** this.#bits;
    const page = Math.floor(key / span);
    const low = key - page * span;
    const start = starts[page]!;
    const end = starts[page + 1]!;
    if (this.#bits === NARROW_BITS) {
      const at = firstFrom(cells, start, end, low);
      return at < end && cells[at]! >>> 16 === low ? at : -1;
    }
    let from = start;
    let to = end;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (tops[middle]! * 65536 + (cells[middle]! >>> 16) < low) from = middle + 1;
      else to = middle;
    }
    return from < end && tops[from]! * 65536 + (cells[from]! >>> 16) === low ? from : -1;
  }

  /** The 16 bits beside the number at a position. */
  codeAt(position: number): number {
    return this.#parts.cells[position]! & 0xffff;
  }

  /** The packed number at a position. */
  at(position: number): number {
    // A token's card is looked at twice: whether a newer layer speaks of it, and for the answer.
    if (position === this.#lastPosition) return this.#lastPacked;
    this.#lastPosition = position;
    this.#lastPacked = this.#packed(this.#pageOf(position), position);
    return this.#lastPacked;
  }

  #pageOf(position: number): number {
    const { starts, blocks } = this.#parts;
    const block = position >>> BLOCK_BITS;
    let from = blocks[block]!;
    let to = blocks[block + 1]! + 1;
    while (to - from > 1) {
      const middle = (from + to) >>> 1;
      if (starts[middle]! <= position) from = middle;
      else to = middle;
    }
    return from;
  }

  /** Every number in order, without a search for each. */
  forEach(visit: (packed: number, position: number) => void): void {
    const { starts } = this.#parts;
    for (let page = 0; page + 1 < starts.length; page++) {
      const end = starts[page + 1]!;
      for (let position = starts[page]!; position < end; position++) {
        visit(this.#packed(page, position), position);
      }
    }
  }

  /**
   * Fills the table. `walk` visits each number with the 16 bits beside it, in any order, the same each time it is
   * called. Returns a number that occurs twice, or -1.
   */
  fill(walk: (visit: (packed: number, code: number) => void) => void): number {
    const { starts, cells } = this.#parts;
    const wide = this.#bits === WIDE_BITS;
    const span = 2 ** this.#bits;
    walk((packed) => {
      starts[Math.floor(this.#keyOf(packed) / span) + 1]! += 1;
    });
    for (let page = 1; page < starts.length; page++) starts[page]! += starts[page - 1]!;
    // Low bits and code in one number, so that sorting a page moves both.
    const sorting = wide ? new Float64Array(cells.length) : cells;
    const next = starts.slice();
    walk((packed, code) => {
      const key = this.#keyOf(packed);
      const page = Math.floor(key / span);
      sorting[next[page]!++] = (key - page * span) * 65536 + code;
    });
    fillBlocks(this.#parts);
    return this.#arrange(sorting);
  }

  /** Sorts each page and takes the cells apart; returns a number that occurs twice, or -1. */
  #arrange(sorting: Float64Array | Uint32Array): number {
    const { starts, cells, tops } = this.#parts;
    for (let page = 0; page + 1 < starts.length; page++) {
      const start = starts[page]!;
      const end = starts[page + 1]!;
      if (!isSorted(sorting, start, end)) sorting.subarray(start, end).sort();
      for (let i = start; i < end; i++) {
        const cell = sorting[i]!;
        if (sorting !== cells) {
          tops[i] = cell / 2 ** 32;
          cells[i] = cell % 2 ** 32;
        }
        const isFirst = i === start || Math.floor(sorting[i - 1]! / 65536) !== Math.floor(cell / 65536);
        if (!isFirst) return this.#packed(page, i);
      }
    }
    return -1;
  }

  #keyOf(packed: number): number {
    const issuer = Math.floor(packed / DIGITS);
    const slot = this.#slots[issuer];
    return slot === undefined || slot < 0 ? -1 : packed + (slot - issuer) * DIGITS;
  }

  #packed(page: number, position: number): number {
    const { issuers, cells, tops } = this.#parts;
    const top = this.#bits === WIDE_BITS ? tops[position]! * 65536 : 0;
    const key = page * 2 ** this.#bits + top + (cells[position]! >>> 16);
    const slot = Math.floor(key / DIGITS);
    return key + (issuers[slot]! - slot) * DIGITS;
  }
}

/**
 * The first cell of `[start, end)` whose number is not below `low`. Were they spread evenly it would be at a guess: from there in
 * doubling steps, so that hardly more than the line of the cache it lies in is looked at.
 */
function firstFrom(cells: Uint32Array, start: number, end: number, low: number): number {
  let from = start;
  let to = end;
  if (to - from > 2 * FIRST_STEP) {
    const guess = from + Math.floor(((to - from) * low) / 2 ** NARROW_BITS);
    if (cells[guess]! >>> 16 < low) {
      from = guess + 1;
      for (let step = FIRST_STEP; guess + step < to; step *= 2) {
        if (cells[guess + step]! >>> 16 < low) from = guess + step + 1;
        else to = guess + step;
      }
    } else {
      to = guess;
      for (let step = FIRST_STEP; guess - step >= from; step *= 2) {
        if (cells[guess - step]! >>> 16 < low) from = guess - step + 1;
        else to = guess - step;
      }
    }
  }
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (cells[middle]! >>> 16 < low) from = middle + 1;
    else to = middle;
  }
  return from;
}

function fillBlocks({ starts, blocks }: NumberParts): void {
  const last = starts.length - 2;
  let page = 0;
  for (let block = 0; block + 1 < blocks.length; block++) {
    while (page < last && starts[page + 1]! <= block << BLOCK_BITS) page += 1;
    blocks[block] = page;
  }
  blocks[blocks.length - 1] = last;
}

function isSorted(cells: Float64Array | Uint32Array, start: number, end: number): boolean {
  for (let i = start + 1; i < end; i++) if (cells[i]! < cells[i - 1]!) return false;
  return true;
}
