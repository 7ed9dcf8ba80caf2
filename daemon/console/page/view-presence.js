/** Who is on site, and a roll call to take along when everybody has to leave. */
import { h } from "./dom.js";
import { noticeOf, signInFirst } from "./parts.js";
import { state } from "./state.js";
import { number, timeOf, words } from "./words.js";

export function presenceView() {
  const w = words();
  const { presence, session, status } = state;
  const { onSite, overdue, complete } = status.presence;
  const people = presence?.people ?? [];
  return [
    h("h1", {}, w.presenceTitle),
    h(
      "div",
      { class: "title-row" },
      h(
        "p",
        { class: "count" },
        h("strong", {}, number(onSite)),
        " ",
        w.presenceCount(onSite),
        overdue === 0 ? null : h("span", { class: "soft" }, ` · ${w.overdueCount(number(overdue))}`),
      ),
      session.signedIn
        ? h("button", { type: "button", class: "button strong no-print", "data-do": "print" }, w.print)
        : null,
    ),
    h(
      "p",
      { class: "soft print-only" },
      `${status.gateway} · ${status.site} · ${w.printedAt(timeOf(Date.now(), false))}`,
    ),
    noticeOf(complete ? null : { mood: "warn", text: w.presenceIncomplete }),
    session.signedIn
      ? [
          rollCall(
            w.rollCall,
            people.filter((person) => !person.overdue),
          ),
          overdue === 0
            ? null
            : rollCall(
                w.longAgo,
                people.filter((person) => person.overdue),
              ),
        ]
      : signInFirst(w.presenceAsk),
  ];
}

function rollCall(title, people) {
  const w = words();
  return h(
    "div",
    { class: "panel flush scroll", tabindex: 0, role: "region", "aria-label": title },
    h(
      "table",
      {},
      h("caption", {}, `${title} (${number(people.length)})`),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          [w.tick, w.cardNumber, w.inSince, w.gate].map((text) => h("th", { scope: "col" }, text)),
        ),
      ),
      h("tbody", {}, people.map(rowOf)),
    ),
  );
}

function rowOf({ card, since, accessPoint, byHand }) {
  const w = words();
  return h(
    "tr",
    { "data-key": card },
    h("td", {}, h("span", { class: "tick" })),
    h(
      "td",
      {},
      h("a", { class: "card-number", href: `#/card/${encodeURIComponent(card)}` }, card),
      byHand === null ? null : h("small", { class: "by-hand" }, w.byHand(byHand.who.name, byHand.why)),
    ),
    h("td", {}, timeOf(since, false)),
    h("td", {}, accessPoint),
  );
}
