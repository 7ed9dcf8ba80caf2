/** Finding out, card in hand, how a reader has to be set: `grindvakt identify`, step by step. */
import { h } from "./dom.js";
import { field, noticeOf, sign, signInFirst } from "./parts.js";
import { wordsOfRefusal } from "./refusals.js";
import { changed, NOT_YET, state } from "./state.js";
import { words } from "./words.js";

export const hunt = {
  reader: NOT_YET,
  wanted: NOT_YET,
  /** @type {EventSource | null} */
  source: null,
  /** @type {import("../../answers/identify.ts").Way[]} */
  ways: [],
  /** @type {(string | null)[] | null} Settings that found a card in each tap so far, the plainest first; null before the first tap. */
  left: null,
  fault: NOT_YET,
};

export function startHunt(reader, wanted) {
  stopHunt();
  const source = new EventSource(`/api/identify/${encodeURIComponent(reader)}`);
  Object.assign(hunt, { reader, wanted, source, ways: [], left: null, fault: null });
  source.addEventListener("identified", ({ data }) => {
    const { ways } = JSON.parse(data);
    const fitting = ways.filter(({ card }) => (wanted === null ? card !== null : card === wanted));
    const settings = fitting.map(({ setting }) => setting);
    hunt.ways = ways;
    hunt.left = hunt.left === null ? settings : hunt.left.filter((setting) => settings.includes(setting));
    changed();
  });
  source.addEventListener("error", async () => {
    if (source.readyState !== EventSource.CLOSED || hunt.source !== source) return;
    const response = await fetch(source.url, { headers: { Accept: "application/json" } }).catch(() => null);
    const words = response?.ok === false ? wordsOfRefusal(await response.json(), state.language) : null;
    response?.body?.cancel().catch(() => {});
    stopHunt();
    hunt.fault = words;
    changed();
  });
}

export function stopHunt() {
  hunt.source?.close();
  hunt.source = null;
}

export function identifyView(reader) {
  const w = words();
  const isOurs = hunt.reader === reader;
  const isListening = isOurs && hunt.source !== null;
  const head = [
    h("p", {}, h("a", { href: "#/readers" }, `← ${w.back}`)),
    h("h1", {}, w.identifyTitle(reader)),
  ];
  if (!state.session.signedIn) return [...head, signInFirst(w.whySignIn)];
  return [
    ...head,
    // Who has had an answer knows how.
    isOurs && hunt.left !== null
      ? adviceOf(hunt.left)
      : h(
          "ol",
          { class: "steps" },
          w.identifySteps.map((step) => h("li", {}, step)),
        ),
    h(
      "form",
      // What was typed stays, whatever comes above it.
      { class: "panel row-form", "data-submit": "identify", "data-reader": reader, "data-key": "identify" },
      field(
        w.identifyCard,
        h("input", {
          id: "wanted",
          name: "wanted",
          autocomplete: "off",
          spellcheck: "false",
          placeholder: "BB-1234-567890",
          maxlength: 30,
        }),
      ),
      h(
        "button",
        { class: `button ${isListening ? "quiet" : "strong"}`, "data-listening": isListening ? "yes" : "no" },
        isListening ? w.identifyStop : w.identifyStart,
      ),
    ),
    noticeOf(
      isListening
        ? { mood: "off", text: w.listening }
        : isOurs && hunt.fault !== null
          ? { mood: "bad", text: hunt.fault }
          : null,
    ),
    isOurs && hunt.left !== null ? readingsOf(hunt.ways) : null,
  ];
}

function adviceOf(left) {
  const w = words();
  const [first, ...more] = left;
  if (first === undefined) return verdict("bad", h("p", {}, w.identifyNothing));
  if (first === null) return verdict("good", h("p", {}, w.identifyNoSetting));
  // What fits whole fits cut, too: that is no doubt.
  const others = first.includes("cut:")
    ? more
    : more.filter((setting) => setting?.includes("cut:") === false);
  return verdict(
    others.length === 0 ? "good" : "warn",
    h("p", {}, w.identifyWrite),
    h("p", {}, h("code", { class: "setting" }, `reads: ${first}`)),
    others.length === 0 ? null : h("p", {}, w.identifyOr(others.join(", "))),
  );
}

function verdict(mood, ...content) {
  return h("section", { class: `verdict ${mood}`, role: "status" }, sign(mood), h("div", {}, content));
}

function readingsOf(ways) {
  const w = words();
  return h(
    "div",
    { class: "panel flush scroll one-line", tabindex: 0, role: "region", "aria-label": w.readings },
    h(
      "table",
      {},
      h("caption", {}, w.readings),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          [w.setting, w.shows, w.leadsTo].map((text) => h("th", { scope: "col" }, text)),
        ),
      ),
      h(
        "tbody",
        {},
        ways.map(({ setting, shows, card, reason }) =>
          h(
            "tr",
            { class: card === null ? "dim" : "" },
            h("td", {}, h("code", {}, setting ?? "–")),
            h("td", {}, shows),
            h("td", {}, card === null ? w.reasons[reason] : `${card}, ${w.reasons[reason].toLowerCase()}`),
          ),
        ),
      ),
    ),
  );
}
