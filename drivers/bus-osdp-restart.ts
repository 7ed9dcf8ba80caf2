/** How the control panel begins anew with a PD: at once where a session broke, with backoff where it failed. */
import type { PdEffect, PdState, Step } from "./bus-osdp-state.ts";

/** The first try after a failure, and the slowest: a reader that is plugged in again is back within 5 s. */
const RETRY_MS_MIN = 250;
const RETRY_MS_MAX = 3_000;
/** A session that broke this often, without having been steady for so long in between, is a failure. */
const RENEWALS_MAX = 3;
/** One that was steady begins with a short backoff again; one that comes and goes does not. */
const STEADY_MS = 10_000;
/** An alarm a minute is enough for a person, and no disk is filled by a cable. */
const ALARM_MS_MIN = 60_000;

/**
 * Begins at sequence 0. `how`: `quiet`: the session is opened again before anybody hears of it; `alarm`: likewise,
 * but somebody may be tampering; `down`: the PD is told of as down and tried again later.
 */
export function restart(
  state: PdState,
  why: string,
  nowMs: number,
  how: "quiet" | "alarm" | "down" | "alarm-down" = "quiet",
): Step {
  const effects: PdEffect[] = [];
  const isAlarm = (how === "alarm" || how === "alarm-down") && nowMs - state.lastAlarmMs >= ALARM_MS_MIN;
  if (isAlarm) effects.push({ kind: "alarm", why });
  const onlineMs = state.onlineSinceMs === null ? 0 : nowMs - state.onlineSinceMs;
  const renewals = onlineMs >= STEADY_MS ? 1 : state.renewals + 1;
  const isDown =
    how === "down" || how === "alarm-down" || state.phase !== "online" || renewals > RENEWALS_MAX;
  const anew: PdState = {
    ...state,
    sequence: 0,
    pending: null,
    session: null,
    handshake: null,
    isStatusAsked: false,
    onlineSinceMs: null,
    renewals,
    lastAlarmMs: isAlarm ? nowMs : state.lastAlarmMs,
  };
  return isDown
    ? fail(onlineMs >= STEADY_MS ? { ...anew, failures: 0 } : anew, why, nowMs, [
        ...effects,
        ...settleAll(state, why),
      ])
    : renew(anew, state, why, effects);
}

/**
 * What waits goes on waiting. From identify on, though who it is is known: a command that is said again makes a PD say its reply
 * again, but at sequence 0 it begins anew (5.9). A challenge there would make another random number of it, and a late answer to the
 * first would be taken for that to the second.
 */
function renew(anew: PdState, before: PdState, why: string, effects: PdEffect[]): Step {
  const requestId = before.pending?.requestId ?? null;
  if (requestId !== null) effects.push({ kind: "settled", requestId, why, reply: null });
  return { state: { ...anew, phase: before.session === null ? "online" : "identify" }, effects };
}

function fail(anew: PdState, why: string, nowMs: number, effects: PdEffect[]): Step {
  if (anew.standing !== "down") effects.push({ kind: "down", why });
  else if (anew.why !== why) effects.push({ kind: "note", why });
  return {
    state: {
      ...anew,
      phase: "identify",
      standing: "down",
      why,
      requests: [],
      usesDefaultKey: false,
      renewals: 0,
      failures: anew.failures + 1,
      nextTryMs: nowMs + Math.min(RETRY_MS_MIN * 2 ** anew.failures, RETRY_MS_MAX),
      // An old PD may know the checksum only; each new one answers to both (annex B, function 8).
      check: anew.isCheckKnown ? anew.check : anew.check === "crc" ? "checksum" : "crc",
    },
    effects,
  };
}

/** Everybody who waits is told. */
export function settleAll(state: PdState, why: string): PdEffect[] {
  const ids = state.requests.map(({ id }) => id);
  if (state.pending !== null && state.pending.requestId !== null) ids.unshift(state.pending.requestId);
  return ids.map((requestId) => ({ kind: "settled", requestId, why, reply: null }));
}
