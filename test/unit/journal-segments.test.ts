import { expect, it } from "vitest";
import { listSegments } from "../../daemon/journal/journal-segments.ts";
import type { Files } from "../../drivers/ports.ts";

it("files whose names no sequence can have are no segments", async () => {
  const names = ["0000000000000001.ndjson", "0000000000000027.ndjson", "9999999999999999.ndjson", "x.ndjson"];
  const files = { names: async () => names } as unknown as Files;
  const segments = await listSegments(files, "/journal");
  expect(segments.map(({ firstSeq, lastSeq }) => [firstSeq, lastSeq])).toEqual([
    [1, 26],
    [27, Number.POSITIVE_INFINITY],
  ]);
});
