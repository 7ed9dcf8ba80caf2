/**
 * Every way in which what a reader showed could be read: the settings of `reads` that make a credential of it, the plainest
 * first. Which of them is right only a card that somebody knows can tell.
 */
import { WIEGAND_LENGTHS } from "./codec/wiegand.ts";
import type { Reading, Sight } from "./driver.ts";
import { type Reads, readBits, readText, type TextReads } from "./reads.ts";

export interface Candidate {
  /** Null where the reader's driver has no such setting: it reads UIDs. */
  reads: Reads | null;
  reading: Extract<Reading, { kind: "credential" }>;
}

const ORDERS = ["msb", "lsb"] as const;
/** Whole UIDs first: a cut one fits more cards. */
const CUTS = [undefined, "first", "last"] as const;

const UID_READS: readonly TextReads[] = CUTS.flatMap((cut) =>
  (["hex", "dec"] as const).flatMap((uid) =>
    ORDERS.flatMap((order) =>
      ([4, 7, 10, 3] as const)
        .filter((bytes) => (cut === undefined ? bytes !== 3 : bytes < 7))
        .map((bytes) => ({ uid, order, bytes, ...(cut === undefined ? {} : { cut }) })),
    ),
  ),
);
const TEXT_READS: readonly TextReads[] = ["card-number", "uid", ...UID_READS];

/** None for bytes of the wire: a frame of them may be something, each by itself is nothing. */
export function candidatesOf(sight: Sight, issuers: readonly string[]): Candidate[] {
  switch (sight.kind) {
    case "bytes":
      return [];
    case "text":
      return distinct(TEXT_READS.map((reads) => [reads, readText(sight.text, reads, issuers)]));
    case "bits":
      return distinct(bitReads(sight.countBits).map((reads) => [reads, readBits(sight, reads, issuers)]));
    case "uid":
      return distinct([[null, readText(Buffer.from(sight.bytes).toString("hex"), "uid", issuers)]]);
  }
}

/** Bits of a UID's bytes are never decimal digits. */
function bitReads(countBits: number): readonly Reads[] {
  const wiegand = WIEGAND_LENGTHS.find((length) => length === countBits);
  const bare = TEXT_READS.filter(
    (reads) => reads === "uid" || (typeof reads === "object" && reads.uid === "hex"),
  );
  if (wiegand === undefined) return bare;
  const wrapped = CUTS.filter((cut) => wiegand <= 40 || cut === undefined).flatMap((cut) =>
    ORDERS.map((order) => ({
      wiegand,
      order,
      identityOf16Bits: wiegand === 26,
      ...(cut === undefined ? {} : { cut }),
    })),
  );
  return [...wrapped, ...bare];
}

/** Of several settings that make the same of it, the first. */
function distinct(readings: readonly (readonly [Reads | null, Reading])[]): Candidate[] {
  const seen = new Set<string>();
  return readings.flatMap(([reads, reading]) => {
    if (reading.kind === "misread") return [];
    const { credential } = reading;
    const key = credential.kind === "number" ? credential.number : `${credential.part} ${credential.uid}`;
    if (seen.has(key)) return [];
    seen.add(key);
    return [{ reads, reading }];
  });
}
