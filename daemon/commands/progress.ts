/** A bar on a terminal, for what takes long; nothing at all where standard error is no terminal. */

/** What is drawn oftener, nobody sees. */
const INTERVAL_MS = 100;
const BAR_CHARS = 24;

export interface Bar {
  show(step: string, done: number, of: number): void;
  /** The line is free again. */
  clear(): void;
}

export function createBar(stream: NodeJS.WriteStream = process.stderr): Bar {
  if (!stream.isTTY) return { show() {}, clear() {} };
  let shownMs = Number.NEGATIVE_INFINITY;
  let isShown = false;
  return {
    show(step, done, of) {
      const nowMs = performance.now();
      if (nowMs - shownMs < INTERVAL_MS) return;
      shownMs = nowMs;
      isShown = true;
      const share = of === 0 ? 1 : Math.min(1, done / of);
      const full = Math.round(share * BAR_CHARS);
      const bar = "█".repeat(full) + "░".repeat(BAR_CHARS - full);
      stream.write(
        `\r\u001b[K${step.padEnd(10)} ${bar} ${Math.floor(100 * share)
          .toString()
          .padStart(3)} %`,
      );
    },
    clear() {
      if (isShown) stream.write("\r\u001b[K");
      isShown = false;
    },
  };
}
