/** What the page knows: asked of the gateway, and told by it as it happens. */
import { wordsOfNoAnswer, wordsOfRefusal } from "./refusals.js";

const RECENT_TAPS = 40;
/** The gateway says something every 10 seconds; a telephone that slept has a dead connection and does not know. */
const SILENCE_MS = 25_000;
const AGAIN_MS = 3_000;
const HISTORY_MS = 60_000;
/** After what changed, so that a queue at the gate is asked for once. */
const SOON_MS = 1_000;
const HISTORY_SOON_MS = 3_000;

/** What is not there yet. A view is only made of what is, so that nothing is asked of `null`: its type is that of what will come. */
export const NOT_YET = /** @type {any} */ (null);

export const state = {
  language: document.documentElement.lang,
  /** @type {import("../../report/status.ts").Status} */
  status: NOT_YET,
  /** @type {import("../routes-site.ts").SiteFacts & { texts: typeof import("../../gate/reasons.ts").TEXTS }} */
  facts: NOT_YET,
  session: { signedIn: false, name: "", canSignIn: false },
  /** @type {ReturnType<typeof tapOf>[]} Newest first; those told live have no `seq` yet. */
  taps: [],
  /** @type {import("../../answers/history.ts").HistoryView} */
  history: NOT_YET,
  /** @type {import("../../presence/presence-desk.ts").RollCall} */
  presence: NOT_YET,
  /** @type {import("../routes-site.ts").SiteListShown} */
  siteList: NOT_YET,
  /** @type {number | null} Since when nothing was heard of the gateway; null: it is there. */
  lostAtMs: null,
  heardAtMs: 0,
};

const listeners = new Set();

/** Tells `listener` of every change until the page is left. */
export function onChange(listener) {
  listeners.add(listener);
}

export function changed() {
  for (const listener of listeners) listener();
}

/** The answer of a route, or throws its words. @param {unknown} [body] */
export async function ask(path, method = "GET", body) {
  const response = await fetch(path, {
    method,
    headers: {
      Accept: "application/json",
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  }).catch(() => null);
  // The session has ended: the gateway shows where to sign in.
  if (response?.status === 401) location.reload();
  // What stands between may answer, too, in its own words.
  const answer = await response?.json().catch(() => null);
  const isOfGate = response?.ok === true ? answer !== null : typeof answer?.error === "string";
  if (response === null || !isOfGate) throw new Error(wordsOfNoAnswer(state.language, method));
  if (!response.ok)
    throw Object.assign(new Error(wordsOfRefusal(answer, state.language)), { status: response.status });
  return answer;
}

export function tapOf({ time, subject, data }) {
  const { seq, card, reason, granted, reader, list } = data;
  return { seq, time, accessPoint: subject, reader, card, reason, granted, revision: list?.revision ?? null };
}

// ---------------------------------------------------------------- as it happens

/** @type {EventSource} */
let source = NOT_YET;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let again;

export function follow() {
  clearTimeout(again);
  source?.close();
  source = new EventSource("/api/events");
  source.addEventListener("status", ({ data }) => {
    const isBack = state.lostAtMs !== null || state.status === null;
    const { boot, presence } = state.status ?? {};
    state.status = JSON.parse(data);
    if (presence?.onSite !== state.status.presence.onSite) readPresenceSoon();
    if (isBack || boot !== state.status.boot) void catchUp();
    heard();
  });
  source.addEventListener("tap", ({ data }) => {
    state.taps = [{ seq: null, revision: null, ...JSON.parse(data) }, ...state.taps].slice(0, RECENT_TAPS);
    historyTimer ??= setTimeout(() => void readHistory(), HISTORY_SOON_MS);
    readPresenceSoon();
    heard();
  });
  source.addEventListener("missed", () => void readTaps());
  source.addEventListener("error", () => {
    lost();
    // By itself it comes back after a break, not after an answer that was no stream.
    if (source.readyState === EventSource.CLOSED) again = setTimeout(follow, AGAIN_MS);
  });
}

function heard() {
  state.heardAtMs = Date.now();
  state.lostAtMs = null;
  changed();
}

function lost() {
  state.lostAtMs ??= Date.now();
  changed();
}

setInterval(() => {
  if (state.heardAtMs > 0 && Date.now() - state.heardAtMs > SILENCE_MS) {
    lost();
    follow();
  }
}, AGAIN_MS);
setInterval(() => void readHistory(), HISTORY_MS);

/** What was missed while there was no connection. */
async function catchUp() {
  await Promise.allSettled([readTaps(), readHistory(), readSession().then(readForPerson), readFacts()]);
}

/** What only people who have signed in are shown: whether somebody has is known a moment after the page is there. */
async function readForPerson() {
  if (isPresenceShown) await readPresence();
  if (siteReads > 0) await readSiteList();
}

async function readTaps() {
  const read = (await ask(`/api/taps?limit=${RECENT_TAPS}`)).taps.map(tapOf);
  // Not by the card: its number is whole for some and shortened for others, and somebody may just have signed in.
  const nameOf = ({ time, reader }) => `${time} ${reader}`;
  const known = new Set(read.map(nameOf));
  // Those told live since the gateway looked into its journal.
  const newer = state.taps.filter(
    (tap) => tap.seq === null && !known.has(nameOf(tap)) && tap.time >= (read[0]?.time ?? ""),
  );
  state.taps = [...newer, ...read].slice(0, RECENT_TAPS);
  changed();
}

async function readFacts() {
  state.facts = await ask("/api/site");
  changed();
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let historyTimer;

async function readHistory() {
  clearTimeout(historyTimer);
  historyTimer = undefined;
  if (state.lostAtMs !== null || document.hidden) return;
  state.history = await ask("/api/history").catch(() => null);
  changed();
}

let isPresenceShown = false;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let presenceTimer;

/** For people who have signed in only. Where it cannot be read what was read before stays, with its time. */
export async function readPresence() {
  isPresenceShown = true;
  clearTimeout(presenceTimer);
  presenceTimer = undefined;
  const presence = state.session.signedIn ? await ask("/api/presence").catch(() => state.presence) : null;
  state.presence = isPresenceShown ? presence : NOT_YET;
  changed();
}

/** While somebody looks at it, it is asked for again where it may have changed. */
function readPresenceSoon() {
  if (isPresenceShown) presenceTimer ??= setTimeout(() => void readPresence(), SOON_MS);
}

export function forgetPresence() {
  isPresenceShown = false;
  state.presence = NOT_YET;
}

let siteReads = 0;

/** For people who have signed in only. Where it cannot be read what was read before stays. */
export async function readSiteList() {
  siteReads += 1;
  const read = siteReads;
  const list = state.session.signedIn ? await ask("/api/site-blocks").catch(() => state.siteList) : NOT_YET;
  // An answer that was overtaken is no news.
  if (read === siteReads) state.siteList = list;
  changed();
}

export async function readSession() {
  state.session = await ask("/api/session");
  changed();
}

/** What is shown depends on it: everything is asked for again. */
export async function signIn(name, password) {
  state.session = await ask("/api/session", "POST", { name, password });
  await catchUp();
  follow();
}

export async function signOut() {
  state.session = await ask("/api/session", "DELETE");
  await catchUp();
  follow();
}
