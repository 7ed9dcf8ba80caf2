/**
 * An access point: what is one tap, and who may pulse. A pure machine over plain values; `gateway.ts` keeps
 * the value and carries out what is returned.
 *
 * A grant takes the pulse (`waiting`: its line is on its way to the disk), is told when its line is synced,
 * and then the relay moves (`running`). Grants meanwhile ride along: they start no second pulse and lengthen
 * none (CONTRACT 4). Should the first one's line fail where that forbids opening, the next in line takes over.
 */

/** Credentials remembered for `repeatSeconds`; a handful are at one reader at a time. */
const RECENT_CREDENTIALS_MAX = 64;

/** Names one grant until it is settled. */
export type Ticket = number;

export interface AccessPointState {
  readonly pulse:
    | { readonly kind: "idle" }
    | { readonly kind: "waiting"; readonly tickets: readonly Ticket[] }
    | { readonly kind: "running"; readonly ticket: Ticket };
  /** Most recently seen last. */
  readonly recent: ReadonlyArray<{ readonly credential: string; readonly seenMs: number }>;
}

export const IDLE_ACCESS_POINT: AccessPointState = { pulse: { kind: "idle" }, recent: [] };

/**
 * A credential was presented. The same one again within `repeatMs` of its last sight is the same tap: a card
 * left on the reader stays one tap, however long it lies there.
 */
export function present(
  state: AccessPointState,
  credential: string,
  nowMs: number,
  repeatMs: number,
): { state: AccessPointState; repeated: boolean } {
  if (repeatMs === 0) return { state, repeated: false };
  const recent = state.recent.filter((seen) => nowMs - seen.seenMs < repeatMs);
  const others = recent.filter((seen) => seen.credential !== credential);
  const repeated = others.length < recent.length;
  const kept = [...others, { credential, seenMs: nowMs }].slice(-RECENT_CREDENTIALS_MAX);
  return { state: { ...state, recent: kept }, repeated };
}

/** A grant was decided. `riding`: another grant has the pulse or is about to. */
export function grant(state: AccessPointState, ticket: Ticket): { state: AccessPointState; riding: boolean } {
  const { pulse } = state;
  switch (pulse.kind) {
    case "idle":
      return { state: { ...state, pulse: { kind: "waiting", tickets: [ticket] } }, riding: false };
    case "waiting":
      return {
        state: { ...state, pulse: { kind: "waiting", tickets: [...pulse.tickets, ticket] } },
        riding: true,
      };
    case "running":
      return { state, riding: true };
  }
}

/** A grant's line was synced, or failed; `mayOpen` says whether the relay may move. `start`: pulse now, for this ticket. */
export function settle(
  state: AccessPointState,
  ticket: Ticket,
  mayOpen: boolean,
): { state: AccessPointState; start: boolean } {
  const { pulse } = state;
  if (pulse.kind !== "waiting" || !pulse.tickets.includes(ticket)) return { state, start: false };
  if (mayOpen) return { state: { ...state, pulse: { kind: "running", ticket } }, start: true };
  const tickets = pulse.tickets.filter((other) => other !== ticket);
  return {
    state: { ...state, pulse: tickets.length === 0 ? { kind: "idle" } : { kind: "waiting", tickets } },
    start: false,
  };
}

/** The relay is released, or has failed. */
export function pulseEnded(state: AccessPointState): AccessPointState {
  return state.pulse.kind === "running" ? { ...state, pulse: { kind: "idle" } } : state;
}
