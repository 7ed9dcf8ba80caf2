/** Small pieces that every view is made of. */
import { h, svg } from "./dom.js";
import { ago, outcomeOf, saidTo, timeOf, words } from "./words.js";

const PATHS = {
  check: "M5 13l4.5 4.5L19 7.5",
  cross: "M7 7l10 10M17 7L7 17",
  warn: "M12 7v6.5M12 17v.1",
  wait: "M12 7v5l3 2",
  entry: "M4 12h11M11 7l5 5-5 5M20 4v16",
  exit: "M20 12H9M13 7l-5 5 5 5M4 4v16",
  now: "M4 12h4l2.5-6 3.5 12 2.5-6H20",
  cards: "M4 6.5h16v11H4zM4 10.5h16M7 14.5h4",
  readers: "M7 4h10v16H7zM10 16h4M9.5 8.5c1.5-1.2 3.5-1.2 5 0",
  site: "M4 20V10l8-6 8 6v10zM9.5 20v-6h5v6",
  presence:
    "M8.5 11a3 3 0 100-6 3 3 0 000 6zM3 19c.5-3.5 2.5-5 5.5-5s5 1.5 5.5 5M16 11a2.5 2.5 0 100-5M17 14c2.3.3 3.7 1.8 4 5",
  chevron: "M9 6l6 6-6 6",
};

/** Beside words, which say the same: hidden from who has it read aloud. */
export function icon(name) {
  return svg(
    "svg",
    { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" },
    svg("path", { d: PATHS[name] }),
  );
}

/** `good`, `warn`, `bad`, `off`: a colour, a sign, and always words beside it. */
export function sign(mood) {
  const name = { good: "check", warn: "warn", bad: "cross", off: "wait" }[mood];
  return h("span", { class: `sign ${mood}` }, icon(name));
}

const MISREADS = ["removed-early", "unreadable", "wrong-type", "malformed", "ambiguous"];

export function moodOf({ granted, reason }) {
  if (granted) return "good";
  return MISREADS.includes(reason) ? "warn" : "bad";
}

export function since(time) {
  return h("time", { datetime: time, title: timeOf(time) }, ago(time));
}

export function cardText(card) {
  return card === null
    ? h("span", { class: "soft" }, words().noCardRead)
    : h("span", { class: "card-number" }, card);
}

/**
 * Where a tap's card is told of; null: no number was read. Whoever is not shown the number asks by the tap's sequence, or, where it was
 * just told live and has none yet, by when and where it was.
 */
export function storyOf({ seq, time, reader, card }) {
  if (card === null) return null;
  const asked = card.includes("…") ? `tap:${seq ?? `${time}~${reader}`}` : card;
  return `#/card/${encodeURIComponent(asked)}`;
}

/** A tap leads to its card's story. */
export function tapList(taps, isLinked = true) {
  const w = words();
  if (taps.length === 0) return h("p", { class: "empty" }, w.nothingHere);
  return h(
    "ol",
    { class: "taps" },
    taps.map((tap) => {
      const { time, accessPoint, reader, card } = tap;
      const body = [
        sign(moodOf(tap)),
        h("span", { class: "tap-what" }, h("strong", {}, outcomeOf(tap)), h("span", {}, saidTo(tap))),
        h("span", { class: "tap-card" }, cardText(card)),
        h(
          "span",
          { class: "tap-where" },
          reader.startsWith(accessPoint) ? reader : `${accessPoint} · ${reader}`,
        ),
        h("time", { class: "tap-when", datetime: time }, timeOf(time)),
      ];
      const key = `${time} ${reader}`;
      const href = isLinked ? storyOf(tap) : null;
      if (href === null)
        return h("li", { "data-key": key }, h("div", { class: "tap" }, body, h("span", { class: "icon" })));
      return h("li", { "data-key": key }, h("a", { class: "tap", href }, body, icon("chevron")));
    }),
  );
}

/** @param {string | null} [hint] */
export function field(label, input, hint = null) {
  const id = input.id;
  if (hint !== null) input.setAttribute("aria-describedby", `${id}-hint`);
  return h(
    "div",
    { class: "field" },
    h("label", { for: id }, label),
    input,
    hint === null ? null : h("small", { id: `${id}-hint` }, hint),
  );
}

/** Where a card number is written, in whatever way it stands on the card. */
export function cardField(id) {
  const input = h("input", {
    id,
    name: "card",
    required: true,
    autocomplete: "off",
    spellcheck: "false",
    placeholder: "BB-1234-567890",
    maxlength: 30,
  });
  return field(words().cardNumber, input);
}

/** What came of something a person asked for. `notice`: `{ mood, text }`, or null. */
export function noticeOf(notice) {
  return h(
    "p",
    { class: "notice", role: "status", hidden: notice === null },
    notice === null ? null : [sign(notice.mood), h("span", {}, notice.text)],
  );
}

export function facts(rows) {
  return h(
    "dl",
    { class: "facts" },
    rows.flatMap(([term, ...values]) =>
      values[0] === null ? [] : [h("div", {}, h("dt", {}, term), h("dd", {}, values))],
    ),
  );
}

/** Asks to sign in, where a view is for people who have. */
export function signInFirst(text) {
  return h(
    "div",
    { class: "panel ask" },
    h("p", {}, text),
    h("button", { type: "button", class: "button", "data-do": "sign-in" }, words().signIn),
  );
}
