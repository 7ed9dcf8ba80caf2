/**
 * Asks gateways for events that never came: a broker whose power was cut had acknowledged them and lost them. Their journals have them
 * for two years. Each is asked for again, ever more seldom, until it is there.
 */
import { randomUUID } from "node:crypto";
import type { Gap } from "./store.ts";

/** What one `resend` may ask for (docs/commands.md). */
const RESEND_EVENTS_MAX = 10_000;
/** Gateways take commands that expire within 30 s; half of that leaves room for two clocks. */
const EXPIRES_MS = 15_000;
/** One that is asked for in vain is not there any more, or its gateway is away. */
const AGAIN_MS_MAX = 3_600_000;

interface Asked {
  times: number;
  dueMs: number;
  fromSeq: number;
}

export class Gaps {
  readonly #everyMs: number;
  readonly #asked = new Map<string, Asked>();

  constructor(everyMs: number) {
    this.#everyMs = everyMs;
  }

  /** The commands to send now: one for a gateway, as it does one at a time, and none for a gap that is being filled. */
  commands(gaps: readonly Gap[], { wallMs, steadyMs }: { wallMs: number; steadyMs: number }) {
    const keys = new Set(gaps.map(keyOf));
    for (const key of this.#asked.keys()) if (!keys.has(key)) this.#asked.delete(key);
    const busy = new Set<string>();
    const commands: { site: string; gateway: string; payload: string }[] = [];
    for (const gap of gaps) {
      const { site, gateway, fromSeq } = gap;
      const asked = this.#asked.get(keyOf(gap)) ?? { times: 0, dueMs: steadyMs, fromSeq };
      const isFilling = fromSeq > asked.fromSeq;
      if (isFilling) this.#asked.set(keyOf(gap), { times: 0, dueMs: steadyMs + this.#everyMs, fromSeq });
      if (isFilling) busy.add(gateway);
      if (busy.has(gateway) || asked.dueMs > steadyMs) continue;
      busy.add(gateway);
      const waitMs = Math.min(this.#everyMs * 2 ** asked.times, AGAIN_MS_MAX);
      this.#asked.set(keyOf(gap), { times: asked.times + 1, dueMs: steadyMs + waitMs, fromSeq });
      commands.push({ site, gateway, payload: payloadOf(gap, wallMs) });
    }
    return commands;
  }
}

/** A gap that is filled from its beginning is still the same one. */
function keyOf({ gateway, toSeq }: Gap): string {
  return `${gateway}/${toSeq}`;
}

function payloadOf({ fromSeq, toSeq }: Gap, wallMs: number): string {
  return JSON.stringify({
    id: randomUUID(),
    expires: new Date(wallMs + EXPIRES_MS).toISOString(),
    from: fromSeq,
    to: Math.min(toSeq, fromSeq + RESEND_EVENTS_MAX - 1),
    who: "consumer",
    why: "missing at the centre",
  });
}
