/** The journal as the house has it: its lines go to the outbox, and that it fails is said. */
import type { Clock, Files, Log } from "../drivers/ports.ts";
import type { Outbox } from "./broker/outbox.ts";
import { pathsOf } from "./data-paths.ts";
import type { HouseSettings } from "./house-ports.ts";
import { Journal, type JournalSettings } from "./journal/journal.ts";

/** Its tail is read in a tenth of a second at start, and 512 of them hold the default `maxBytes`. */
const SEGMENT_BYTES_MAX = 4 * 1024 * 1024;
const DAY_MS = 24 * 3_600_000;

export interface JournalRooms {
  outbox: Outbox;
  /** Journals and reports something about the gateway itself. */
  note(event: string, data: Record<string, unknown>): void;
}

/** The journal of a gateway, by its configuration. */
export function journalSettings({
  gateway,
  boot,
  dataDir,
  journal,
}: Pick<HouseSettings, "gateway" | "boot" | "dataDir" | "journal">): JournalSettings {
  return {
    dir: pathsOf(dataDir).journal,
    gateway,
    boot,
    keepMs: journal.keepDays * DAY_MS,
    maxBytes: journal.maxBytes,
    segmentBytesMax: SEGMENT_BYTES_MAX,
  };
}

export function createJournal(
  settings: JournalSettings,
  { clock, files, log }: { clock: Clock; files: Files; log: Log },
  { outbox, note }: JournalRooms,
): Journal {
  return new Journal(
    settings,
    { clock, files, log },
    {
      synced: (entries) => outbox.synced(entries),
      volatile: (record) => outbox.volatile(record),
      failed: (why) => {
        log.error("the journal cannot be written", { why });
        note("journal-failed", { why });
      },
      gone: (sequences) => {
        log.error("somebody took journal segments away", sequences);
        note("journal-gone", sequences);
      },
      recovered: (lostRecords) => {
        log.warn("the journal is written again", { lostRecords });
        note("journal-recovered", { lostRecords });
      },
    },
  );
}
