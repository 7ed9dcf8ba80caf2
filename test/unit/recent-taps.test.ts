/** The last taps of a journal whose oldest segments have been dropped. */
import { expect, it } from "vitest";
import { segmentPath } from "../../daemon/journal-segments.ts";
import { recentTaps } from "../../daemon/recent-taps.ts";
import { encodeLine, GENESIS, type Line } from "../../daemon/record.ts";
import { createFiles } from "../../drivers/files.ts";
import { SimDisk } from "../sim/disk.ts";
import { SimRandom } from "../sim/random.ts";

const FIRST_SEQ = 5_000_000;

function line(seq: number, type: Line["type"]): string {
  const time = "2026-11-23T06:00:00.000Z";
  return `${encodeLine({ seq, prev: GENESIS, batch: seq, type, subject: "north-in", time, data: {} })}\n`;
}

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
  const taps = await recentTaps(counted, "/journal", { gateway: "g", site: "s" }, 20, FIRST_SEQ + 2);
  expect(taps.map(({ id }) => id)).toEqual([`g/${FIRST_SEQ + 2}`, `g/${FIRST_SEQ}`]);
  expect(looks).toBeLessThan(5);
});
