/** What a gateway that starts on a disk after a power cut would find wrong with it, by the gateway's own code. */

import { readCursor } from "../../daemon/broker/outbox-cursor.ts";
import { pathsOf } from "../../daemon/data-paths.ts";
import { Journal } from "../../daemon/journal/journal.ts";
import { verifyJournal } from "../../daemon/journal/journal-proof.ts";
import { keptInside, sealsOf } from "../../daemon/token-key.ts";
import { createSystem } from "../../drivers/system.ts";
import { buildInPlace } from "../../sync/build.ts";
import { createSync, type ListInForce } from "../../sync/sync.ts";
import { CARDS } from "../e2e/site.ts";
import { silentLog } from "../unit/feed-workshop.ts";

/** What the centre had heard of the gateway at a moment. */
export interface Known {
  /** The highest sequence of an event, and of a list in force. */
  seq: number;
  revision: number;
}

/** All of it that has statuses; see `LIST` in `test/e2e/site.ts`. */
const LISTED = Object.keys(CARDS).length - 1;
/** Nothing is old or large enough to be dropped. */
const BIG = 1_000_000_000;

/** `chains`: of every event that was ever heard of this gateway, by sequence. */
export async function cutFaults(
  dataDir: string,
  known: Known | null,
  chains: ReadonlyMap<number, string>,
): Promise<string[]> {
  const system = await createSystem();
  try {
    return [
      ...(await journalFaults(dataDir, known?.seq ?? 0, chains, system)),
      ...(await listFaults(dataDir, known?.revision ?? 0, system)),
    ];
  } finally {
    system.stop();
  }
}

type System = Awaited<ReturnType<typeof createSystem>>;

async function journalFaults(
  dataDir: string,
  heardSeq: number,
  chains: ReadonlyMap<number, string>,
  { clock, files }: System,
): Promise<string[]> {
  const { journal: dir, cursor } = pathsOf(dataDir);
  const acknowledgedSeq = await readCursor(files, cursor);
  const journal = new Journal(
    { dir, gateway: "gate-07", boot: "after-the-cut", keepMs: BIG, maxBytes: BIG, segmentBytesMax: BIG },
    { clock, files, log: silentLog },
    { synced() {}, volatile() {}, failed() {}, recovered() {}, gone() {} },
  );
  const { damaged, missing, head } = await journal.start(acknowledgedSeq);
  await journal.stop();
  const faults: string[] = [];
  if (damaged) faults.push("synced lines are damaged");
  if (missing !== null) faults.push(`events ${missing.from} to ${missing.to} are missing`);
  if (head.seq < heardSeq)
    faults.push(`the journal ends at ${head.seq}; event ${heardSeq} was heard: it would be reused`);
  const verdict = await verifyJournal(
    files,
    dir,
    () => undefined,
    ({ line, chain }) => {
      const heard = chains.get(line.seq);
      if (heard !== undefined && heard !== chain)
        faults.push(`line ${line.seq} is not the event that was heard`);
    },
  );
  return [...faults, ...verdict.faults.map(({ seq, what }) => `line ${seq}: ${what}`)];
}

async function listFaults(dataDir: string, revision: number, system: System): Promise<string[]> {
  const own = await keptInside(pathsOf(dataDir).tokenKey, system.files);
  // Cut before the first start had made it, it is made at the next; but it is there before there is a list.
  if (own === null) return revision === 0 ? [] : ["the token key is gone"];
  const held: { list: ListInForce | null } = { list: null };
  const sync = createSync(
    {
      dir: pathsOf(dataDir).cards,
      seals: sealsOf({ own, before: null }),
      refreshSeconds: 60,
      lateAfterMinutes: 15,
      staleAfterHours: 24,
    },
    {
      ...system,
      log: silentLog,
      build: buildInPlace,
      feed: {
        refresh: async () => ({ kind: "unreachable", why: "not asked" }),
        download: async function* () {},
      },
    },
    {
      swapped: (list) => {
        held.list = list;
      },
      refreshed: () => undefined,
      refused: () => undefined,
    },
  );
  await sync.start();
  await sync.stop();
  const { list } = held;
  if (list === null) return revision === 0 ? [] : [`there is no list; revision ${revision} was in force`];
  const faults: string[] = [];
  if (list.revision < revision)
    faults.push(`the list is at revision ${list.revision}; ${revision} was in force`);
  if (list.index.cards !== LISTED) faults.push(`the list has ${list.index.cards} cards of ${LISTED}`);
  return faults;
}
