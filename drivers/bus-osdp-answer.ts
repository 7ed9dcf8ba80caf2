/** What the answer of a PD means to the control panel, in each phase. */
import { restart } from "./bus-osdp-restart.ts";
import type { Capability, PdEffect, PdSettings, PdState, Pending, Step } from "./bus-osdp-state.ts";
import { SECURITY, type SecurityBlock } from "./codec/osdp.ts";
import { CAPABILITY, NAK_REASONS, type Reply } from "./codec/osdp-messages.ts";
import {
  clientCryptogram,
  DEFAULT_KEY,
  initialMac,
  isSame,
  serverCryptogram,
  sessionKeys,
} from "./codec/osdp-secure.ts";

/** `reply`: null where it could not be understood; `why` then says so. `security`: the block it came with. */
export interface Heard {
  reply: Reply | null;
  why: string | null;
  security: SecurityBlock | null;
}

/** `state`: with the sequence moved on, and nothing pending. */
export function whenAnswered(
  settings: PdSettings,
  state: PdState,
  pending: Pending,
  heard: Heard,
  nowMs: number,
): Step {
  const { reply } = heard;
  if (reply?.name === "nak" && reply.reason === 4) return restart(state, refusal(reply), nowMs);
  switch (state.phase) {
    case "identify":
      return whenIdentified(settings, state, heard, nowMs);
    case "capabilities":
      return whenCapable(settings, state, heard, nowMs);
    case "challenge":
      return whenChallenged(settings, state, heard, nowMs);
    case "cryptogram":
      return whenProven(state, heard, nowMs);
    case "keySet":
      return whenKeySet(state, heard, nowMs);
    case "online":
      return whenOnline(state, pending, heard, nowMs);
  }
}

/** One demand for a secure channel before the site's key was offered is no failure: it is offered next. */
function demandsSecurity(reply: Reply | null): boolean {
  return reply?.name === "nak" && (reply.reason === 5 || reply.reason === 6);
}

function whenIdentified(settings: PdSettings, state: PdState, { reply }: Heard, nowMs: number): Step {
  if (demandsSecurity(reply)) return beginSession(settings, state, true, nowMs);
  const model = reply?.name === "id" ? modelOf(reply) : null;
  return { state: { ...state, model, phase: "capabilities" }, effects: [] };
}

function whenCapable(settings: PdSettings, state: PdState, { reply }: Heard, nowMs: number): Step {
  const records = reply?.name === "capabilities" ? reply.records : [];
  const capabilities = new Map<number, Capability>(
    records.map(({ capability, compliance, count }) => [capability, { compliance, count }]),
  );
  const knowsCrc = (capabilities.get(CAPABILITY.check)?.compliance ?? 0) > 0;
  const known: PdState = { ...state, capabilities, check: knowsCrc ? "crc" : state.check };
  return beginSession(settings, known, demandsSecurity(reply), nowMs);
}

function beginSession(settings: PdSettings, state: PdState, isDemanded: boolean, nowMs: number): Step {
  if (settings.key !== null) return { state: { ...state, phase: "challenge" }, effects: [] };
  if (!isDemanded) return goOnline(state);
  return restart(state, "it demands a secure channel: give its key as scbk", nowMs, "down");
}

/** Its first answer says whether it is up: some know only then that they want a secure channel. */
function goOnline(state: PdState): Step {
  const commissionUntilMs = Number.NEGATIVE_INFINITY;
  return { state: { ...state, phase: "online", handshake: null, commissionUntilMs }, effects: [] };
}

// ---------------------------------------------------------------- the secure channel

function whenChallenged(settings: PdSettings, state: PdState, heard: Heard, nowMs: number): Step {
  const { reply, security } = heard;
  const key = state.usesDefaultKey ? DEFAULT_KEY : settings.key;
  if (key === null || state.cpRandom === null || reply?.name !== "clientCryptogram") {
    const why = heard.why ?? (reply === null ? "" : refusal(reply));
    return refuseKey(state, `it opens no secure channel: ${why}`, nowMs);
  }
  if (security?.type !== SECURITY.clientCryptogram || security.data[0] !== (state.usesDefaultKey ? 0 : 1)) {
    return refuseKey(state, "it wants to use the key that everybody knows (SCBK-D)", nowMs, "alarm-down");
  }
  const keys = sessionKeys(key, state.cpRandom);
  if (!isSame(clientCryptogram(keys, state.cpRandom, reply.random), reply.cryptogram)) {
    return refuseKey(state, "it does not have the key of scbk", nowMs);
  }
  const handshake = { keys, server: serverCryptogram(keys, state.cpRandom, reply.random) };
  return { state: { ...state, phase: "cryptogram", handshake }, effects: [] };
}

function whenProven(state: PdState, heard: Heard, nowMs: number): Step {
  const { reply, security } = heard;
  const { handshake } = state;
  const isTaken = security?.type === SECURITY.initialMac && security.data[0] === 1;
  if (handshake === null || reply?.name !== "initialMac" || !isTaken) {
    return refuseKey(state, "it does not take the key of scbk", nowMs);
  }
  const mac = initialMac(handshake.keys, handshake.server);
  if (!isSame(mac, reply.mac)) return refuseKey(state, "it does not have the key of scbk", nowMs);
  const secured: PdState = { ...state, session: { keys: handshake.keys, mac } };
  if (!state.usesDefaultKey) return goOnline(secured);
  return { state: { ...secured, phase: "keySet", handshake: null }, effects: [] };
}

/** In a commissioning window the key that everybody knows is tried next, once, to give the PD its own. */
function refuseKey(state: PdState, why: string, nowMs: number, how: "down" | "alarm-down" = "down"): Step {
  const triesDefault = !state.usesDefaultKey && nowMs < state.commissionUntilMs;
  const step = restart(state, why, nowMs, how);
  return triesDefault ? { ...step, state: { ...step.state, usesDefaultKey: true, nextTryMs: nowMs } } : step;
}

/** The PD has been given its key: from now on it is spoken to with that one only. */
function whenKeySet(state: PdState, { reply }: Heard, nowMs: number): Step {
  const own = { ...state, usesDefaultKey: false };
  if (reply?.name !== "ack") {
    const why = reply === null ? "" : refusal(reply);
    return restart(own, `it does not take a key of its own: ${why}`, nowMs, "down");
  }
  const step = restart(own, "it has been given its key", nowMs);
  const effects = step.effects.filter(({ kind }) => kind !== "note");
  return { state: { ...step.state, nextTryMs: nowMs }, effects: [...effects, { kind: "commissioned" }] };
}

// ---------------------------------------------------------------- online

function whenOnline(state: PdState, pending: Pending, heard: Heard, nowMs: number): Step {
  const { reply } = heard;
  const isRefused = reply === null || reply.name === "nak";
  if (demandsSecurity(reply)) {
    if (state.session !== null) return restart({ ...state, pending }, refusal(reply), nowMs);
    return restart(state, "it demands a secure channel: give its key as scbk", nowMs, "down");
  }
  const effects: PdEffect[] = state.standing === "up" ? [] : [{ kind: "up", model: state.model }];
  if (reply !== null) effects.push(...eventsOf(state, reply));
  if (pending.requestId !== null) {
    const why = isRefused ? (heard.why ?? refusal(reply)) : null;
    effects.push({ kind: "settled", requestId: pending.requestId, why, reply });
  }
  const online: PdState = {
    ...state,
    standing: "up",
    why: null,
    onlineSinceMs: state.onlineSinceMs ?? nowMs,
  };
  return { state: reply === null ? online : withStatus(online, reply), effects };
}

function eventsOf(state: PdState, reply: Reply): PdEffect[] {
  switch (reply.name) {
    case "raw":
      return [{ kind: "raw", bits: reply.bits }];
    case "formatted":
      return [{ kind: "formatted", characters: reply.characters }];
    case "keypad":
      return [{ kind: "keypad", digits: reply.digits }];
    case "inputStatus":
      return [{ kind: "inputs", active: [...reply.states].map((active) => active !== 0) }];
    case "localStatus": {
      const tamper = reply.tamper !== 0;
      const failed = reply.power !== 0;
      return [
        ...(tamper === state.tamper ? [] : [{ kind: "tamper", active: tamper } as const]),
        ...(failed === state.powerFailed ? [] : [{ kind: "power", failed } as const]),
      ];
    }
    default:
      return [];
  }
}

function withStatus(state: PdState, reply: Reply): PdState {
  if (reply.name !== "localStatus") return state;
  return { ...state, tamper: reply.tamper !== 0, powerFailed: reply.power !== 0 };
}

// ---------------------------------------------------------------- words

function refusal(reply: Reply | null): string {
  if (reply?.name !== "nak") return `it answered ${reply?.name ?? "nothing known"}`;
  return NAK_REASONS[reply.reason] ?? `it refused for reason ${reply.reason}`;
}

/** The maker's number, model and firmware, as a supplier asks for them. */
function modelOf(id: Extract<Reply, { name: "id" }>): string {
  const vendor = [...id.vendor].map((byte) => byte.toString(16).padStart(2, "0").toUpperCase()).join("-");
  const firmware = `${id.firmwareMajor}.${id.firmwareMinor}.${id.firmwareBuild}`;
  return `${vendor} model ${id.model}.${id.version}, firmware ${firmware}, serial ${id.serial}`;
}
