/** How the gate is, at a glance, and what happens at it. */
import { latency, tapsAnHour, unsent } from "./charts.js";
import { h } from "./dom.js";
import { cardText, icon, moodOf, noticeOf, sign, since, storyOf, tapList } from "./parts.js";
import { state } from "./state.js";
import { number, saidTo, timeOf, words } from "./words.js";

/** So long the last tap is shown in full colour: somebody is standing there. */
const FRESH_MS = 20_000;
const TAPS = 8;
/** So many troubles are told at once, so that the gates stay in sight below them. */
const ISSUES = 2;

/** What is wrong, the worst first: `{ mood, text }`. */
function issuesOf(status) {
  const { issues } = words();
  const { list, readers, relays, outbox, broker, journal, clockTrusted, siteList } = status;
  const states = Object.values(readers).map(({ state: now }) => now);
  const found = [];
  const say = (mood, text) => found.push({ mood, text });
  if (list.revision === null) say("bad", issues.noList);
  if (states.includes("starting")) say("warn", issues.startingReaders);
  else if (!hasReader(status)) say("bad", issues.noReader);
  for (const [id, relay] of Object.entries(relays)) if (relay.state === "down") say("bad", issues.shut(id));
  if (journal.state === "failed") say("bad", issues.journal);
  for (const [id, reader] of Object.entries(readers))
    if (reader.state === "down") say("warn", issues.readerDown(id, reader.why));
  if (list.revision !== null && list.freshness !== "fresh") say("warn", issues[list.freshness]);
  if (outbox.refused !== null) say("warn", issues.refused(outbox.refused));
  else if (outbox.unsent > 0 && broker.state === "down") say("warn", issues.unsent(number(outbox.unsent)));
  if (journal.warning) say("warn", issues.journalFull);
  if (!clockTrusted) say("warn", issues.clock);
  if (siteList.fault !== null) say("warn", issues.siteList(siteList.fault));
  return found.sort((a, b) => Number(a.mood === "warn") - Number(b.mood === "warn"));
}

/** `{ mood, title }` of the whole gate. */
export function verdictOf() {
  const w = words();
  if (state.lostAtMs !== null) return { mood: "bad", title: w.lost };
  const issues = issuesOf(state.status);
  if (issues.length === 0) return { mood: "good", title: w.good };
  return issues[0].mood === "bad" ? { mood: "bad", title: w.bad } : { mood: "warn", title: w.attention };
}

export function nowView(notice) {
  const { status, history, taps } = state;
  const w = words();
  return [
    heroOf(),
    noticeOf(notice),
    h(
      "section",
      { class: "gates", "aria-label": w.gate },
      status.accessPoints.map((accessPoint) => gateOf(accessPoint)),
    ),
    h(
      "section",
      { "aria-labelledby": "taps-title" },
      h(
        "div",
        { class: "title-row" },
        h("h2", { id: "taps-title" }, w.taps),
        h("a", { href: "#/cards" }, w.allTaps),
      ),
      h("div", { class: "panel flush" }, tapList(taps.slice(0, TAPS))),
    ),
    history === null
      ? null
      : h(
          "section",
          { "aria-labelledby": "day-title" },
          h("h2", { id: "day-title" }, w.today),
          h(
            "div",
            { class: "charts" },
            tapsAnHour(history),
            latency(history),
            unsent(history, status.outbox.unsent),
          ),
        ),
  ];
}

function heroOf() {
  const w = words();
  const { status, lostAtMs, heardAtMs } = state;
  const { mood, title } = verdictOf();
  const issues = lostAtMs === null ? issuesOf(status) : [];
  return h(
    "section",
    { class: `hero ${mood}` },
    sign(mood),
    h(
      "div",
      { class: "hero-words" },
      h("h1", {}, title),
      lostAtMs !== null
        ? h("p", {}, w.lostSince(timeOf(heardAtMs)))
        : issues.length === 0
          ? h("p", {}, w.wellSub)
          : [listOf(issues.slice(0, ISSUES)), moreOf(issues.slice(ISSUES))],
    ),
    h("dl", { class: `glance${lostAtMs === null ? "" : " old"}` }, glances(status)),
  );
}

function listOf(issues) {
  return h(
    "ul",
    {},
    issues.map(({ text }) => h("li", {}, text)),
  );
}

function moreOf(issues) {
  if (issues.length === 0) return null;
  return h("details", {}, h("summary", {}, words().moreIssues(issues.length)), listOf(issues));
}

/** Whether a card can be read at any of the gates. */
function hasReader({ readers, accessPoints }) {
  return accessPoints.some(({ readers: ids }) => ids.some((id) => readers[id]?.state === "up"));
}

function glances(status) {
  const w = words();
  const { list, outbox, broker } = status;
  const canDecide = list.revision !== null && hasReader(status);
  const listMood = list.revision === null ? "bad" : list.freshness === "fresh" ? "good" : "warn";
  const glance = (mood, term, value, more) =>
    h(
      "div",
      { class: `look ${mood}` },
      h("dt", {}, term),
      h("dd", {}, sign(mood), h("strong", {}, value)),
      h("dd", { class: "soft" }, more),
    );
  return [
    glance(
      canDecide ? "good" : "bad",
      w.canDecide,
      canDecide ? w.yes : w.no,
      w.cardsOnList(number(list.cards)),
    ),
    glance(
      listMood,
      w.list,
      list.revision === null ? w.noList : w.freshness[list.freshness],
      list.revision === null ? "–" : revisionOf(list),
    ),
    glance(
      outbox.unsent > 0 && (broker.state === "down" || outbox.refused !== null) ? "warn" : "good",
      w.unsent,
      outbox.unsent === 0 ? w.allSent : number(outbox.unsent),
      w.broker[broker.state],
    ),
  ];
}

function revisionOf({ revision, refreshedAt }) {
  // The words have the time in their middle or at their end, in either language.
  const [before, after] = words().revision(revision, "\u0000").split("\u0000");
  return [before, refreshedAt === null ? "–" : since(refreshedAt), after];
}

function gateOf({ id, direction, readers }) {
  const w = words();
  const { status, taps, session } = state;
  const tap = taps.find(({ accessPoint }) => accessPoint === id) ?? null;
  const relay = status.relays[id] ?? null;
  return h(
    "article",
    { class: "panel gate", "data-key": id, "aria-labelledby": `gate-${id}` },
    h(
      "header",
      {},
      icon(direction),
      h("h2", { id: `gate-${id}` }, id),
      h("span", { class: "soft" }, w[direction]),
      session.signedIn && relay !== null
        ? h(
            "button",
            { type: "button", class: "button quiet", "data-do": "open", "data-gate": id },
            w.openGate,
          )
        : null,
    ),
    tap === null
      ? h("div", { class: "band none" }, h("p", { class: "band-words" }, w.noTapYet), h("p", {}, w.noTapWhat))
      : bandOf(tap),
    h(
      "ul",
      { class: "chips" },
      readers.map((reader) => chipOf(reader, status.readers[reader]?.state ?? "starting")),
      relay === null ? null : chipOf(w.relay, relay.state),
      Object.entries(status.inputs[id] ?? {}).map(([use, { state: now }]) =>
        h(
          "li",
          { class: `chip ${now === "down" ? "bad" : "off"}` },
          `${w.contacts[use]}: ${w.contactStates[now]}`,
        ),
      ),
    ),
  );
}

function bandOf(tap) {
  const isFresh = Date.now() - Date.parse(tap.time) < FRESH_MS;
  const { accessPoint, time, card, reader } = tap;
  const href = storyOf(tap);
  return h(
    href === null ? "div" : "a",
    {
      class: `band ${moodOf(tap)}${isFresh ? " fresh" : ""}`,
      // Another tap is another element, and draws the eye.
      "data-key": `${accessPoint} ${time}`,
      href,
    },
    sign(moodOf(tap)),
    h("p", { class: "band-words" }, saidTo(tap)),
    href === null ? null : icon("chevron"),
    h("p", { class: "band-who" }, cardText(card), h("span", {}, since(time)), h("span", {}, reader)),
  );
}

function chipOf(name, now) {
  const w = words();
  const mood = { up: "good", down: "bad", starting: "off" }[now];
  return h("li", { class: `chip ${mood}` }, sign(mood), `${name}: ${w[now]}`);
}
