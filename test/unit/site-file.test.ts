/** Commands beside a gateway that does not run judge by the floor that it will find when it starts. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { Configuration } from "../../config/schema.ts";
import { openSiteFile } from "../../daemon/commands/site-file.ts";
import { createFiles } from "../../drivers/files.ts";
import { createSystemDisk, systemRandom } from "../../drivers/system.ts";
import { SimClock } from "../sim/clock.ts";
import { writeJournal } from "./paper-journal.ts";

const CARD = "BB-2611-000001";

test.each([
  { after: "a day in one file", hours: [["06", "07"]] },
  { after: "a file begun a moment ago, by a clock that had been wrong", hours: [["06", "07"], ["05"]] },
])("an untrusted clock is judged by the floor after $after", async ({ hours }) => {
  const dataDir = await mkdtemp(join(tmpdir(), "site-file-"));
  onTestFinished(() => rm(dataDir, { recursive: true }));
  const on = (hour: string) => ({
    time: `2026-11-20T${hour}:00:00.000Z`,
    card: CARD,
    trusted: true as const,
  });
  await writeJournal(
    join(dataDir, "journal"),
    hours.map((taps) => taps.map(on)),
  );
  const clock = new SimClock({ trustedAfterMs: Number.POSITIVE_INFINITY });
  const files = createFiles(createSystemDisk(), systemRandom);
  const configuration = { dataDir, gateway: { timeZone: "UTC" } } as Configuration;
  const desk = await openSiteFile(configuration, { clock, files, random: systemRandom });
  expect(new Date(desk.judgedMs()).toISOString()).toBe("2026-11-20T07:00:00.000Z");
});
