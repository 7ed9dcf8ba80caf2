/**
 * The index as a file: a header, then the typed arrays as they lie in memory, so that loading is reading. A
 * CRC-32 over the body and one over the header find every flipped byte and every tear; the file is derived from
 * the feed, so one that is damaged or of another version is refused with a word and built anew.
 *
 * Integers and floats are little-endian, as on every machine Node runs on; on another the magic does not fit.
 */
import { dirname } from "node:path";
import { crc32 } from "node:zlib";
import type { DiskFile, Files } from "../drivers/ports.ts";
import { CUTS, type Cut, placeOfCut } from "./index-cuts.ts";
import type { LongTokenParts } from "./index-long-tokens.ts";
import { blockCount, type NumberParts, POSITIONS_MAX } from "./index-numbers.ts";
import { sieveWords } from "./index-sieve.ts";
import { TOKENS_MAX, type TokenParts, tokenStarts } from "./index-tokens.ts";
import { sharedPages } from "./pages.ts";
import { UID_BYTES_MAX } from "./rows.ts";
import { type TokenSeal, UNKEYED } from "./token-seal.ts";

const MAGIC = 0x4b56_4447; // "GDVK"
const VERSION = 3;
/** The same but for its tokens, which are sealed with no key. */
const VERSION_UNKEYED = 2;
const HEADER_BYTES = 128;
/** Of which key the file is; of the version without a key, zeros. */
const SEAL_AT = 32;
/** Where the counts of the sections begin, and the two checks. */
const COUNTS_AT = 40;
const BODY_CHECK_AT = 120;
const HEADER_CHECK_AT = 124;
/** So that every section fits the widest of its elements. */
const ALIGN_BYTES = 8;
/** Small enough that checking one takes well under a millisecond of the loop. */
const PIECE_BYTES = 1024 * 1024;
/** Written at once: a sync of the journal may have to wait for what another file has pending. */
const UNSYNCED_BYTES_MAX = 4 * 1024 * 1024;

/** What the file says of itself. `cards`: those on the list that holds with this layer, without the remembered ones. */
export interface IndexFacts {
  revision: number;
  publishedAtMs: number | null;
  cards: number;
}

/** How many elements each part has. */
export interface IndexShape {
  issuers: number;
  pages: number;
  positions: number;
  wide: boolean;
  standings: number;
  tokens: number;
  longTokens: number;
  cuts: readonly Cut[];
  /** It lies above others, and most of what is asked for is not in it. */
  sieved: boolean;
}

export interface IndexParts {
  wide: boolean;
  numbers: NumberParts;
  /** The different pairs of status and last day that occur (`packStanding`): a card's code is a place in these. */
  standings: Uint32Array;
  tokens: TokenParts;
  longTokens: LongTokenParts;
  /** A table for each of `CUTS`, or null. */
  cuts: readonly (TokenParts | null)[];
  /** Bits that say which keys the layer does not have; null: every lookup is searched for. */
  numberSieve: Uint32Array | null;
  tokenSieve: Uint32Array | null;
}

/** An index file in memory: shared memory, so that a worker hands it over without a copy. */
export interface IndexImage {
  bytes: Uint8Array;
  facts: IndexFacts;
  parts: IndexParts;
  /** How its tokens are sealed. */
  seal: TokenSeal;
}

export type IndexOpened = { kind: "opened"; image: IndexImage } | { kind: "refused"; why: string };

/** An image with room for `shape`, all zeros; fill its parts, then `seal` it. */
export function allocateImage(shape: IndexShape, facts: IndexFacts, seal: TokenSeal): IndexImage {
  const counts = countsOf(shape);
  const bytes = sharedPages(sizeOf(counts));
  const header = viewOf(bytes);
  header.setUint32(0, MAGIC, true);
  header.setUint32(4, seal.key === null ? VERSION_UNKEYED : VERSION, true);
  header.setFloat64(8, facts.revision, true);
  header.setFloat64(16, facts.publishedAtMs ?? Number.NaN, true);
  header.setUint32(24, facts.cards, true);
  header.setUint32(28, shape.wide ? 1 : 0, true);
  bytes.set(Buffer.from(seal.check, "hex"), SEAL_AT);
  counts.forEach((count, i) => {
    header.setUint32(COUNTS_AT + 4 * i, count, true);
  });
  return { bytes, facts, parts: partsOf(bytes, shape.wide, counts), seal };
}

export function sealImage(image: IndexImage): void {
  const header = viewOf(image.bytes);
  header.setUint32(BODY_CHECK_AT, crc32(image.bytes.subarray(HEADER_BYTES)), true);
  header.setUint32(HEADER_CHECK_AT, crc32(image.bytes.subarray(0, HEADER_CHECK_AT)), true);
}

/** The image that lies in `bytes`; its header is checked, its body is not. `seals`: those that it may have. */
export function readImage(bytes: Uint8Array, seals: readonly TokenSeal[]): IndexOpened {
  const header = readHeader(bytes, seals);
  if (typeof header === "string") return { kind: "refused", why: header };
  if (header.sizeBytes !== bytes.length) return { kind: "refused", why: TORN };
  return {
    kind: "opened",
    image: {
      bytes,
      facts: header.facts,
      parts: partsOf(bytes, header.wide, header.counts),
      seal: header.seal,
    },
  };
}

/** Reads and checks an index file. Rejects only when the disk does. */
export async function openImage(
  files: Files,
  path: string,
  seals: readonly TokenSeal[],
): Promise<IndexOpened> {
  let file: DiskFile;
  try {
    file = await files.open(path, "read");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return { kind: "refused", why: "there is no such file" };
  }
  try {
    return await readFile(file, seals);
  } finally {
    await file.close();
  }
}

/** The check over the body: two images of one revision with the same check are the same. */
export function checkOf({ bytes }: IndexImage): number {
  return viewOf(bytes).getUint32(BODY_CHECK_AT, true);
}

/**
 * Writes an image; once it resolves a power cut finds it whole. Rejects with what the disk says, or when `signal` is
 * aborted before the end.
 */
export async function writeImage(
  files: Files,
  path: string,
  { bytes }: IndexImage,
  signal: AbortSignal,
): Promise<void> {
  const file = await openNew(files, path);
  // The same image is there from an earlier try, and may be in force already, for all that one knows.
  if (file === null) return files.replace(path, pieces(bytes, signal));
  try {
    await writePieces(file, pieces(bytes, signal));
    await files.syncDir(dirname(path));
  } catch (error) {
    // A part of a list on a full disk helps nobody; should it stay, it is removed at the next change.
    await files.unlink(path).catch(() => undefined);
    throw error;
  }
}

/** Null when there is such a file. */
async function openNew(files: Files, path: string): Promise<DiskFile | null> {
  try {
    return await files.open(path, "new");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return null;
    throw error;
  }
}

async function writePieces(file: DiskFile, pieces: AsyncIterable<Uint8Array>): Promise<void> {
  let unsyncedBytes = 0;
  try {
    for await (const piece of pieces) {
      await file.write(piece);
      unsyncedBytes += piece.length;
      if (unsyncedBytes < UNSYNCED_BYTES_MAX) continue;
      await file.sync();
      unsyncedBytes = 0;
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

async function* pieces(bytes: Uint8Array, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    signal.throwIfAborted();
    yield bytes.subarray(at, Math.min(at + PIECE_BYTES, bytes.length));
  }
}

const TORN = "the index file is shorter or longer than it says";
const ANOTHER_KEY = "the index file was sealed with another token key than cards.tokenKey";

async function readFile(file: DiskFile, seals: readonly TokenSeal[]): Promise<IndexOpened> {
  const first = await file.read(0, HEADER_BYTES);
  const header = readHeader(first, seals);
  if (typeof header === "string") return { kind: "refused", why: header };
  if ((await file.sizeBytes()) !== header.sizeBytes) return { kind: "refused", why: TORN };
  const bytes = sharedPages(header.sizeBytes);
  bytes.set(first);
  let check = 0;
  for (let at = HEADER_BYTES; at < bytes.length; ) {
    const piece = await file.read(at, Math.min(PIECE_BYTES, bytes.length - at));
    if (piece.length === 0) return { kind: "refused", why: TORN };
    check = crc32(piece, check);
    bytes.set(piece, at);
    at += piece.length;
  }
  if (check !== viewOf(first).getUint32(BODY_CHECK_AT, true)) {
    return { kind: "refused", why: "the index file is damaged" };
  }
  return readImage(bytes, seals);
}

interface Header {
  facts: IndexFacts;
  seal: TokenSeal;
  wide: boolean;
  counts: number[];
  sizeBytes: number;
}

function readHeader(bytes: Uint8Array, seals: readonly TokenSeal[]): Header | string {
  if (bytes.length < HEADER_BYTES) return TORN;
  const header = viewOf(bytes);
  if (header.getUint32(0, true) !== MAGIC) return "this is no index file";
  const version = header.getUint32(4, true);
  if (version > VERSION) return "the index file was written by a newer grindvakt";
  if (version < VERSION_UNKEYED) return "the index file is of a version that is not read any more";
  if (header.getUint32(HEADER_CHECK_AT, true) !== crc32(bytes.subarray(0, HEADER_CHECK_AT))) {
    return "the index file's header is damaged";
  }
  const check = Buffer.from(bytes.subarray(SEAL_AT, COUNTS_AT)).toString("hex");
  const seal = version === VERSION_UNKEYED ? UNKEYED : seals.find((one) => one.check === check);
  if (seal === undefined) return ANOTHER_KEY;
  const published = header.getFloat64(16, true);
  const facts: IndexFacts = {
    revision: header.getFloat64(8, true),
    publishedAtMs: Number.isNaN(published) ? null : published,
    cards: header.getUint32(24, true),
  };
  const counts = SECTIONS.map((_, i) => header.getUint32(COUNTS_AT + 4 * i, true));
  return { facts, seal, wide: header.getUint32(28, true) === 1, counts, sizeBytes: sizeOf(counts) };
}

/** Bytes of one element of each section, in the order they lie in; the last ten are the cuts and the sieves. */
const SECTIONS = [2, 4, 4, 4, 1, 4, 4, 4, 1, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4] as const;
const FIRST_CUT = 10;
const FIRST_SIEVE = 18;

function countsOf(shape: IndexShape): number[] {
  const { positions, tokens, longTokens } = shape;
  if (positions > POSITIONS_MAX || tokens > TOKENS_MAX)
    throw new Error("an index of this size was to be refused");
  const starts = tokenStarts(positions);
  const counts = [
    shape.issuers,
    shape.pages + 1,
    blockCount(positions),
    positions,
    shape.wide ? positions : 0,
    shape.standings,
    starts,
    2 * tokens,
    longTokens * UID_BYTES_MAX,
    longTokens,
    ...CUTS.flatMap(() => [0, 0]),
    shape.sieved ? sieveWords(positions) : 0,
    shape.sieved ? sieveWords(tokens) : 0,
  ];
  for (const cut of shape.cuts) {
    counts[FIRST_CUT + 2 * placeOfCut(cut)] = starts;
    counts[FIRST_CUT + 2 * placeOfCut(cut) + 1] = 2 * (tokens + longTokens);
  }
  return counts;
}

function offsetsOf(counts: number[]): number[] {
  const offsets = [HEADER_BYTES];
  counts.forEach((count, i) => {
    const end = offsets[i]! + count * SECTIONS[i]!;
    offsets.push(Math.ceil(end / ALIGN_BYTES) * ALIGN_BYTES);
  });
  return offsets;
}

function sizeOf(counts: number[]): number {
  return offsetsOf(counts)[counts.length]!;
}

function partsOf(bytes: Uint8Array, wide: boolean, counts: number[]): IndexParts {
  const { buffer } = bytes;
  const offsets = offsetsOf(counts).map((offset) => offset + bytes.byteOffset);
  const bytesAt = (i: number) => new Uint8Array(buffer, offsets[i], counts[i]);
  const shortsAt = (i: number) => new Uint16Array(buffer, offsets[i], counts[i]);
  const wordsAt = (i: number) => new Uint32Array(buffer, offsets[i], counts[i]);
  const cutAt = (i: number) => (counts[i] === 0 ? null : { starts: wordsAt(i), entries: wordsAt(i + 1) });
  const sieveAt = (i: number) => (counts[i] === 0 ? null : wordsAt(i));
  return {
    wide,
    numbers: {
      issuers: shortsAt(0),
      starts: wordsAt(1),
      blocks: wordsAt(2),
      cells: wordsAt(3),
      tops: bytesAt(4),
    },
    standings: wordsAt(5),
    tokens: { starts: wordsAt(6), entries: wordsAt(7) },
    longTokens: { uids: bytesAt(8), positions: wordsAt(9) },
    cuts: CUTS.map((_, place) => cutAt(FIRST_CUT + 2 * place)),
    numberSieve: sieveAt(FIRST_SIEVE),
    tokenSieve: sieveAt(FIRST_SIEVE + 1),
  };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
