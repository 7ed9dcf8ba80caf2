/**
 * Building what will be held from downloads: the gzip bytes go, as they come, to where they are unpacked and parsed, and
 * images come back. Rows are never on disk. A download is always read to its end, also when its text is refused
 * before: only at the end is it known whether these are the bytes that were signed, and a wrong hash is then the truer
 * word than a bad row.
 */
import { setTimeout as pause } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { gunzipSync } from "node:zlib";
import { type BuildBasis, BuildSession, type Built } from "./build-session.ts";
import type { Correction } from "./feed-corrections.ts";
import type { BuildRefusalName, ListOrder, ListOutcome } from "./index-builder.ts";
import type { Cut } from "./index-cuts.ts";
import { type IndexImage, readImage } from "./index-file.ts";
import { mergeLayers } from "./index-merge.ts";
import type { TokenSeal } from "./token-seal.ts";

/** A list of a way. `gzip`: as it was downloaded; when it rejects, so does the build. */
export interface ListDownload extends ListOrder {
  gzip: AsyncIterable<Uint8Array>;
}

/** `signal`: nobody waits any more. */
export interface BuildRequest extends BuildBasis {
  lists: readonly ListDownload[];
  signal: AbortSignal;
}

/** `list`: the place in the request of the list that was refused. */
export type BuildOutcome =
  | ({ kind: "built" } & Built)
  | { kind: "refused"; list: number; name: BuildRefusalName; why: string };

export interface MergeRequest {
  /** Oldest first, from the lowest. */
  layers: readonly IndexImage[];
  cuts: readonly Cut[];
  /** Of the image that is made. */
  seal: TokenSeal;
  signal: AbortSignal;
}

export interface BuildIndex {
  /** Rejects with what a download rejects with, or when it was aborted, or when building itself breaks. */
  build(request: BuildRequest): Promise<BuildOutcome>;
  /** Makes one image of all layers. Rejects when it was aborted, or when merging itself breaks. */
  merge(request: MergeRequest): Promise<IndexImage>;
}

// ---------------------------------------------------------------- in place

/** More text than a list that is built in place has. */
const IN_PLACE_TEXT_BYTES_MAX = 256 * 1024 * 1024;

/** Without a thread, and at once when the bytes are there: for the simulation and for small lists. */
export const buildInPlace: BuildIndex = {
  async build({ lists, signal, ...basis }) {
    const session = new BuildSession(basis);
    for (const [list, download] of lists.entries()) {
      const pieces: Uint8Array[] = [];
      for await (const piece of download.gzip) {
        signal.throwIfAborted();
        pieces.push(piece);
      }
      const outcome = buildOne(session, download, Buffer.concat(pieces));
      if (outcome.kind === "refused") return { ...outcome, list };
      session.take(download, outcome);
    }
    return { kind: "built", ...session.built };
  },
  merge: async ({ layers, cuts, seal }) => mergeLayers(layers, cuts, true, seal),
};

function buildOne(session: BuildSession, order: ListOrder, gzip: Uint8Array): ListOutcome {
  const builder = session.builder(order);
  try {
    builder.push(gunzipSync(gzip, { maxOutputLength: IN_PLACE_TEXT_BYTES_MAX }));
  } catch (error) {
    return badGzip(error);
  }
  return builder.finish();
}

/** The gzip bytes are no gzip, or not whole; any other error is thrown on. */
export function badGzip(error: unknown): ListOutcome {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code?.startsWith("Z_") !== true && code !== "ERR_BUFFER_TOO_LARGE") throw error;
  return { kind: "refused", name: "bad-gzip", why: `cannot be unpacked: ${message}` };
}

// ---------------------------------------------------------------- in a worker

/**
 * What the worker is told: `begin`, then for each list `list`, its pieces and `end`, then `finish`; or `merge` alone. Pieces lie in
 * the slots of `belt`, shared memory, in turn: handed over as buffers of their own, some 80 MB of them would wait for one
 * side's or the other's garbage collector.
 */
export type ToWorker =
  | {
      kind: "begin";
      belt: Uint8Array;
      lower: SentImage[];
      top: SentImage | null;
      cuts: readonly Cut[];
      corrections: readonly Correction[];
      tokenKey: Uint8Array | null;
    }
  | { kind: "list"; order: ListOrder }
  | { kind: "piece"; slot: number; sizeBytes: number }
  | { kind: "end" }
  | { kind: "finish" }
  | { kind: "merge"; layers: SentImage[]; cuts: readonly Cut[]; tokenKey: Uint8Array | null };

/** An image on its way to the worker, with the key that its tokens are sealed with. */
export interface SentImage {
  bytes: Uint8Array;
  tokenKey: Uint8Array | null;
}

/** What the worker answers: `ready` to each piece, `taken` or `refused` to each `end`, and one result. Images are shared memory. */
export type FromWorker =
  | { kind: "ready" }
  | { kind: "taken" }
  | { kind: "refused"; name: BuildRefusalName; why: string }
  | { kind: "built"; whole: Uint8Array | null; top: Uint8Array | null; ignoredRows: number }
  | { kind: "merged"; bytes: Uint8Array };

/** Pieces on the way to the worker: enough for it never to wait, little enough to hold. */
const SLOTS = 16;
/** A longer piece takes several slots. */
export const SLOT_BYTES = 64 * 1024;

/** In a worker thread of its own, so that the loop never waits for parsing and sorting. */
export const buildInWorker: BuildIndex = {
  build: ({ lists, signal, ...basis }) =>
    inWorker(signal, async (talk) => {
      const { cuts, corrections, lower, top, seal } = basis;
      talk.send({
        kind: "begin",
        belt: talk.belt,
        lower: lower.map(sent),
        top: top === null ? null : sent(top),
        cuts,
        corrections,
        tokenKey: seal.key,
      });
      for (const [list, { gzip, ...order }] of lists.entries()) {
        const answer = await sendList(talk, order, gzip, signal);
        if (answer.kind === "refused") return { ...answer, list };
      }
      const { whole, top: newTop, ignoredRows } = await talk.ask({ kind: "finish" }, "built");
      const imageOrNull = (bytes: Uint8Array | null) => (bytes === null ? null : imageOf(bytes, [seal]));
      return { kind: "built", whole: imageOrNull(whole), top: imageOrNull(newTop), ignoredRows };
    }),

  merge: ({ layers, cuts, seal, signal }) =>
    inWorker(signal, async (talk) => {
      const order = { kind: "merge", layers: layers.map(sent), cuts, tokenKey: seal.key } as const;
      return imageOf((await talk.ask(order, "merged")).bytes, [seal]);
    }),
};

async function inWorker<T>(signal: AbortSignal, use: (talk: WorkerTalk) => Promise<T>): Promise<T> {
  // To start a thread takes the loop two milliseconds the first time: a turn with nothing else in it. It prints nothing; to tie
  // its output to ours would take as long again.
  await pause(0);
  signal.throwIfAborted();
  const worker = new Worker(new URL("./build-worker.js", import.meta.url), { stdout: true, stderr: true });
  const talk = new WorkerTalk(worker);
  const abort = () => void worker.terminate();
  signal.addEventListener("abort", abort);
  try {
    await pause(0);
    return await use(talk);
  } finally {
    signal.removeEventListener("abort", abort);
    await worker.terminate();
  }
}

async function sendList(
  talk: WorkerTalk,
  order: ListOrder,
  gzip: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<Answer<"taken" | "refused">> {
  talk.send({ kind: "list", order });
  for await (const piece of gzip) {
    signal.throwIfAborted();
    for (let at = 0; at < piece.length; at += SLOT_BYTES) {
      await talk.room();
      if (!talk.isOver) talk.sendPiece(piece.subarray(at, at + SLOT_BYTES));
    }
  }
  return talk.ask({ kind: "end" }, "taken", "refused");
}

type Answer<Kind extends FromWorker["kind"]> = Extract<FromWorker, { kind: Kind }>;

/** A worker's answers, one at a time, and its room for further pieces. */
class WorkerTalk {
  readonly belt = new Uint8Array(new SharedArrayBuffer(SLOTS * SLOT_BYTES));
  readonly #worker: Worker;
  #nextSlot = 0;
  #piecesAhead = 0;
  readonly #answers: FromWorker[] = [];
  #broken: Error | null = null;
  #wake: () => void = () => undefined;

  constructor(worker: Worker) {
    this.#worker = worker;
    worker.on("message", (message: FromWorker) => {
      if (message.kind === "ready") this.#piecesAhead -= 1;
      else this.#answers.push(message);
      this.#wake();
    });
    worker.on("error", (error) => this.#break(error.message));
    worker.on("exit", () => this.#break("the worker ended"));
  }

  send(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  /** Only when there is room. */
  sendPiece(bytes: Uint8Array): void {
    const slot = this.#nextSlot;
    this.belt.set(bytes, slot * SLOT_BYTES);
    this.#nextSlot = (slot + 1) % SLOTS;
    this.#piecesAhead += 1;
    this.send({ kind: "piece", slot, sizeBytes: bytes.length });
  }

  /** There is an answer, or never will be: nothing more need be sent. */
  get isOver(): boolean {
    return this.#answers.length > 0 || this.#broken !== null;
  }

  /** Resolves once another piece may be sent, or none need be. */
  async room(): Promise<void> {
    while (this.#piecesAhead >= SLOTS && !this.isOver) await this.#news();
  }

  async ask<Kind extends FromWorker["kind"]>(question: ToWorker, ...kinds: Kind[]): Promise<Answer<Kind>> {
    this.send(question);
    for (;;) {
      const answer = this.#answers.shift();
      if (answer !== undefined && kinds.some((kind) => kind === answer.kind)) return answer as Answer<Kind>;
      if (answer !== undefined)
        throw new Error(`the index could not be built: the worker said ${answer.kind}`);
      if (this.#broken !== null) throw this.#broken;
      await this.#news();
    }
  }

  #news(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #break(why: string): void {
    this.#broken ??= new Error(`the index could not be built: ${why}`);
    this.#wake();
  }
}

function sent({ bytes, seal }: IndexImage): SentImage {
  return { bytes, tokenKey: seal.key };
}

/** `seals`: those that it may have. */
export function imageOf(bytes: Uint8Array, seals: readonly TokenSeal[]): IndexImage {
  const opened = readImage(bytes, seals);
  if (opened.kind === "refused") throw new Error(opened.why);
  return opened.image;
}
