/** What the site itself says of cards, and what there is to know of this gate. */
import { h } from "./dom.js";
import { cardField, facts, field, noticeOf, signInFirst, since } from "./parts.js";
import { ask, state } from "./state.js";
import { ago, number, timeOf, words } from "./words.js";

/** The site's own list, once it was asked for. */
export const siteList = { changes: null, reads: 0 };

export async function readSiteList() {
  siteList.reads += 1;
  const read = siteList.reads;
  const changes = state.session.signedIn ? (await ask("/api/site-blocks")).changes : null;
  // An answer that was overtaken is no news.
  if (read === siteList.reads) siteList.changes = changes;
}

export function siteView(notice) {
  const w = words();
  return [
    h("h1", {}, w.siteTitle),
    h("p", { class: "lead" }, w.siteHint),
    noticeOf(notice),
    state.session.signedIn ? [blockForm(), listsOf(siteList.changes ?? [])] : signInFirst(w.siteAsk),
    h("h2", {}, w.aboutGate),
    h(
      "section",
      { class: "panel" },
      aboutOf(),
      h("p", {}, h("button", { type: "button", class: "button quiet", "data-do": "refresh" }, w.refresh)),
    ),
  ];
}

function blockForm() {
  const w = words();
  const allowsOnly = state.facts?.allowsOnly === true;
  return h(
    "form",
    { class: "panel search-form", "data-submit": "site-block" },
    cardField("block-card"),
    field(w.why, h("input", { id: "block-why", name: "why", autocomplete: "off", maxlength: 200 })),
    field(w.until, h("input", { id: "block-until", name: "until", type: "date" })),
    h(
      "div",
      { class: "buttons" },
      h("button", { class: "button strong", name: "do", value: "block" }, w.block),
      allowsOnly ? h("button", { class: "button quiet", name: "do", value: "allow" }, w.allow) : null,
    ),
  );
}

function listsOf(changes) {
  const w = words();
  const under = (event) => changes.filter((change) => change.event === event);
  return [
    listOf(w.blocked, under("site-blocked"), "unblock", w.unblock),
    under("site-allowed").length > 0 || state.facts?.allowsOnly
      ? listOf(w.allowed, under("site-allowed"), "disallow", w.disallow)
      : null,
  ];
}

function listOf(title, changes, what, button) {
  const w = words();
  return [
    h("h2", {}, `${title} (${changes.length})`),
    h(
      "div",
      { class: "panel flush" },
      changes.length === 0
        ? h("p", { class: "empty" }, w.nothingHere)
        : h(
            "ul",
            { class: "rows" },
            changes.map(({ card, why, until, who, at }) =>
              h(
                "li",
                { "data-key": card },
                h("a", { class: "card-number", href: `#/card/${encodeURIComponent(card)}` }, card),
                h(
                  "span",
                  {},
                  [
                    why,
                    until === null ? null : w.untilDay(until),
                    w.byName(who.name, timeOf(at, { isShort: true })),
                  ]
                    .filter((part) => part !== null)
                    .join(" · "),
                ),
                h(
                  "button",
                  {
                    type: "button",
                    class: "button quiet",
                    "data-do": "site",
                    "data-what": what,
                    "data-card": card,
                    "aria-label": `${button}: ${card}`,
                  },
                  button,
                ),
              ),
            ),
          ),
    ),
  ];
}

function aboutOf() {
  const w = words();
  const { status, facts: site } = state;
  const { list, journal, broker, version, since: startedAt, clockTrusted } = status;
  return facts([
    [
      w.list,
      list.revision === null
        ? w.noList
        : `${w.freshness[list.freshness]} · ${w.revision(list.revision, ago(list.refreshedAt))}`,
    ],
    [w.published, list.publishedAt === null ? null : timeOf(list.publishedAt, { isShort: true })],
    [
      w.receiver,
      broker.url === null ? w.broker[broker.state] : `${broker.url} · ${w.broker[broker.state]}`,
      broker.why,
    ],
    [
      w.journal,
      journal.state === "well"
        ? w.journalWell(number(journal.bytes / 2 ** 20, 1), number(journal.headSeq))
        : w.journalFailed,
    ],
    [w.clock, clockTrusted ? w.clockGood : w.clockBad],
    [w.workplace, site?.workplaceId ?? null],
    [w.running, since(startedAt)],
    [w.version, version],
  ]);
}
