/**
 * List targets at the centre: read back as rows, and written as gzip under the name that their hash gives them. A
 * list is many gzip members one after the other (RFC 1952, 2.2), which every reader takes for one: so they are packed
 * side by side, and one card is found by unpacking one of them (`publish-members.ts`).
 */
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { createGunzip, gzip } from "node:zlib";
import type { Clock, FeedSource } from "../drivers/ports.ts";
import { downloadTarget } from "./feed-download.ts";
import { type FeedTarget, targetFile, targetPath } from "./feed-metadata.ts";
import { FeedRefusal } from "./feed-refusal.ts";
import { FeedUnreachable } from "./feed-workflow.ts";
import { type Block, blocksOf } from "./publish-lines.ts";
import { CentreFault, type CentreWorld, type Place } from "./publish-repository.ts";
import { type Row, RowParser, type TakeRow } from "./rows.ts";

/** Text in one member: gzip loses under a thousandth by starting anew so seldom, and unpacking one takes milliseconds. */
export const MEMBER_TEXT_BYTES = 1024 * 1024;

/** Packed at once: Node has four threads for it, and each holds a member's text. */
const MEMBERS_AHEAD_MAX = 4;

/** A part of a written list. `first`: the packed number of its first row. */
export interface Member {
  first: number;
  lengthBytes: number;
  sha256: string;
}

export interface WrittenList {
  target: FeedTarget;
  members: Member[];
}

/** Hands every row of a list to `take`. Rejects with `FeedRefusal` for wrong bytes, `CentreFault` for a wrong row. */
export async function readList(
  list: FeedTarget,
  world: { source: FeedSource; clock: Clock },
  take: TakeRow,
): Promise<void> {
  const parser = new RowParser({ delta: list.base !== null }, take);
  const refuse = (fault: { row: number; why: string } | null) => {
    if (fault !== null) throw new CentreFault(`${list.path}: row ${fault.row}: ${fault.why}`);
  };
  try {
    await pipeline(
      Readable.from(downloadTarget(list, world)),
      createGunzip(),
      async (pieces: AsyncIterable<Uint8Array>) => {
        for await (const piece of pieces) refuse(parser.push(piece));
      },
    );
    refuse(parser.finish());
  } catch (error) {
    // Damage makes gunzip or a row stumble before the hash is complete: the hash has the better word for it.
    for await (const _ of downloadTarget(list, world));
    if (!(error as NodeJS.ErrnoException).code?.startsWith("Z_")) throw error;
    throw new CentreFault(`${list.path} is no gzip: ${(error as Error).message}`);
  }
}

/** The same for a list of our own that has to be right: whatever is wrong with it is the person's to mend. */
export async function requireList(
  list: FeedTarget,
  { dir }: Pick<Place, "dir">,
  { openDirectory, clock }: CentreWorld,
  take: TakeRow,
): Promise<void> {
  try {
    await readList(list, { source: openDirectory(dir), clock }, take);
  } catch (error) {
    if (!(error instanceof FeedRefusal || error instanceof FeedUnreachable)) throw error;
    throw new CentreFault(`${list.path} cannot be read: ${error.message}; put back a good copy of the file`);
  }
}

/** Writes a list of these rows, one object for all if need be, and returns how it is to be described. */
export async function writeList(
  { dir }: Place,
  list: Pick<FeedTarget, "revision" | "base" | "cards">,
  rows: Iterable<Row>,
  { files }: CentreWorld,
): Promise<WrittenList> {
  const path = targetPath(list.base, list.revision);
  const hash = createHash("sha256");
  const members: Member[] = [];
  let lengthBytes = 0;
  async function* measured(): AsyncGenerator<Uint8Array, void, void> {
    for await (const { first, bytes } of packed(blocksOf(rows, MEMBER_TEXT_BYTES))) {
      hash.update(bytes);
      lengthBytes += bytes.length;
      members.push({ first, lengthBytes: bytes.length, sha256: sha256(bytes) });
      yield bytes;
    }
  }
  // Its name is known only when it is whole: until then it has one that no metadata mentions.
  const unnamed = `${dir}/targets/${path}.new`;
  await files.replace(unnamed, measured());
  const target = { path, ...list, lengthBytes, sha256: hash.digest("hex") };
  await files.rename(unnamed, `${dir}/${targetFile(target)}`);
  await files.syncDir(`${dir}/targets/cards`);
  return { target, members };
}

async function* packed(blocks: Iterable<Block>): AsyncGenerator<{ first: number; bytes: Uint8Array }> {
  const pack = async ({ first, text }: Block) => ({ first, bytes: await promisify(gzip)(text) });
  const ahead: ReturnType<typeof pack>[] = [];
  for (const block of blocks) {
    ahead.push(pack(block));
    if (ahead.length === MEMBERS_AHEAD_MAX) yield await ahead.shift()!;
  }
  for (const member of ahead) yield await member;
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
