/** What stands on disk: names of segments, and where in one of them a line is. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { entriesIn } from "../../daemon/journal/journal-reader.ts";
import { listSegments, segmentPath } from "../../daemon/journal/journal-segments.ts";
import { encodeLine, GENESIS, hashLine } from "../../daemon/journal/record.ts";
import { createFiles } from "../../drivers/files.ts";
import type { Files } from "../../drivers/ports.ts";
import { SimDisk } from "../sim/disk.ts";
import { SimRandom } from "../sim/random.ts";

const FIRST_SEQ = 1_000;
const SEGMENT = {
  path: segmentPath("/journal", FIRST_SEQ),
  firstSeq: FIRST_SEQ,
  lastSeq: Number.POSITIVE_INFINITY,
};

async function filesWith(bytes: Uint8Array): Promise<Files> {
  const files = createFiles(new SimDisk(), new SimRandom(1));
  await files.makeDirs("/journal");
  await files.replace(SEGMENT.path, bytes);
  return files;
}

/** Lines as they are written, of so many words each. */
function chainOf(words: readonly number[]): string[] {
  let prev = GENESIS;
  return words.map((count, index) => {
    const seq = FIRST_SEQ + index;
    const data = { words: "x".repeat(count) };
    const time = "2026-11-23T06:00:00.000Z";
    const line = encodeLine({
      seq,
      prev,
      batch: seq,
      type: "grindvakt.tap.v1",
      subject: "north-in",
      time,
      data,
    });
    prev = hashLine(line);
    return `${line}\n`;
  });
}

async function seqsFrom(files: Files, fromSeq: number, toSeq?: number): Promise<number[]> {
  const seqs: number[] = [];
  for await (const { line } of entriesIn(files, SEGMENT, fromSeq, toSeq)) seqs.push(line.seq);
  return seqs;
}

it("files whose names no sequence can have are no segments", async () => {
  const names = ["0000000000000001.ndjson", "0000000000000027.ndjson", "9999999999999999.ndjson", "x.ndjson"];
  const files = { names: async () => names } as unknown as Files;
  const segments = await listSegments(files, "/journal");
  expect(segments.map(({ firstSeq, lastSeq }) => [firstSeq, lastSeq])).toEqual([
    [1, 26],
    [27, Number.POSITIVE_INFINITY],
  ]);
});

it("lines are found from any sequence on, however long they are and whatever is damaged", async () => {
  const damage = fc.array(
    fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), bytes: fc.nat(40_000) }),
    {
      maxLength: 3,
    },
  );
  const lengths = fc.array(fc.oneof({ weight: 9, arbitrary: fc.nat(2_000) }, fc.nat(30_000)), {
    minLength: 1,
    maxLength: 300,
  });
  await fc.assert(
    fc.asyncProperty(lengths, damage, fc.nat(310), async (words, holes, from) => {
      const bytes = Buffer.from(chainOf(words).join(""));
      for (const { at, bytes: length } of holes)
        bytes
          .subarray(at * bytes.length)
          .subarray(0, length)
          .fill(0);
      const files = await filesWith(bytes);
      const all = await seqsFrom(files, FIRST_SEQ);
      expect(await seqsFrom(files, FIRST_SEQ + from)).toEqual(all.filter((seq) => seq >= FIRST_SEQ + from));
    }),
    { numRuns: 60 },
  );
});

it("the last lines of a day are read without the day", async () => {
  const lines = chainOf(Array(20_000).fill(400));
  const files = await filesWith(Buffer.from(lines.join("")));
  let readBytes = 0;
  const counted: Files = {
    ...files,
    open: async (path, how) => {
      const file = await files.open(path, how);
      return {
        ...file,
        sizeBytes: () => file.sizeBytes(),
        close: () => file.close(),
        read: async (offset, length) => {
          const read = await file.read(offset, length);
          readBytes += read.length;
          return read;
        },
      };
    },
  };
  const lastSeq = FIRST_SEQ + lines.length - 1;
  expect(await seqsFrom(counted, lastSeq - 9)).toEqual(
    Array.from({ length: 10 }, (_, index) => lastSeq - 9 + index),
  );
  expect(readBytes).toBeLessThan(200_000);
});

it("a number of which the disk lost a bit leads past no line that is whole", async () => {
  const lines = chainOf(Array(400).fill(400));
  const all = lines.map((_, index) => FIRST_SEQ + index);
  const fromSeq = FIRST_SEQ + 250;
  for (let at = 300; at < 400; at += 1) {
    const damaged = lines.with(at, lines[at]!.replace('"seq":13', '"seq":11'));
    const files = await filesWith(Buffer.from(damaged.join("")));
    const whole = all.filter((seq) => seq >= fromSeq && seq !== FIRST_SEQ + at);
    expect(await seqsFrom(files, fromSeq)).toEqual(whole);
  }
});

it.each(["seq", "batch"])("a %s that is damaged does not end the reading before its time", async (name) => {
  const lines = chainOf(Array(400).fill(40));
  const damaged = lines.with(150, lines[150]!.replace(`"${name}":1`, `"${name}":9`));
  const files = await filesWith(Buffer.from(damaged.join("")));
  const seqs = await seqsFrom(files, FIRST_SEQ, FIRST_SEQ + 299);
  expect(seqs.slice(-149)).toEqual(Array.from({ length: 149 }, (_, index) => FIRST_SEQ + 151 + index));
});
