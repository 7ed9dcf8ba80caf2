import type { FeedReply, FeedSource } from "../../drivers/ports.ts";
import type { SimClock } from "./clock.ts";
import { SimRandom } from "./random.ts";

/**
 * `missing`, `unreachable`: as the port says. `broken`: the body breaks in the middle. `flipped`: one bit of it is
 * wrong. `truncated`: it ends too early, as if that were all. `endless`: it never ends. `stalled`: no answer ever comes.
 */
export type FeedFault =
  | "missing"
  | "unreachable"
  | "broken"
  | "flipped"
  | "truncated"
  | "endless"
  | "stalled";

/** How much an endless body gives before its reader must have stopped. */
const ENDLESS_BYTES_MAX = 1024 ** 3;
const PIECE_BYTES_MAX = 64 * 1024;
/** Publications that a lying mirror may fall back to. */
const PAST_MAX = 8;

export interface SimFeedOptions {
  random?: SimRandom;
  trace?: (line: string) => void;
}

/** A feed's files in memory, and the way to them. `attach` gives one gateway life's source. */
export class SimFeed implements FeedSource {
  readonly name = "simulated feed";
  readonly files = new Map<string, Uint8Array>();
  /** What the files were at earlier publications, oldest first. */
  readonly past: ReadonlyMap<string, Uint8Array>[] = [];
  /** Which bytes are handed out for a path: a mirror that lies hands out others than the centre's. */
  serve: (path: string) => Uint8Array | undefined = (path) => this.files.get(path);
  /** What goes wrong with a file, asked at each fetch. */
  faultOf: (path: string) => FeedFault | null = () => null;
  /** From asking to the answer. Without a clock of a gateway, none. */
  latencyMs: [number, number] = [5, 50];
  /** What was asked for, in order. */
  readonly fetched: string[] = [];
  readonly #random: SimRandom;
  readonly #trace: ((line: string) => void) | undefined;

  constructor(options: SimFeedOptions = {}) {
    this.#random = options.random ?? new SimRandom("feed");
    this.#trace = options.trace;
  }

  /** The centre has published: these are the files now. */
  publish(files: ReadonlyMap<string, Uint8Array>): void {
    if (this.files.size > 0) this.past.push(new Map(this.files));
    if (this.past.length > PAST_MAX) this.past.shift();
    this.files.clear();
    for (const [path, bytes] of files) this.files.set(path, bytes);
  }

  attach(clock: SimClock): FeedSource {
    const [low, high] = this.latencyMs;
    return {
      name: this.name,
      fetch: (path) =>
        new Promise((resolve) => {
          clock.after(this.#random.between(low, high), () => {
            this.fetch(path).then((reply) => {
              if (!clock.hasEnded) resolve(reply);
            });
          });
        }),
    };
  }

  fetch(path: string): Promise<FeedReply> {
    this.fetched.push(path);
    const fault = this.faultOf(path);
    const content = this.serve(path);
    this.#trace?.(`feed ${path} ${fault ?? (content === undefined ? "missing" : `${content.length} bytes`)}`);
    if (fault === "stalled") return new Promise(() => undefined);
    if (fault === "unreachable")
      return Promise.resolve({ kind: "unreachable", why: "simulated: no route to the feed" });
    if (fault === "missing" || content === undefined) return Promise.resolve({ kind: "missing" });
    return Promise.resolve({ kind: "found", body: this.#body(content, fault) });
  }

  async *#body(
    content: Uint8Array,
    fault: "broken" | "flipped" | "truncated" | "endless" | null,
  ): AsyncGenerator<Uint8Array> {
    const sent = content.slice();
    if (fault === "flipped" && sent.length > 0) {
      const at = this.#random.between(0, sent.length - 1);
      sent[at]! ^= 1 << this.#random.between(0, 7);
    }
    const isShort = fault === "broken" || fault === "truncated";
    const endBytes = isShort ? Math.floor(sent.length / 2) : sent.length;
    for (let at = 0; at < endBytes; ) {
      const piece = sent.subarray(at, Math.min(endBytes, at + this.#random.between(1, PIECE_BYTES_MAX)));
      at += piece.length;
      yield piece;
    }
    if (fault === "broken") throw new Error("simulated: the connection broke");
    if (fault !== "endless") return;
    for (let sentBytes = 0; sentBytes < ENDLESS_BYTES_MAX; sentBytes += PIECE_BYTES_MAX) {
      yield new Uint8Array(PIECE_BYTES_MAX);
    }
    throw new Error("nobody stopped reading an endless body");
  }
}
