/**
 * What `feed set` did since the last CSV: `set.json` beside the keys. A CSV has the last word; but one that still says
 * what held before undoes a block without anybody meaning it, so the next publish tells which cards those are.
 */
import { isCanonical, packNumber, STATUSES, type Status, unpackNumber } from "./card.ts";
import { readDay, showDay } from "./publish-csv.ts";
import type { CentreWorld, Place, Say } from "./publish-repository.ts";
import { REMOVED, type Row } from "./rows.ts";

/** A year of thirty a day. A centre that publishes no CSV for longer forgets the oldest, and with them a warning. */
const SETS_MAX = 10_000;

/** At a hundred bytes each, twice over. */
const SETS_BYTES_MAX = 2 * 1024 ** 2;

/** What a card was set to; `status` and `day` as a row says them. */
export type SetCard = Pick<Row, "status" | "day">;

/** By packed number, oldest first. */
export type Sets = ReadonlyMap<number, SetCard>;

/** A status as people and programs read it. */
export type SetStatus = Status | "removed";

const pathIn = ({ keysDir }: Place) => `${keysDir}/set.json`;

/** A file that cannot be read keeps nobody from publishing: what is lost is a warning, and that is said. */
export async function readSets(place: Place, { keyFiles }: CentreWorld, say: Say): Promise<Sets> {
  const path = pathIn(place);
  try {
    const bytes = await keyFiles.read(path, SETS_BYTES_MAX);
    const entries: unknown = bytes === null ? [] : JSON.parse(Buffer.from(bytes).toString());
    if (!Array.isArray(entries)) throw new Error("no list");
    return new Map(entries.map(readEntry));
  } catch (error) {
    say(`${path} cannot be read (${(error as Error).message}): not known which cards feed set has changed`);
    return new Map();
  }
}

/** Done before the feed says it: what the feed does not say in the end is passed over when the two are compared. */
export async function keepSet(place: Place, sets: Sets, row: Row, { keyFiles }: CentreWorld): Promise<void> {
  const others = [...sets].filter(([packed]) => packed !== row.packed);
  const kept: [number, SetCard][] = [...others.slice(-(SETS_MAX - 1)), [row.packed, row]];
  const lines = kept.map(([packed, { status, day }]) =>
    JSON.stringify([unpackNumber(packed), statusOf(status), day < 0 ? "" : showDay(day)]),
  );
  await keyFiles.replace(pathIn(place), Buffer.from(`[${lines.join(",\n")}]\n`));
}

/** A CSV is published: from now on it is what holds. */
export async function forgetSets(place: Place, { keyFiles }: CentreWorld): Promise<void> {
  await keyFiles.remove(pathIn(place));
}

export function statusOf(code: number): SetStatus {
  return code === REMOVED ? "removed" : STATUSES[code]!;
}

function readEntry(entry: unknown): [number, SetCard] {
  const [number, status, dayText] = Array.isArray(entry) ? entry : [];
  const code = status === "removed" ? REMOVED : STATUSES.indexOf(status);
  const day = typeof dayText === "string" ? readDay(dayText) : undefined;
  if (typeof number !== "string" || !isCanonical(number) || code < 0 || day === undefined)
    throw new Error("an entry that is none");
  return [packNumber(number), { status: code, day: day ?? -1 }];
}
