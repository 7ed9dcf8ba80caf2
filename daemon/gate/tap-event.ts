/** What an event says of a tap (CONTRACT 7): no token in clear. */
import type { Reading } from "../../drivers/driver.ts";
import type { ListAge, ListInForce } from "../../sync/sync.ts";
import type { Direction } from "../presence/presence.ts";
import type { Decision } from "./decide.ts";

export interface TapFacts {
  workplaceId: string | null;
  accessPoint: string;
  direction: Direction;
  reader: string;
  reading: Reading;
  decision: Decision;
  /** A pulse is running or about to: this grant starts none. */
  riding: boolean;
  list: ListInForce | null;
  age: ListAge;
  /** A keyed hash, in hex: how a token is named outside. */
  hashToken(uid: string): string;
}

export function tapData(facts: TapFacts): Record<string, unknown> {
  const { workplaceId, accessPoint, direction, reader, reading, decision, riding, list, age } = facts;
  return {
    ...(workplaceId === null ? {} : { workplaceId }),
    accessPoint,
    direction,
    reader,
    card: decision.card,
    credential: credentialData(reading, facts.hashToken),
    ...(reading.kind === "misread" ? { step: reading.step } : {}),
    granted: decision.granted,
    reason: decision.reason,
    ...(riding ? { pulse: "running" } : {}),
    ...(decision.passbackViolated ? { passback: "violated" } : {}),
    list:
      list === null
        ? null
        : { revision: list.revision, ageSeconds: age.ageSeconds, freshness: age.freshness },
  };
}

function credentialData(reading: Reading, hashToken: TapFacts["hashToken"]): Record<string, unknown> | null {
  if (reading.kind === "misread") return null;
  const { credential, assurance } = reading;
  return credential.kind === "number"
    ? { kind: "number", assurance }
    : { kind: "token", assurance, hash: hashToken(credential.uid) };
}
