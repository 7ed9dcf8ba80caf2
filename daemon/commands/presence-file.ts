/** Presence with the gateway stopped: read from the journal, and, under the gateway's lock, written to it. */
import { randomUUID } from "node:crypto";
import type { Configuration } from "../../config/schema.ts";
import { createLog } from "../../drivers/log.ts";
import type { System } from "../../drivers/system.ts";
import { readCursor } from "../broker/outbox-cursor.ts";
import { pathsOf } from "../data-paths.ts";
import { journalSettings } from "../house-journal.ts";
import { Journal, type JournalEvents } from "../journal/journal.ts";
import { readEntries, readLast } from "../journal/journal-reader.ts";
import { RESUME_LINES, resume } from "../journal/resume.ts";
import { Scribe } from "../journal/scribe.ts";
import { Presence } from "../presence/presence.ts";
import { type HandAnswer, type HandRequest, PresenceDesk } from "../presence/presence-desk.ts";
import { replayJournal } from "../presence/presence-replay.ts";
import { Exit } from "./exit.ts";
import { refuseStrange } from "./journal-site.ts";
import { withLock } from "./lock.ts";

/** Whoever writes with it holds the gateway's lock. */
async function openDesk(
  configuration: Configuration,
  system: System,
  journal: Journal,
): Promise<PresenceDesk> {
  const { gateway, accessPoints, dataDir } = configuration;
  const { files, clock } = system;
  const dir = pathsOf(dataDir).journal;
  const headSeq = (await readLast(files, dir, 1))[0]?.line.seq ?? 0;
  const scribe = new Scribe(randomUUID(), clock, (draft) => journal.append(draft));
  const last = readEntries(files, dir, Math.max(1, headSeq - RESUME_LINES), headSeq);
  scribe.raiseFloor((await resume(last, gateway.id, new Set())).trustedFloorMs);
  const desk = new PresenceDesk(
    { gateway: gateway.id, workplaceId: gateway.workplaceId ?? null, accessPoints },
    { presence: new Presence(), scribe, changed: () => undefined },
  );
  const judgedMs = scribe.judgedMs(scribe.stamp());
  desk.restore(await replayJournal(files, dir, { gateway: gateway.id, headSeq, judgedMs }), true);
  return desk;
}

export async function openPresence(configuration: Configuration, system: System): Promise<PresenceDesk> {
  await refuseStrange(configuration, system);
  return openDesk(configuration, system, journalOf(configuration, system));
}

export function sayWithoutDaemon(
  configuration: Configuration,
  system: System,
  request: HandRequest,
): Promise<HandAnswer> {
  return withLock(configuration.dataDir, system, async () => {
    await refuseStrange(configuration, system);
    const journal = journalOf(configuration, system);
    try {
      const { tornBytes, damaged } = await journal.start(
        await readCursor(system.files, pathsOf(configuration.dataDir).cursor).catch(() => 0),
      );
      if (tornBytes > 0)
        process.stderr.write(`warning: cut a torn tail of ${tornBytes} bytes off the journal\n`);
      if (damaged) process.stderr.write("warning: the journal is damaged; see: grindvakt journal verify\n");
      if (journal.state === "failed") throw new Exit(1, "the journal cannot be written");
      return await (await openDesk(configuration, system, journal)).say(request);
    } finally {
      await journal.stop();
    }
  });
}

/** Not started: it can be read, and not written. */
function journalOf({ gateway, dataDir, journal }: Configuration, system: System): Journal {
  const settings = { gateway: gateway.id, boot: randomUUID(), dataDir, journal };
  return new Journal(journalSettings(settings), { ...system, log: createLog("error") }, NOBODY);
}

const NOBODY: JournalEvents = {
  synced: () => undefined,
  volatile: () => undefined,
  failed: () => undefined,
  recovered: () => undefined,
  gone: () => undefined,
};
