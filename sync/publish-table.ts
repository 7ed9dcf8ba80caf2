/**
 * A whole list at the centre, in columns: some 25 bytes a card with one 7-byte token, so that ten million fit where
 * as objects they would not. Filled once, arranged by number, then read.
 */
import { packNumber, STATUSES, unpackNumber } from "./card.ts";
import type { CardRow, CsvFault } from "./publish-csv.ts";
import { emptyRow, REMOVED, type Row, UID_BYTES_MAX } from "./rows.ts";

/** Cards to start with; columns double from there. */
const CARDS_AT_FIRST = 1_024;

/** Two tokens share a key only if they are equal, or of 10 bytes and very unlucky; equal keys are compared in full. */
const KEY_WORDS = 2;

export class CardTable {
  /** Cards added. */
  cards = 0;
  #packed = new Float64Array(CARDS_AT_FIRST);
  #statuses = new Uint8Array(CARDS_AT_FIRST);
  #days = new Int32Array(CARDS_AT_FIRST);
  /** Where each card's tokens begin in the pool; each token is its size and its bytes. */
  #tokenStarts = new Uint32Array(CARDS_AT_FIRST);
  #pool = Buffer.alloc(CARDS_AT_FIRST * 8);
  #poolBytes = 0;
  #tokens = 0;
  /** Where the card at each place was added; null: in the order of numbers already. */
  #order: Uint32Array | null = null;
  /** Rows of the CSV that gave no card, ascending: few, because reading ends after so many faults. */
  readonly #skippedRows: number[] = [];

  add({ number, status, validUntilDay, tokens }: CardRow): void {
    this.#addCard(packNumber(number), STATUSES.indexOf(status), validUntilDay ?? -1);
    for (const token of tokens) this.#addToken(token);
  }

  /** A row of a list, as the parser has it. */
  addRow({ packed, status, day, tokenCount, tokenSizes, tokenBytes }: Row): void {
    this.#addCard(packed, status, day);
    for (let token = 0; token < tokenCount; token++) {
      const start = token * UID_BYTES_MAX;
      this.#openToken(tokenSizes[token]!);
      this.#pool.set(tokenBytes.subarray(start, start + tokenSizes[token]!), this.#poolBytes);
      this.#poolBytes += tokenSizes[token]!;
    }
  }

  #addCard(packed: number, status: number, day: number): void {
    if (this.cards === this.#packed.length) this.#growCards();
    const index = this.cards++;
    this.#packed[index] = packed;
    this.#statuses[index] = status;
    this.#days[index] = day;
    this.#tokenStarts[index] = this.#poolBytes;
  }

  /** A row of the CSV that gave no card, so that the rows after it are still named rightly. */
  skip(row: number): void {
    this.#skippedRows.push(row);
  }

  #addToken(token: string): void {
    this.#openToken(token.length / 2);
    this.#poolBytes += this.#pool.write(token, this.#poolBytes, "hex");
  }

  #openToken(sizeBytes: number): void {
    if (this.#poolBytes + 1 + UID_BYTES_MAX > this.#pool.length) this.#pool = grown(this.#pool, Buffer.alloc);
    this.#pool[this.#poolBytes++] = sizeBytes;
    this.#tokens += 1;
  }

  #growCards(): void {
    this.#packed = grown(this.#packed, (length) => new Float64Array(length));
    this.#statuses = grown(this.#statuses, (length) => new Uint8Array(length));
    this.#days = grown(this.#days, (length) => new Int32Array(length));
    this.#tokenStarts = grown(this.#tokenStarts, (length) => new Uint32Array(length));
  }

  /** Sorts by number. After it, nothing is added. */
  arrange(): void {
    const { cards } = this;
    const packed = this.#packed;
    let ascending = true;
    for (let index = 1; index < cards && ascending; index++) ascending = packed[index]! >= packed[index - 1]!;
    this.#order = ascending ? null : sortedOrder(packed, cards);
  }

  /** Numbers or tokens that are there twice, up to `faultsMax` of each. */
  faults(faultsMax: number): CsvFault[] {
    return [...this.#sameNumbers(faultsMax), ...this.#sameTokens(faultsMax)];
  }

  /** The row that the card at `place` had in the CSV. `place` counts in the order of numbers, from 0. */
  row(place: number): number {
    return this.#rowOf(this.#indexAt(place));
  }

  #rowOf(index: number): number {
    let row = index + 2;
    for (const skipped of this.#skippedRows) if (skipped <= row) row += 1;
    return row;
  }

  #indexAt(place: number): number {
    return this.#order === null ? place : this.#order[place]!;
  }

  packedAt(place: number): number {
    return this.#packed[this.#indexAt(place)]!;
  }

  /** A place in `STATUSES`. */
  statusAt(place: number): number {
    return this.#statuses[this.#indexAt(place)]!;
  }

  /** Its last day, -1 for no end. */
  dayAt(place: number): number {
    return this.#days[this.#indexAt(place)]!;
  }

  /** Whether the card at `place`, which has the row's number, says the same as `row`. */
  isSame(place: number, row: Row): boolean {
    const index = this.#indexAt(place);
    if (this.#statuses[index] !== row.status || this.#days[index] !== row.day) return false;
    let at = this.#tokenStarts[index]!;
    const end = this.#tokensEnd(index);
    for (let token = 0; token < row.tokenCount; token++) {
      const sizeBytes = row.tokenSizes[token]!;
      if (at >= end || this.#pool[at] !== sizeBytes) return false;
      for (let i = 0; i < sizeBytes; i++) {
        if (this.#pool[at + 1 + i] !== row.tokenBytes[token * UID_BYTES_MAX + i]) return false;
      }
      at += 1 + sizeBytes;
    }
    return at === end;
  }

  /** Every row, in the order of numbers. The same object is used for all. */
  *rows(): Generator<Row, void, void> {
    const row = emptyRow();
    for (let place = 0; place < this.cards; place++) yield this.#readRow(place, row);
  }

  /** The rows of a delta that says what became of the cards with these numbers: those that are gone, `REMOVED`. */
  *rowsOf(numbers: Iterable<number>): Generator<Row, void, void> {
    const row = emptyRow();
    for (const packed of numbers) {
      const place = this.#find(packed);
      if (place >= 0) yield this.#readRow(place, row);
      else yield Object.assign(row, { packed, status: REMOVED, day: -1, tokenCount: 0 });
    }
  }

  #readRow(place: number, row: Row): Row {
    const index = this.#indexAt(place);
    row.packed = this.#packed[index]!;
    row.status = this.#statuses[index]!;
    row.day = this.#days[index]!;
    row.tokenCount = 0;
    for (let at = this.#tokenStarts[index]!; at < this.#tokensEnd(index); at += 1 + this.#pool[at]!) {
      const start = row.tokenCount * UID_BYTES_MAX;
      const sizeBytes = this.#pool[at]!;
      for (let i = 0; i < sizeBytes; i++) row.tokenBytes[start + i] = this.#pool[at + 1 + i]!;
      row.tokenSizes[row.tokenCount++] = sizeBytes;
    }
    return row;
  }

  /** The place of a number, or -1. */
  #find(packed: number): number {
    let low = 0;
    let high = this.cards;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.packedAt(middle) < packed) low = middle + 1;
      else high = middle;
    }
    return low < this.cards && this.packedAt(low) === packed ? low : -1;
  }

  #tokenText(at: number): string {
    return this.#pool.toString("hex", at + 1, at + 1 + this.#pool[at]!);
  }

  #tokensEnd(index: number): number {
    return index + 1 < this.cards ? this.#tokenStarts[index + 1]! : this.#poolBytes;
  }

  #sameNumbers(faultsMax: number): CsvFault[] {
    const faults: CsvFault[] = [];
    for (let place = 1; place < this.cards && faults.length < faultsMax; place++) {
      if (this.packedAt(place) !== this.packedAt(place - 1)) continue;
      const number = unpackNumber(this.packedAt(place));
      faults.push({ row: this.row(place), why: `${number} is in row ${this.row(place - 1)}, too` });
    }
    return faults;
  }

  /** Tokens that several cards have: nobody could tell whose it is. Found by sorting keys, without an object a token. */
  #sameTokens(faultsMax: number): CsvFault[] {
    const keys = new BigUint64Array(this.#tokens);
    const words = new Uint32Array(keys.buffer);
    let count = 0;
    for (let at = 0; at < this.#poolBytes; at += 1 + this.#pool[at]!)
      this.#writeKey(at, words, KEY_WORDS * count++);
    keys.sort();
    const suspects = new Set<bigint>();
    for (let i = 1; i < count && suspects.size < faultsMax; i++) {
      if (
        words[KEY_WORDS * i] === words[KEY_WORDS * (i - 1)] &&
        words[KEY_WORDS * i + 1] === words[KEY_WORDS * i - 1]
      ) {
        suspects.add(keys[i]!);
      }
    }
    return suspects.size === 0 ? [] : this.#compareSuspects(suspects, faultsMax);
  }

  #compareSuspects(suspects: Set<bigint>, faultsMax: number): CsvFault[] {
    const faults: CsvFault[] = [];
    const firstRows = new Map<string, number>();
    const key = new BigUint64Array(1);
    const words = new Uint32Array(key.buffer);
    for (let index = 0; index < this.cards && faults.length < faultsMax; index++) {
      for (let at = this.#tokenStarts[index]!; at < this.#tokensEnd(index); at += 1 + this.#pool[at]!) {
        this.#writeKey(at, words, 0);
        if (!suspects.has(key[0]!)) continue;
        const text = this.#tokenText(at);
        const first = firstRows.get(text);
        if (first === undefined) firstRows.set(text, this.#rowOf(index));
        else faults.push({ row: this.#rowOf(index), why: `one of its tokens is in row ${first}, too` });
      }
    }
    return faults;
  }

  /** 64 bits of the token at `at`: its last four bytes, and a mix of the others and the size. */
  #writeKey(at: number, words: Uint32Array, to: number): void {
    const sizeBytes = this.#pool[at]!;
    let high = sizeBytes;
    let low = 0;
    for (let i = 1; i <= sizeBytes; i++) {
      if (i <= sizeBytes - 4) high = Math.imul(high, 257) + this.#pool[at + i]!;
      else low = (low << 8) | this.#pool[at + i]!;
    }
    words[to] = low;
    words[to + 1] = high;
  }
}

const KEY_BITS = 43;
const DIGIT_BITS = 11;
const DIGITS = 2 ** DIGIT_BITS;

/** The indexes of `packed` in ascending order, equal ones as they came: a radix sort, linear and without comparing. */
function sortedOrder(packed: Float64Array, count: number): Uint32Array {
  let from = new Uint32Array(count);
  let to = new Uint32Array(count);
  for (let index = 0; index < count; index++) from[index] = index;
  for (let shift = 0; shift < KEY_BITS; shift += DIGIT_BITS) {
    const scale = 2 ** shift;
    const digitOf = (index: number) => Math.floor(packed[index]! / scale) % DIGITS;
    const next = new Uint32Array(DIGITS + 1);
    for (let index = 0; index < count; index++) next[digitOf(index) + 1]! += 1;
    for (let digit = 1; digit < DIGITS; digit++) next[digit]! += next[digit - 1]!;
    for (let place = 0; place < count; place++) to[next[digitOf(from[place]!)]!++] = from[place]!;
    [from, to] = [to, from];
  }
  return from;
}

function grown<Column extends { length: number; set(from: Column): void }>(
  column: Column,
  make: (length: number) => Column,
): Column {
  const larger = make(column.length * 2);
  larger.set(column);
  return larger;
}
