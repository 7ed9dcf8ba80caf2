/** The last taps of a journal whose oldest segments have been dropped. */
import { expect, it } from "vitest";
import { recentTaps, type TapPage } from "../../daemon/answers/recent-taps.ts";
import { segmentPath } from "../../daemon/journal/journal-segments.ts";
import { encodeLine, GENESIS, type Line } from "../../daemon/journal/record.ts";
import { createFiles } from "../../drivers/files.ts";
import { SimDisk } from "../sim/disk.ts";
import { SimRandom } from "../sim/random.ts";

const SENDER = { gateway: "g", site: "s" };
const FIRST_SEQ = 5_000_000;

function line(seq: number, type: Line["type"]): string {
  const time = "2026-11-23T06:00:00.000Z";
  return `${encodeLine({ seq, prev: GENESIS, batch: seq, type, subject: "north-in", time, data: {} })}\n`;
}

it("are looked for in so many lines at a time, and the next page goes on where one ended", async () => {
  const files = createFiles(new SimDisk(), new SimRandom(1));
  await files.makeDirs("/journal");
  const isTap = (seq: number): boolean => seq <= 3 || seq > 50_000;
  const text = Array.from({ length: 50_002 }, (_, index) =>
    line(index + 1, isTap(index + 1) ? "grindvakt.tap.v1" : "grindvakt.passage.v1"),
  ).join("");
  await files.replace(segmentPath("/journal", 1), new TextEncoder().encode(text));
  const pages: string[][] = [];
  for (let endSeq: number | null = 50_002; endSeq !== null; ) {
    const page: TapPage = await recentTaps(files, "/journal", SENDER, 4, endSeq);
    pages.push(page.taps.map(({ id }) => id));
    endSeq = page.next === null ? null : page.next - 1;
  }
  expect(pages).toEqual([["g/50002", "g/50001"], [], ["g/3", "g/2", "g/1"]]);
});

it("come newest first, and nothing is looked for before the first line that is left", async () => {
  const files = createFiles(new SimDisk(), new SimRandom(1));
  await files.makeDirs("/journal");
  const text = [
    line(FIRST_SEQ, "grindvakt.tap.v1"),
    line(FIRST_SEQ + 1, "grindvakt.passage.v1"),
    line(FIRST_SEQ + 2, "grindvakt.tap.v1"),
  ].join("");
  await files.replace(segmentPath("/journal", FIRST_SEQ), new TextEncoder().encode(text));
  let looks = 0;
  const counted = {
    ...files,
    names: (path: string) => {
      looks += 1;
      return files.names(path);
    },
  };
  const { taps, next } = await recentTaps(counted, "/journal", SENDER, 20, FIRST_SEQ + 2);
  expect(next).toBeNull();
  expect(taps.map(({ id }) => id)).toEqual([`g/${FIRST_SEQ + 2}`, `g/${FIRST_SEQ}`]);
  expect(looks).toBeLessThan(5);
});
