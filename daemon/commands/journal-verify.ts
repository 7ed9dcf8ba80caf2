/** `journal verify`: proves the chain, and with a centre's events what a chain alone cannot show. */
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { readCursor } from "../broker/outbox-cursor.ts";
import { pathsOf } from "../data-paths.ts";
import { Against, type Comparison } from "../journal/journal-against.ts";
import { type Verdict, verifyJournal } from "../journal/journal-proof.ts";
import { Exit } from "./exit.ts";
import type { JournalSite } from "./journal-site.ts";
import { paint, print, printJson } from "./terms.ts";

/** `against`: a file of events, `-` for standard input. */
export async function verifySite(
  { files, dir, configuration }: JournalSite,
  against: string | null,
  json: boolean,
): Promise<void> {
  const { dataDir, gateway } = configuration;
  const isWatched = process.stderr.isTTY === true && !json;
  const progress = (lines: number): void => {
    if (isWatched) process.stderr.write(`\r${lines} lines`);
  };
  const centre =
    against === null ? null : await copiesIn(against, { gateway: gateway.id, site: gateway.site });
  // Before the journal, which a running daemon goes on with. A cursor that cannot be read proves nothing.
  const acknowledged = await readCursor(files, pathsOf(dataDir).cursor).catch(() => 0);
  const verdict = await verifyJournal(
    files,
    dir,
    progress,
    centre === null ? null : (entry) => centre.compare(entry),
  );
  if (isWatched) process.stderr.write("\r\u001b[K");
  const { firstSeq, head, faults } = verdict;
  // A chain does not show that its end was cut off; the broker's acknowledgements do.
  const lastSeq = head?.seq ?? 0;
  if (lastSeq < acknowledged)
    faults.push({
      segment: dir,
      seq: lastSeq + 1,
      what: `lines ${lastSeq + 1} to ${acknowledged}, which the broker has, are missing`,
    });
  const comparison = centre?.finish(firstSeq, head) ?? null;
  tell(verdict, comparison, json);
  if (faults.length === 0 && head === null)
    throw new Exit(1, `there is no journal in ${dir}: has the gateway never run, or is dataDir another?`);
  if (faults.length > 0)
    throw new Exit(
      1,
      `${counted(faults.length, "fault")} in ${verdict.lines} lines: the chain does not hold`,
    );
  if (comparison === null) return;
  const differences = comparison.differences.length + comparison.unlisted;
  if (differences > 0)
    throw new Exit(1, `${counted(differences, "event")} of ${comparison.events} differ from the journal`);
  if (comparison.events === 0)
    throw new Exit(1, `${against} holds no event of ${gateway.id}: nothing was compared`);
}

function tell(
  { lines, firstSeq, head, faults, ignoredBytes }: Verdict,
  comparison: Comparison | null,
  json: boolean,
): void {
  if (json) {
    const fits = comparison === null || (comparison.differences.length === 0 && comparison.events > 0);
    const isWell = faults.length === 0 && head !== null && fits;
    const against = comparison === null ? {} : { against: comparison };
    return printJson({ ok: isWell, lines, firstSeq, head, faults, ignoredBytes, ...against });
  }
  for (const { segment, seq, what } of faults) print(paint(`${segment}: line ${seq}: ${what}`, "red"));
  if (faults.length === 0 && head !== null)
    print(
      `${lines} lines, ${firstSeq} to ${head.seq}, head ${head.chain}: ${paint("the chain holds", "green")}`,
    );
  if (comparison === null) return;
  for (const { id, what } of comparison.differences) print(paint(`${id}: ${what}`, "red"));
  const { events, same, others, dropped, unwritten } = comparison;
  const rest = [
    dropped > 0 ? `${dropped} older than what is kept` : "",
    unwritten > 0 ? `${unwritten} sent while the disk failed and never written` : "",
    others > 0 ? `${counted(others, "line")} of others passed over` : "",
  ].filter((part) => part !== "");
  print(
    `${events} events of the centre, ${same} as in the journal${rest.map((part) => `, ${part}`).join("")}`,
  );
}

async function copiesIn(path: string, sender: { gateway: string; site: string }): Promise<Against> {
  const copies = new Against(sender);
  const input = path === "-" ? process.stdin : createReadStream(path);
  try {
    for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
      const why = line.trim() === "" ? null : copies.add(line);
      if (why !== null) throw new Exit(2, `--against ${path}: ${why}`);
    }
  } catch (error) {
    if (error instanceof Exit) throw error;
    throw new Exit(2, `--against ${path}: ${(error as Error).message}`);
  }
  return copies;
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
