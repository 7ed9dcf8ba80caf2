/** Finding a tap again, and all there is to say of one card. */
import { h } from "./dom.js";
import { fieldsOf, instantOf } from "./forms.js";
import { facts, field, noticeOf, sign, signInFirst, tapList } from "./parts.js";
import { ask, state, tapOf } from "./state.js";
import { ago, timeOf, words } from "./words.js";

const PAGE_TAPS = 30;

// ---------------------------------------------------------------- searching

/** What is being searched, and what was found of it so far. */
export const search = {
  query: new URLSearchParams(),
  /** @type {ReturnType<typeof tapOf>[] | null} */
  taps: null,
  /** @type {number | null} */
  next: null,
  isBusy: false,
};

/** `before`: where to go on; null: from the end. */
export async function searchOn(before) {
  search.isBusy = true;
  const query = new URLSearchParams(search.query);
  query.set("limit", String(PAGE_TAPS));
  if (before !== null) query.set("before", before);
  try {
    const { taps, next } = await ask(`/api/taps?${query}`);
    search.taps = [...(before === null ? [] : (search.taps ?? [])), ...taps.map(tapOf)];
    search.next = next;
  } finally {
    search.isBusy = false;
  }
}

/** The fields of the form as the gateway's interface has them. */
export function queryOf(form) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(fieldsOf(form)))
    query.set(name, name === "from" || name === "to" ? instantOf(value) : value);
  return query;
}

export function cardsView(notice) {
  const w = words();
  const { status, session } = state;
  const select = (id, any, options) =>
    h(
      "select",
      { id, name: id },
      h("option", { value: "" }, any),
      options.map(([value, text]) => h("option", { value }, text)),
    );
  return [
    h("h1", {}, w.nav.cards),
    h(
      "form",
      { class: "panel row-form", "data-submit": "look-up" },
      field(
        w.lookUp,
        h("input", {
          id: "card-asked",
          name: "asked",
          required: true,
          autocomplete: "off",
          spellcheck: "false",
          maxlength: 60,
        }),
        w.lookUpHint,
      ),
      h("button", { class: "button strong" }, w.lookUpDo),
    ),
    h("h2", {}, w.searchTitle),
    h(
      "form",
      { class: "panel search-form", "data-submit": "search" },
      field(
        w.cardEnd,
        h("input", {
          id: "card",
          name: "card",
          inputmode: "numeric",
          autocomplete: "off",
          pattern: session.signedIn ? "[0-9]{2,10}" : "[0-9]{2,6}",
          maxlength: 10,
        }),
        w.cardEndHint,
      ),
      field(w.reason, select("reason", w.anyReason, Object.entries(w.reasons))),
      h(
        "details",
        { class: "more" },
        h("summary", {}, w.moreFields),
        h("div", {}, [
          field(
            w.gate,
            select(
              "accessPoint",
              w.anyGate,
              status.accessPoints.map(({ id }) => [id, id]),
            ),
          ),
          field(w.from, h("input", { id: "from", name: "from", type: "datetime-local" })),
          field(w.to, h("input", { id: "to", name: "to", type: "datetime-local" })),
        ]),
      ),
      h(
        "div",
        { class: "buttons" },
        h("button", { class: "button strong" }, w.search),
        h("button", { class: "button quiet", type: "reset", "data-do": "search-clear" }, w.clear),
      ),
    ),
    noticeOf(notice),
    h(
      "div",
      { class: "panel flush", "aria-live": "polite", "aria-busy": search.isBusy ? "true" : "false" },
      hits(),
    ),
    search.next === null || search.taps === null
      ? null
      : h(
          "p",
          { class: "centre" },
          h(
            "button",
            { type: "button", class: "button quiet", "data-do": "search-more" },
            search.taps.length < PAGE_TAPS ? w.lookFurther : w.more,
          ),
        ),
  ];
}

function hits() {
  if (search.taps === null) return tapList(state.taps);
  return search.taps.length === 0 ? h("p", { class: "empty" }, words().noHits) : tapList(search.taps);
}

// ---------------------------------------------------------------- one card

/** `asked`: a number, a chip, or a tap. */
export const told = {
  /** @type {string | null} */
  asked: null,
  /** @type {import("../../answers/lookup.ts").LookupAnswer | null} */
  found: null,
  /** @type {import("../../answers/card-story.ts").CardStory | null} */
  story: null,
  /** @type {string | null} */
  fault: null,
};

export async function tell(asked) {
  Object.assign(told, { asked, found: null, story: null, fault: null });
  try {
    const by = encodeURIComponent(await knownBy(asked));
    const found = await ask(`/api/cards/${by}`);
    const story = found.card === null ? null : await ask(`/api/cards/${by}/story`);
    if (told.asked === asked) Object.assign(told, { found, story });
  } catch (error) {
    if (told.asked === asked) told.fault = error.message;
  }
}

/** A tap that was told live has no sequence yet: it is found by when and where it was. */
async function knownBy(asked) {
  const live = /^tap:(.+)~(.+)$/.exec(asked);
  if (live === null) return asked;
  const { taps } = await ask("/api/taps?limit=100");
  const tap = taps.find(({ time, data }) => time === live[1] && data.reader === live[2]);
  return `tap:${tap?.data.seq ?? 0}`;
}

export function cardView() {
  const w = words();
  const back = h("p", {}, h("a", { href: "#/cards", "data-do": "back" }, `← ${w.back}`));
  const { found, story, fault, asked } = told;
  if (fault !== null) return [back, h("h1", {}, w.nav.cards), noticeOf({ mood: "bad", text: fault })];
  if (found === null) return [back, h("h1", {}, "…")];
  const mood = found.granted ? "good" : "bad";
  return [
    back,
    h("h1", { class: "card-title" }, found.card ?? asked),
    h(
      "section",
      { class: `verdict ${mood}` },
      sign(mood),
      h(
        "div",
        {},
        h("p", { class: "eyebrow" }, w.nowDecides),
        h(
          "p",
          { class: "verdict-word" },
          found.granted ? w.wouldGrant : w.wouldRefuse,
          found.granted ? null : [": ", w.reasons[found.reason].toLowerCase()],
        ),
        h("p", { class: "eyebrow" }, w.tellThem),
        h("p", { class: "verdict-tell" }, found.texts[state.language]),
        h(
          "p",
          { class: "soft", lang: state.language === "sv" ? "en" : "sv" },
          found.texts[state.language === "sv" ? "en" : "sv"],
        ),
      ),
    ),
    h(
      "section",
      { class: "panel" },
      facts([
        [w.status, w.statuses[found.status ?? "none"]],
        [w.validUntil, found.status === null ? null : (found.validUntil ?? w.noEnd)],
        [w.sinceOnList, found.since === null ? null : w.sinceSpan(found.since)],
        [w.siteSays, ...siteWords(found.site)],
        [
          w.list,
          w.listWas(
            found.list.revision ?? "–",
            w.freshness[found.list.freshness],
            ago(found.list.refreshedAt),
          ),
        ],
      ]),
      story === null ? null : storyFacts(story),
    ),
    story === null
      ? null
      : [
          h("h2", {}, w.lastTapsOf),
          h("div", { class: "panel flush" }, tapList(story.taps.map(tapOf), false)),
          h(
            "p",
            { class: "soft" },
            story.lookedBackTo === null
              ? w.lookedAll
              : w.lookedBack(timeOf(story.lookedBackTo, { isShort: true })),
          ),
        ],
    state.session.signedIn ? null : signInFirst(w.whySignIn),
  ];
}

function storyFacts({ since: turn, before, earlyRemovals, misreads }) {
  const w = words();
  return h(
    "ul",
    { class: "story" },
    turn === null
      ? null
      : h(
          "li",
          {},
          h("strong", {}, w.reasons[turn.reason]),
          " ",
          w.sinceTurn(timeOf(turn.at), turn.revision),
        ),
    before === null
      ? null
      : h("li", {}, w.beforeTurn(timeOf(before.at), before.revision, w.reasons[before.reason])),
    h("li", {}, `${w.hold}: `, w.earlyRemovals(earlyRemovals, misreads)),
  );
}

function siteWords(site) {
  const w = words();
  if (site === undefined) return [null];
  const line = (title, word) => {
    if (word === null) return null;
    const parts = [
      title,
      word.until === null ? null : w.untilDay(word.until),
      word.why,
      w.byName(word.who.name, timeOf(word.at, { isShort: true })),
    ];
    return h("span", {}, parts.filter((part) => part !== null).join(" · "));
  };
  const lines = [line(w.siteBlocked, site.blocked), line(w.siteAllowed, site.allowed)].filter(
    (one) => one !== null,
  );
  return lines.length === 0 ? [w.siteNothing] : lines;
}
