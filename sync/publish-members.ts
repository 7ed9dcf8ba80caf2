/**
 * Where each card of the newest whole list lies: `list.json` beside the keys. With it one card is found by reading a
 * millionth of a list of ten million. It is derived: one that is missing, damaged or of another list is done without,
 * and made anew with the next whole list.
 */
import { gunzipSync } from "node:zlib";
import { type FeedTarget, targetFile } from "./feed-metadata.ts";
import { copyRow } from "./publish-lines.ts";
import { MEMBER_TEXT_BYTES, type Member, sha256, type WrittenList } from "./publish-list.ts";
import { CentreFault, type CentreWorld, type Place } from "./publish-repository.ts";
import { HEADER, LINE_BYTES_MAX, type Row, RowParser } from "./rows.ts";

/** Members of a list of 100 million cards, at a hundred bytes each. */
const MEMBERS_FILE_BYTES_MAX = 1024 * 1024;

const pathIn = ({ keysDir }: Place) => `${keysDir}/list.json`;

export async function keepMembers(
  place: Place,
  { target, members }: WrittenList,
  { keyFiles }: CentreWorld,
): Promise<void> {
  const entries = members.map(({ first, lengthBytes, sha256 }) => [first, lengthBytes, sha256]);
  await keyFiles.replace(
    pathIn(place),
    Buffer.from(`${JSON.stringify({ sha256: target.sha256, members: entries })}\n`),
  );
}

/** The members of this list, or null where they are not known. */
export async function readMembers(
  place: Place,
  list: FeedTarget,
  { keyFiles }: CentreWorld,
): Promise<Member[] | null> {
  const bytes = await keyFiles.read(pathIn(place), MEMBERS_FILE_BYTES_MAX).catch(() => null);
  if (bytes === null) return null;
  try {
    const kept: { sha256: string; members: [number, number, string][] } = JSON.parse(
      Buffer.from(bytes).toString(),
    );
    if (kept.sha256 !== list.sha256) return null;
    const members = kept.members.map(([first, lengthBytes, sha256]) => ({ first, lengthBytes, sha256 }));
    const lengthBytes = members.reduce((sum, member) => sum + member.lengthBytes, 0);
    return lengthBytes === list.lengthBytes ? members : null;
  } catch {
    return null;
  }
}

/** The row of a card in a whole list of these members, or null when it has none. */
export async function findRow(
  { dir }: Place,
  list: FeedTarget,
  members: readonly Member[],
  packed: number,
  { files }: CentreWorld,
): Promise<Row | null> {
  const after = members.findIndex(({ first }) => first > packed);
  const place = (after < 0 ? members.length : after) - 1;
  const member = members[place];
  if (member === undefined) return null;
  const offset = members.slice(0, place).reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
  const file = await files.open(`${dir}/${targetFile(list)}`, "read");
  let bytes: Uint8Array;
  try {
    bytes = await file.read(offset, member.lengthBytes);
  } finally {
    await file.close();
  }
  if (sha256(bytes) !== member.sha256) {
    throw new CentreFault(`${list.path} is not as it was written; put back a good copy of the file`);
  }
  return findIn(
    gunzipSync(bytes, { maxOutputLength: MEMBER_TEXT_BYTES + LINE_BYTES_MAX }),
    place === 0,
    packed,
  );
}

function findIn(text: Uint8Array, hasHeader: boolean, packed: number): Row | null {
  let found: Row | null = null;
  const parser = new RowParser({ delta: false }, (row) => {
    if (row.packed === packed) found = copyRow(row);
    return null;
  });
  if (!hasHeader) parser.push(Buffer.from(`${HEADER}\n`));
  parser.push(text);
  return found;
}
