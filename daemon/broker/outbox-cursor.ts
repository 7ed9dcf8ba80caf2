/** The outbox's cursor: up to which sequence everything is acknowledged, and how far that is written down. */
import type { Clock, Files, Log, Timer } from "../../drivers/ports.ts";
import { hashLine } from "../journal/record.ts";
import { within } from "../within.ts";
import { wordsOf } from "../words.ts";

/** It is written down this often at most: after a crash, what was acknowledged since is sent again. */
const SAVE_MS = 1_000;
/** How long a stop waits for a disk that does not answer; what is not written down is sent again. */
const STOP_MS = 2_000;
const BYTES_MAX = 1_024;

export interface CursorWorld {
  clock: Clock;
  files: Files;
  log: Log;
}

export class OutboxCursor {
  readonly #path: string;
  readonly #world: CursorWorld;
  readonly #saved: (seq: number) => void;
  #seq = 0;
  #savedSeq = 0;
  #timer: Timer | null = null;
  #saving: Promise<void> | null = null;
  /** It could not be written, and that has been said. */
  #fails = false;
  #isStopped = false;

  /** `saved`: it is on the disk up to there. */
  constructor(path: string, world: CursorWorld, saved: (seq: number) => void) {
    this.#path = path;
    this.#world = world;
    this.#saved = saved;
  }

  get seq(): number {
    return this.#seq;
  }

  /** One that cannot be read counts as none: events are sent again rather than not at all. */
  async load(): Promise<void> {
    const { files, log } = this.#world;
    const path = this.#path;
    try {
      this.#seq = await readCursor(files, path);
    } catch (error) {
      log.warn("the outbox's cursor cannot be read: events are sent again", { path, why: wordsOf(error) });
    }
    this.#savedSeq = this.#seq;
  }

  /** Forward only; written down before long. */
  moveTo(seq: number): void {
    this.#seq = seq;
    this.#saveSoon();
  }

  /** Writes it down, if the disk lets it. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await within(this.#world.clock, STOP_MS, this.#saveLast());
  }

  #saveSoon(): void {
    if (this.#timer !== null || this.#saving !== null || this.#isStopped) return;
    this.#timer = this.#world.clock.after(SAVE_MS, () => {
      this.#timer = null;
      this.#saving = this.#save().finally(() => {
        this.#saving = null;
        if (this.#savedSeq !== this.#seq) this.#saveSoon();
      });
    });
  }

  async #saveLast(): Promise<void> {
    await this.#saving;
    await this.#save();
  }

  async #save(): Promise<void> {
    const seq = this.#seq;
    if (seq === this.#savedSeq) return;
    try {
      await this.#world.files.replace(this.#path, Buffer.from(cursorText(seq)));
      this.#savedSeq = seq;
      this.#fails = false;
      this.#saved(seq);
    } catch (error) {
      if (this.#fails) return;
      this.#fails = true;
      const message = "the outbox's cursor could not be written: after a restart events are sent again";
      this.#world.log.warn(message, { why: wordsOf(error) });
    }
  }
}

/** The sequence up to which everything is acknowledged; 0 where there is no cursor. Rejects where it cannot be read. */
export async function readCursor(files: Files, path: string): Promise<number> {
  const bytes = await files.read(path, BYTES_MAX);
  return bytes === null ? 0 : cursorOf(Buffer.from(bytes).toString("utf8"));
}

/** With a check: a digit that changed on the disk must not pass events over that were never sent. */
function cursorText(acknowledged: number): string {
  return `${JSON.stringify({ acknowledged, sha256: hashLine(String(acknowledged)) })}\n`;
}

/** Throws where the text is not one that `cursorText` wrote. */
function cursorOf(text: string): number {
  const { acknowledged } = JSON.parse(text) as { acknowledged: unknown };
  if (!Number.isSafeInteger(acknowledged) || cursorText(Number(acknowledged)) !== text)
    throw new Error("it is damaged");
  return Number(acknowledged);
}
