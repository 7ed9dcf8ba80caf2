/** Who is on site: a roll call to take along when everybody has to leave, and what the taps did not tell. */
import { byHandFields } from "./dialogs.js";
import { h } from "./dom.js";
import { cardField, noticeOf, signInFirst } from "./parts.js";
import { state } from "./state.js";
import { number, timeOf, words } from "./words.js";

/** What a telephone draws at once. On paper there are all, and on a screen, too, for who asks. */
const SHOWN = 500;

/** `isAll`: also those beyond the first ones. */
export const roll = { isAll: false };

export function presenceView(notice) {
  const w = words();
  const { session, status } = state;
  const { onSite, overdue, complete } = status.presence;
  return [
    h("h1", { class: "no-print" }, w.presenceTitle),
    session.signedIn ? paperHead() : null,
    h(
      "div",
      { class: "title-row" },
      h(
        "p",
        { class: "count" },
        h("strong", {}, number(onSite)),
        " ",
        w.presenceCount,
        overdue === 0 ? null : h("span", { class: "soft" }, ` · ${w.overdueCount(number(overdue))}`),
      ),
      session.signedIn
        ? h("button", { type: "button", class: "button strong no-print", "data-do": "print" }, w.print)
        : null,
    ),
    noticeOf(notice),
    complete ? null : h("p", { class: "why" }, w.presenceIncomplete),
    session.signedIn ? [rollCalls(), byHandForm()] : signInFirst(w.presenceAsk),
  ];
}

function timeOfRoll() {
  return timeOf(state.presence?.at ?? Date.now(), { isDated: true });
}

/** What a roll call on paper has to say for itself. */
function paperHead() {
  const w = words();
  const { status, facts } = state;
  return h(
    "header",
    { class: "print-only paper-head" },
    h("p", { class: "paper-title" }, `${w.rollCall} · ${status.site}`),
    h("p", { class: "paper-time" }, w.printedAt(timeOfRoll())),
    h(
      "p",
      {},
      [
        `${w.gateway} ${status.gateway}`,
        facts?.workplaceId ? `${w.workplace} ${facts.workplaceId}` : null,
        w.cameBy(status.accessPoints.map(({ id }) => id).join(", ")),
      ]
        .filter((part) => part !== null)
        .join(" · "),
    ),
    status.clockTrusted ? null : h("p", {}, `${w.clock}: ${w.clockBad}`),
  );
}

function rollCalls() {
  const w = words();
  const people = state.presence?.people;
  if (people === undefined) return h("p", { class: "lead" }, "…");
  const shown = roll.isAll ? people : people.slice(0, SHOWN);
  const present = shown.filter(({ overdue }) => !overdue);
  const overdue = shown.filter((person) => person.overdue);
  return [
    people.length === 0
      ? h("div", { class: "panel flush" }, h("p", { class: "empty" }, w.nobody))
      : present.length === 0
        ? null
        : rollCall(w.rollCall, present),
    overdue.length === 0 ? null : rollCall(w.longAgo, overdue),
    shown.length === people.length
      ? null
      : h(
          "p",
          { class: "centre" },
          h(
            "button",
            { type: "button", class: "button quiet", "data-do": "all-people" },
            w.showAll(number(people.length)),
          ),
        ),
  ];
}

function rollCall(name, people) {
  const w = words();
  const title = `${name} (${number(people.length)})`;
  const heads = [
    h("th", { scope: "col" }, w.tick),
    h("th", { scope: "col" }, w.cardNumber),
    h("th", { scope: "col", class: "since" }, w.inSince),
    h("th", { scope: "col", class: "where" }, w.gate),
    h("th", { scope: "col", class: "no-print" }, h("span", { class: "unseen" }, w.byHandTitle)),
  ];
  return h(
    "div",
    { class: "panel flush" },
    h(
      "table",
      { class: "roll" },
      h("caption", {}, title),
      h(
        "thead",
        {},
        // On each sheet, should they come apart.
        h(
          "tr",
          { class: "print-only" },
          h("th", { scope: "colgroup", colspan: 4 }, `${title} · ${state.status.site} · ${timeOfRoll()}`),
        ),
        h("tr", {}, heads),
      ),
      h("tbody", {}, people.map(rowOf)),
    ),
  );
}

function rowOf({ card, since, sinceTrusted, accessPoint, byHand }) {
  const w = words();
  const at = `${timeOf(since, { isShort: true })}${sinceTrusted ? "" : " ?"}`;
  return h(
    "tr",
    { "data-key": card },
    h("td", {}, h("span", { class: "tick" })),
    h(
      "td",
      {},
      h("a", { class: "card-number", href: `#/card/${encodeURIComponent(card)}` }, card),
      h("small", { class: "in-short" }, `${accessPoint} · ${at}`),
      byHand === null ? null : h("small", {}, w.byHand(byHand.who.name, byHand.why)),
    ),
    h("td", { class: "since" }, at),
    h("td", { class: "where" }, accessPoint),
    h(
      "td",
      { class: "no-print" },
      h(
        "button",
        {
          type: "button",
          class: "button quiet",
          "data-do": "left",
          "data-card": card,
          "aria-label": `${w.left}: ${card}`,
        },
        w.left,
      ),
    ),
  );
}

function byHandForm() {
  const w = words();
  return h(
    "section",
    // What was typed stays, whoever comes and goes above it.
    { class: "no-print titled", "aria-labelledby": "by-hand-title", "data-key": "by-hand" },
    h("h2", { id: "by-hand-title" }, w.byHandTitle),
    h("p", { class: "soft" }, w.byHandHint),
    h(
      "form",
      { class: "panel search-form", "data-submit": "by-hand" },
      cardField("hand-card"),
      byHandFields("hand", ["entry", "exit"]),
      h(
        "div",
        { class: "buttons" },
        h("button", { class: "button strong", name: "do", value: "enter" }, w.entered),
        h("button", { class: "button quiet", name: "do", value: "leave" }, w.left),
      ),
    ),
  );
}
