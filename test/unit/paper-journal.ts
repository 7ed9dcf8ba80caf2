/** A journal written by hand: taps of our own choosing, chained as the gateway chains them. */
import { mkdir, writeFile } from "node:fs/promises";
import { encodeLine, GENESIS, hashLine } from "../../daemon/journal/record.ts";

export interface PaperTap {
  /** RFC 3339, UTC. */
  time: string;
  card: string | null;
  direction?: "entry" | "exit";
  /** `granted`, or why not. */
  reason?: string;
  /** Said by hand, and when it is said to have been. */
  byHand?: { when: string; why: string };
  /** By a clock that was trusted, and says so. */
  trusted?: true;
}

/** One segment for each row of taps, in `dir`; gives back the segments' names and texts. */
export async function writeJournal(
  dir: string,
  segments: readonly (readonly PaperTap[])[],
): Promise<{ path: string; text: string }[]> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  let seq = 0;
  let prev = GENESIS;
  const written = [];
  for (const taps of segments) {
    const path = `${dir}/${String(seq + 1).padStart(16, "0")}.ndjson`;
    let text = "";
    for (const { time, card, direction = "entry", reason = "granted", byHand, trusted } of taps) {
      seq += 1;
      const granted = reason === "granted";
      const place = { workplaceId: "8112345678", accessPoint: "north", direction, card };
      const who = { by: "command", name: "anna" };
      const clock = trusted === undefined ? {} : { clock: { trusted, boot: "paper", uptimeMs: seq } };
      const data =
        byHand === undefined
          ? { ...place, reader: "n-1", granted, reason, ...clock }
          : { event: direction === "entry" ? "entered" : "left", manual: true, ...place, ...byHand, who };
      const line = encodeLine({
        seq,
        prev,
        batch: seq,
        type: byHand === undefined ? "grindvakt.tap.v1" : "grindvakt.passage.v1",
        subject: "north",
        time,
        data,
      });
      prev = hashLine(line);
      text += `${line}\n`;
    }
    await writeFile(path, text);
    written.push({ path, text });
  }
  return written;
}
