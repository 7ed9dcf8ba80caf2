/**
 * What a running gateway says of itself: what it cannot send or write, and how old its list is.
 */
import type { Freshness } from "../../sync/card.ts";
import type { Status } from "../report/status.ts";
import { VERSION } from "../version.ts";
import { type Finding, findings } from "./finding.ts";

const gateway = findings("gateway");
const list = findings("list");

/** What the control socket brought. `silent`: somebody holds `dataDir` and does not answer. */
export type Answered =
  | { kind: "running"; status: Status }
  | { kind: "refused"; why: string }
  | { kind: "silent" }
  | { kind: "stopped" };

export function lookAtGateway(answered: Answered, dataDir: string): Finding[] {
  switch (answered.kind) {
    case "running":
      return lookAtStatus(answered.status);
    case "refused":
      return [
        gateway.warning(
          "gateway",
          answered.why,
          "mend this first: until then doctor sees only what lies on disk",
        ),
      ];
    case "silent":
      return [
        gateway.wrong(
          "gateway",
          `another program holds ${dataDir}, and does not answer`,
          "restart it: sudo systemctl restart grindvakt; if it stays so, see journalctl -u grindvakt",
        ),
      ];
    case "stopped":
      return [
        gateway.warning(
          "gateway",
          "does not run",
          "start it: sudo systemctl start grindvakt, or grindvakt run -c FILE",
        ),
      ];
  }
}

function lookAtStatus({ version, since, outbox, journal, siteList }: Status): Finding[] {
  const { ok, warning, wrong } = gateway;
  const found: Finding[] = [];
  found.push(
    version === VERSION
      ? ok("gateway", `runs since ${since}, version ${version}`)
      : warning(
          "gateway",
          `runs version ${version}, and this is ${VERSION}`,
          "restart it: sudo systemctl restart grindvakt",
        ),
  );
  if (journal.state === "failed")
    found.push(
      wrong("journal", "cannot be written", "see the disk below; until then events are in memory only"),
    );
  if (outbox.refused !== null)
    found.push(
      wrong(
        "outbox",
        `the broker refuses an event: ${outbox.refused}; ${outbox.unsent} wait behind it`,
        "give this gateway the right to publish under its own topics",
      ),
    );
  else if (outbox.unsent > 0)
    found.push(ok("outbox", `${outbox.unsent} events wait for the broker, safe on disk`));
  if (siteList.fault !== null)
    found.push(warning("site list", siteList.fault, "see grindvakt site list, and mend what is missing"));
  return found;
}

/** `refreshedAtMs`: the last refresh that verified; null where none is known. */
export interface ListFacts {
  revision: number | null;
  freshness: Freshness;
  refreshedAt: string | null;
}

export function lookAtList(facts: ListFacts | null): Finding {
  if (facts === null || facts.revision === null)
    return list.wrong(
      "list",
      "there is no card list yet: every card is refused",
      "see the feed above; where it is well, the gateway fetches the list as soon as it runs",
    );
  const { revision, freshness, refreshedAt } = facts;
  const what = `revision ${revision}, ${freshness}, last confirmed ${refreshedAt ?? "at a time not known"}`;
  switch (freshness) {
    case "fresh":
      return list.ok("list", what);
    case "late":
      return list.warning(
        "list",
        what,
        "the feed was not reached for a while, or the clock is not sure: see above",
      );
    case "stale":
      return list.wrong("list", what, "the feed has not been reached for long: see the feed above");
  }
}
