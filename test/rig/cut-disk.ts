/**
 * A disk for the guest that remembers in which order it was written, so that it can be had as a power cut at any moment would
 * have left it. A real drive has a volatile cache: what was written and not flushed may be gone, or there in part, in any
 * order. Killing QEMU would not show that: what reached its disk is safe in the host's memory, flushed or not.
 */

/** What becomes of unflushed writes: all lost; each by a coin toss; each sector by a coin toss. */
export type Loss = "all" | "some" | "torn";

type Step<Mark> =
  | { kind: "write"; offset: number; bytes: Buffer; isForced: boolean }
  | { kind: "flush" }
  | { kind: "mark"; mark: Mark };

export interface Moment {
  /** In the record: the cut comes before this step. */
  step: number;
  loss: Loss;
}

const SECTOR_BYTES = 512;

/** `Mark`: what was known outside at a moment. */
export class CutDisk<Mark> {
  /** As the guest reads it. */
  #image: Buffer;
  #before: Buffer;
  #steps: Step<Mark>[] = [];
  #isRecording = false;

  constructor(image: Buffer) {
    this.#image = image;
    this.#before = image;
  }

  get sizeBytes(): number {
    return this.#image.length;
  }

  read(offset: number, length: number): Buffer {
    return this.#image.subarray(offset, offset + length);
  }

  /** `isForced`: it is on the disk when this returns, whatever becomes of those before it (FUA). */
  write(offset: number, bytes: Buffer, isForced: boolean): void {
    bytes.copy(this.#image, offset);
    // The bytes are the caller's, who goes on with his buffer.
    if (this.#isRecording) this.#steps.push({ kind: "write", offset, bytes: Buffer.from(bytes), isForced });
  }

  flush(): void {
    if (this.#isRecording) this.#steps.push({ kind: "flush" });
  }

  mark(mark: Mark): void {
    if (this.#isRecording) this.#steps.push({ kind: "mark", mark });
  }

  /** From here on; the guest must have synced. */
  record(): void {
    this.#before = Buffer.from(this.#image);
    this.#steps = [];
    this.#isRecording = true;
  }

  stopRecording(): void {
    this.#isRecording = false;
  }

  /** Another content, while the guest stands still. */
  replace(image: Buffer): void {
    this.#image = Buffer.from(image);
  }

  /** Moments just before and just after flushes, `count` of them, evenly over the record. */
  moments(count: number): Moment[] {
    const losses: readonly Loss[] = ["all", "torn", "some"];
    const all = this.#steps.flatMap(({ kind }, step) =>
      kind === "flush" ? losses.flatMap((loss) => [step, step + 1].map((at) => ({ step: at, loss }))) : [],
    );
    const wanted = Math.min(count, all.length);
    return Array.from({ length: wanted }, (_, index) => all[Math.floor((index * all.length) / wanted)]!);
  }

  /**
   * The disk as each cut leaves it, and the last mark before the cut. `moments`: in the order of `moments()`. A drive that
   * `lies` says that it has flushed and has not.
   */
  *cuts(
    moments: readonly Moment[],
    lies = false,
  ): Generator<{ moment: Moment; image: Buffer; mark: Mark | null }> {
    const safe = Buffer.from(this.#before);
    let unsafe: Extract<Step<Mark>, { kind: "write" }>[] = [];
    let mark: Mark | null = null;
    let at = 0;
    for (const moment of moments) {
      for (; at < moment.step; at += 1) {
        const step = this.#steps[at]!;
        if (step.kind === "mark") mark = step.mark;
        else if (step.kind === "write") unsafe.push(step);
        else if (!lies) {
          for (const { offset, bytes } of unsafe) bytes.copy(safe, offset);
          unsafe = [];
        }
      }
      const image = Buffer.from(safe);
      const toss = coin(moment.step);
      for (const write of unsafe) survive(write, moment.loss, toss, image);
      yield { moment, image, mark };
    }
  }
}

function survive(
  { offset, bytes, isForced }: { offset: number; bytes: Buffer; isForced: boolean },
  loss: Loss,
  toss: () => boolean,
  image: Buffer,
): void {
  if (isForced || (loss === "some" && toss())) bytes.copy(image, offset);
  else if (loss === "torn") {
    for (let at = 0; at < bytes.length; at += SECTOR_BYTES)
      if (toss()) bytes.copy(image, offset + at, at, at + SECTOR_BYTES);
  }
}

/** The same for the same seed (xorshift32). */
function coin(seed: number): () => boolean {
  let state = (seed + 1) * 0x9e3779b1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state & 0x100) !== 0;
  };
}
