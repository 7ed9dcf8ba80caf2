/** What the site itself says of cards, and what there is to know of this gate. */
import { h } from "./dom.js";
import { cardField, facts, field, noticeOf, signInFirst, since } from "./parts.js";
import { NOT_YET, state } from "./state.js";
import { ago, number, timeOf, words } from "./words.js";

export function siteView(notice) {
  const w = words();
  return [
    h("h1", {}, w.siteTitle),
    h("p", { class: "lead" }, w.siteHint),
    noticeOf(notice),
    state.session.signedIn ? [blockForm(), lists()] : signInFirst(w.siteAsk),
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

function lists() {
  const w = words();
  const { siteList, status, facts: site } = state;
  // Not yet known is not nobody.
  if (siteList === NOT_YET) return h("p", { class: "lead" }, "…");
  const { changes, count } = siteList;
  const of = (event) => changes.filter((change) => change.event === event);
  const [blocked, allowed] = [of("site-blocked"), of("site-allowed")];
  const isWhole = changes.length === count;
  return [
    isWhole ? null : h("p", { class: "why" }, w.newestOf(number(changes.length), number(count))),
    listOf(w.blocked, isWhole ? blocked.length : status.siteList.blocked, blocked, "unblock", w.unblock),
    allowed.length > 0 || site?.allowsOnly
      ? listOf(w.allowed, isWhole ? allowed.length : status.siteList.allowed, allowed, "disallow", w.disallow)
      : null,
  ];
}

function listOf(title, count, changes, what, button) {
  const w = words();
  return [
    h("h2", {}, `${title} (${number(count)})`),
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
