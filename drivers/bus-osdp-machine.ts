/**
 * The control panel's side of one PD as a pure function: (state, event, now) to (state, effects). Identity and
 * capabilities, then the secure channel where the site has given a key, then polls. With a key nothing is taken in
 * the clear, whatever the PD or the cable says; the key everybody knows is used in a commissioning window only.
 */
import { whenAnswered } from "./bus-osdp-answer.ts";
import { restart, settleAll } from "./bus-osdp-restart.ts";
import type { PdEvent, PdSettings, PdState, Pending, Request, Step } from "./bus-osdp-state.ts";
import { encodeFrame, type ReceivedFrame, SECURITY, type SecurityBlock } from "./codec/osdp.ts";
import { type Command, commandCode, decodeReply, encodeCommand, REPLIES } from "./codec/osdp-messages.ts";
import { open, seal } from "./codec/osdp-secure.ts";

/** Commands that wait for their turn; a reader needs two for its light and its beep, a relay one. */
const REQUESTS_MAX = 16;
/** A PD that was up is sent the same command this often before it is down: about a second of silence. */
const MISSES_MAX_UP = 4;
/** One that nobody knows yet: the first word after a line was opened may be lost, and a gate waits with its start. */
const MISSES_MAX_NEW = 2;
/** One that is down is asked once, so that it costs its neighbours one timeout. */
const MISSES_MAX_DOWN = 1;
const MISSES_MAX = { new: MISSES_MAX_NEW, up: MISSES_MAX_UP, down: MISSES_MAX_DOWN } as const;
/** A PD that says nothing but busy for this long is down: the standard's own limit for a lost one (5.7). */
const BUSY_MS_MAX = 8_000;

export function step(settings: PdSettings, state: PdState, event: PdEvent, nowMs: number): Step {
  switch (event.kind) {
    case "turn":
      return takeTurn(settings, state, event.random, nowMs);
    case "reply":
      return takeReply(settings, state, event.frame, nowMs);
    case "silence":
      return takeSilence(state, event.noiseBytes, nowMs);
    case "request":
      return takeRequest(state, event.request);
    case "withdraw":
      return withdraw(state, event.requestId);
    case "commission":
      return { state: { ...state, commissionUntilMs: event.untilMs, nextTryMs: nowMs }, effects: [] };
    case "line-lost":
      return loseLine(state, event.why);
  }
}

/** Whether it has something to say to the PD, if only a poll. */
export function isDue(state: PdState, nowMs: number): boolean {
  return state.pending !== null || nowMs >= state.nextTryMs;
}

/** Whether somebody waits for a command that could go out at once. */
export function isUrgent(state: PdState): boolean {
  return state.phase === "online" && state.pending === null && state.requests.length > 0;
}

// ---------------------------------------------------------------- what is sent

function takeTurn(settings: PdSettings, state: PdState, random: Uint8Array, nowMs: number): Step {
  const { pending } = state;
  if (pending !== null) return { state, effects: [{ kind: "send", bytes: pending.bytes }] };
  if (nowMs < state.nextTryMs) return { state, effects: [] };
  if (state.usesDefaultKey && state.phase === "challenge" && nowMs >= state.commissionUntilMs) {
    return takeTurn(settings, { ...state, usesDefaultKey: false }, random, nowMs);
  }
  const request = state.phase === "online" ? state.requests[0] : undefined;
  const command = request?.command ?? nextCommand(settings, state, random);
  const { bytes, session } = encode(settings, state, command);
  const sent: Pending = {
    command,
    bytes,
    sequence: state.sequence,
    session,
    requestId: request?.id ?? null,
    misses: 0,
    sinceMs: nowMs,
  };
  return {
    state: {
      ...state,
      pending: sent,
      requests: request === undefined ? state.requests : state.requests.slice(1),
      cpRandom: command.name === "challenge" ? random : state.cpRandom,
      isStatusAsked: state.isStatusAsked || command.name === "localStatus",
    },
    effects: [{ kind: "send", bytes }],
  };
}

function nextCommand(settings: PdSettings, state: PdState, random: Uint8Array): Command {
  switch (state.phase) {
    case "identify":
      return { name: "id", form: 0 };
    case "capabilities":
      return { name: "capabilities", form: 0 };
    case "challenge":
      return { name: "challenge", random };
    case "cryptogram":
      return { name: "serverCryptogram", cryptogram: state.handshake?.server ?? new Uint8Array(16) };
    case "keySet":
      return { name: "keySet", type: 1, key: settings.key ?? new Uint8Array() };
    case "online":
      return state.isStatusAsked && settings.takesCards ? { name: "poll" } : { name: "localStatus" };
  }
}

function encode(settings: PdSettings, state: PdState, command: Command) {
  const message = {
    address: settings.address,
    reply: false,
    sequence: state.sequence,
    check: state.check,
    code: commandCode(command),
    data: encodeCommand(command),
  };
  if (state.session !== null) return seal(state.session, message);
  return { bytes: encodeFrame({ ...message, security: handshakeBlock(state, command) }), session: null };
}

/** Annex D.1.3: the byte says which key is meant, 0 for the one everybody knows. */
function handshakeBlock(state: PdState, command: Command): SecurityBlock | null {
  const data = Uint8Array.of(state.usesDefaultKey ? 0 : 1);
  if (command.name === "challenge") return { type: SECURITY.challenge, data };
  return command.name === "serverCryptogram" ? { type: SECURITY.serverCryptogram, data } : null;
}

// ---------------------------------------------------------------- what comes back

function takeReply(settings: PdSettings, state: PdState, frame: ReceivedFrame, nowMs: number): Step {
  const { pending } = state;
  const isIts = frame.reply && frame.address === settings.address;
  // The check of one byte is taken from a PD only that is spoken to with it: noise passes it once in 256 times.
  const isWeak = frame.check === "checksum" && state.check === "crc";
  if (pending === null || !isIts || isWeak) return { state, effects: [] };
  const isClear = frame.security === null;
  if (isClear && frame.code === REPLIES.busy.code) return beBusy(state, pending, nowMs);
  // A PD that has lost count, or its power, answers with its own number.
  const hasLostCount = isClear && frame.code === REPLIES.nak.code && frame.data[0] === 4;
  if (frame.sequence !== pending.sequence && !hasLostCount) return { state, effects: [] };
  const answering = { ...state, isAnswering: true, isCheckKnown: true };
  if (pending.session === null) {
    if (frame.mac !== null)
      return restart(answering, "it answers in a secure channel that there is not", nowMs);
    return answer(settings, answering, pending, frame, frame.data, nowMs);
  }
  if (frame.mac === null) return takeClear(settings, answering, pending, frame, nowMs);
  const opened = open(pending.session, frame);
  if (opened.kind === "refused") {
    return restart(answering, "its reply was changed on the way, or is not from it", nowMs, "alarm");
  }
  const secured = { ...answering, session: opened.session };
  return answer(settings, secured, pending, frame, opened.data, nowMs);
}

/** In the clear where the secure channel is open: only the words with which a PD says that it has left it. */
function takeClear(
  settings: PdSettings,
  state: PdState,
  pending: Pending,
  frame: ReceivedFrame,
  nowMs: number,
): Step {
  const reason = frame.data[0];
  if (frame.code === REPLIES.nak.code) {
    if (reason === 1) return takeSilence(state, frame.covered.length, nowMs);
    return restart(state, "it has left the secure channel", nowMs);
  }
  // Some PDs take the new key at once. What it is worth is seen when the channel is opened with that key.
  if (pending.command.name === "keySet" && frame.code === REPLIES.ack.code) {
    return answer(settings, state, pending, frame, frame.data, nowMs);
  }
  return restart(state, "it answers in the clear, though it has a key", nowMs, "alarm");
}

function answer(
  settings: PdSettings,
  state: PdState,
  pending: Pending,
  frame: ReceivedFrame,
  data: Uint8Array,
  nowMs: number,
): Step {
  const decoded = decodeReply(frame.code, data);
  const reply = decoded.kind === "message" ? decoded.message : null;
  const isClear = pending.session === null;
  if (isClear && reply?.name === "nak" && reply.reason === 1) {
    return takeSilence(state, frame.covered.length, nowMs);
  }
  const next = { ...state, pending: null, sequence: (pending.sequence % 3) + 1 };
  const why = decoded.kind === "refused" ? decoded.why : null;
  return whenAnswered(settings, next, pending, { reply, why, security: frame.security }, nowMs);
}

/** The same is said again at its next turn, with the same number (7.20). */
function beBusy(state: PdState, pending: Pending, nowMs: number): Step {
  if (nowMs - pending.sinceMs >= BUSY_MS_MAX) {
    return restart(state, `it has said busy for ${BUSY_MS_MAX / 1_000} s`, nowMs, "down");
  }
  return { state: { ...state, isAnswering: true, pending: { ...pending, misses: 0 } }, effects: [] };
}

function takeSilence(state: PdState, noiseBytes: number, nowMs: number): Step {
  const { pending } = state;
  if (pending === null) return { state, effects: [] };
  const misses = pending.misses + 1;
  const missed = { ...state, isAnswering: false, pending: { ...pending, misses } };
  // A reader that writes its key down may be slow to say so, and has the key all the same.
  const missesMax = pending.command.name === "keySet" ? MISSES_MAX_UP : MISSES_MAX[state.standing];
  if (misses < missesMax) return { state: missed, effects: [] };
  const why =
    noiseBytes > 0
      ? "only noise came in place of its reply: are baudRate and address right, and A and B not swapped?"
      : "it does not answer: is it powered, are baudRate and address right, and A and B not swapped?";
  return restart(missed, why, nowMs, "down");
}

// ---------------------------------------------------------------- what others want of it

function takeRequest(state: PdState, request: Request): Step {
  const why =
    state.standing !== "up"
      ? `it is down: ${state.why ?? "it has not been reached yet"}`
      : state.requests.length >= REQUESTS_MAX
        ? `${REQUESTS_MAX} commands wait for it already`
        : null;
  // What opens and releases goes before lights and beeps.
  const isFirst = ({ command }: Request) => command.name === "output";
  const after = isFirst(request) ? state.requests.filter(isFirst).length : state.requests.length;
  const requests = state.requests.toSpliced(after, 0, request);
  if (why === null) return { state: { ...state, requests }, effects: [] };
  return { state, effects: [{ kind: "settled", requestId: request.id, why, reply: null }] };
}

/** What is on its way cannot be called back; what waits is not sent. */
function withdraw(state: PdState, requestId: number): Step {
  const { pending, requests } = state;
  const isSent = pending?.requestId === requestId;
  if (!isSent && !requests.some(({ id }) => id === requestId)) return { state, effects: [] };
  const why = isSent ? "it did not answer in time" : "its turn did not come in time";
  return {
    state: {
      ...state,
      pending: isSent ? { ...pending, requestId: null } : pending,
      requests: requests.filter(({ id }) => id !== requestId),
    },
    effects: [{ kind: "settled", requestId, why, reply: null }],
  };
}

function loseLine(state: PdState, why: string): Step {
  const kind = state.standing === "down" ? "note" : "down";
  return {
    state: {
      ...state,
      standing: "down",
      why,
      phase: "identify",
      sequence: 0,
      pending: null,
      requests: [],
      session: null,
      handshake: null,
      isAnswering: false,
      failures: 0,
      nextTryMs: Number.NEGATIVE_INFINITY,
      onlineSinceMs: null,
      isStatusAsked: false,
    },
    effects: [...settleAll(state, why), ...(state.why === why ? [] : [{ kind, why } as const])],
  };
}
