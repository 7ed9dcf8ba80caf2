/**
 * What the centre remembers of cards that were terminated or superseded and then left the list: `ended.csv` beside the
 * keys, in the form of a list, so that taking a card off is no way to bring it back.
 */
import { isFinal, STATUSES } from "./card.ts";
import { blocksOf } from "./publish-lines.ts";
import { CentreFault, type CentreWorld, type Place } from "./publish-repository.ts";
import { type Row, RowParser } from "./rows.ts";

/** Some ten million remembered cards. */
const ENDED_BYTES_MAX = 320 * 1024 ** 2;

const BLOCK_BYTES = 1024 * 1024;

const CODES = 8;

/** A card and its end, a place in `STATUSES`, in one number, so that ten million are 80 MB and sort by themselves. */
export function endedEntry({ packed, status }: Pick<Row, "packed" | "status">): number {
  return packed * CODES + status;
}

/** The cards that ended and left; immutable. */
export class Ended {
  readonly #entries: Float64Array;

  /** `entries`: ascending. */
  constructor(entries: Float64Array) {
    this.#entries = entries;
  }

  static of(entries: readonly number[]): Ended {
    return new Ended(Float64Array.from(entries).sort());
  }

  get size(): number {
    return this.#entries.length;
  }

  /** The end of a card, a place in `STATUSES`; null: none is remembered. */
  statusOf(packed: number): number | null {
    const entries = this.#entries;
    let low = 0;
    let high = entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (entries[middle]! < packed * CODES) low = middle + 1;
      else high = middle;
    }
    const entry = entries[low] ?? -1;
    return Math.floor(entry / CODES) === packed ? entry % CODES : null;
  }

  /** These and more. */
  with(more: Ended): Ended {
    const news = more.#entries.filter((entry) => this.statusOf(Math.floor(entry / CODES)) === null);
    const entries = new Float64Array(this.#entries.length + news.length);
    entries.set(this.#entries);
    entries.set(news, this.#entries.length);
    return new Ended(entries.sort());
  }

  without(packed: number): Ended {
    return new Ended(this.#entries.filter((entry) => Math.floor(entry / CODES) !== packed));
  }

  *rows(): Generator<Row> {
    const nothing = new Uint8Array(0);
    for (const entry of this.#entries) {
      const packed = Math.floor(entry / CODES);
      const rest = { row: 0, day: -1, tokenCount: 0, tokenSizes: nothing, tokenBytes: nothing };
      yield { packed, status: entry % CODES, ...rest };
    }
  }
}

const pathIn = ({ keysDir }: Place) => `${keysDir}/ended.csv`;

export async function readEnded(place: Place, { keyFiles }: CentreWorld): Promise<Ended> {
  const path = pathIn(place);
  const bytes = await keyFiles.read(path, ENDED_BYTES_MAX);
  if (bytes === null) return Ended.of([]);
  const entries: number[] = [];
  const parser = new RowParser({ delta: false }, (row) => {
    if (!isFinal(STATUSES[row.status]!)) return "the status is no end";
    entries.push(endedEntry(row));
    return null;
  });
  const fault = parser.push(bytes) ?? parser.finish();
  if (fault !== null) throw new CentreFault(`${path}: row ${fault.row}: ${fault.why}`);
  return Ended.of(entries);
}

/** Done before the list without the cards is written: remembering too early does no harm. */
export async function writeEnded(place: Place, ended: Ended, { keyFiles }: CentreWorld): Promise<void> {
  await keyFiles.replace(pathIn(place), texts(ended));
}

async function* texts(ended: Ended): AsyncGenerator<Uint8Array> {
  for (const { text } of blocksOf(ended.rows(), BLOCK_BYTES)) yield text;
}
