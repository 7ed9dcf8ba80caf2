/** The page: which view is shown, what people do in it, and bringing it up to date. */
import { dialogOf } from "./dialogs.js";
import { h, morph } from "./dom.js";
import { cardOf, fieldsOf, instantOf, numberOf } from "./forms.js";
import { icon } from "./parts.js";
import {
  ask,
  changed,
  follow,
  forgetPresence,
  onChange,
  readPresence,
  readSession,
  readSiteList,
  signIn,
  signOut,
  state,
} from "./state.js";
import { cardsView, cardView, queryOf, search, searchOn, tell, told } from "./view-cards.js";
import { hunt, identifyView, startHunt, stopHunt } from "./view-identify.js";
import { nowView, verdictOf } from "./view-now.js";
import { presenceView, roll } from "./view-presence.js";
import { readersView } from "./view-readers.js";
import { siteView } from "./view-site.js";
import { saidTo, words } from "./words.js";

const NAV = ["now", "cards", "readers", "site", "presence"];
/** How old what is shown grows is seen in words. */
const TICK_MS = 5_000;
/** Long enough to be read; what went wrong stays. */
const NOTICE_MS = 12_000;

const app = /** @type {HTMLElement} */ (document.getElementById("app"));
const voice = /** @type {HTMLElement} */ (document.getElementById("voice"));

/** @type {{ mood: string, text: string, atMs: number } | null} What came of the last thing that was done. */
let notice = null;
/** @type {Record<string, string> | null} */
let dialog = null;
let isPlanned = false;
/** @type {string | null} */
let spokenTap = null;
/** @type {string | null} */
let spokenVerdict = null;

// ---------------------------------------------------------------- where we are

/** `#/card/BB-…` is `["card", "BB-…"]`. */
function place() {
  const [view = "now", what = ""] = location.hash.replace(/^#\/?/, "").split("/").map(decoded);
  return [view === "" ? "now" : view, what];
}

/** What somebody typed into the address need not be encoded. @param {string} part */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function arrive() {
  const [view, what] = place();
  notice = null;
  if (view !== "identify") stopHunt();
  if (view === "card" && told.asked !== what) void tell(what).finally(changed);
  if (view === "site") void readSiteList();
  if (view === "presence") void readPresence();
  else forgetPresence();
  render();
  scrollTo(0, 0);
  // Whoever hears the page is told where they came to.
  headline()?.focus({ preventScroll: true });
}

/** @returns {HTMLElement | null} */
function headline() {
  return document.querySelector("main h1");
}

/** As another visitor, who is shown other things. */
function arriveAnew() {
  told.asked = null;
  search.taps = null;
  search.next = null;
  arrive();
}

function viewOf() {
  const [view, what] = place();
  switch (view) {
    case "cards":
      return cardsView(notice);
    case "card":
      return cardView();
    case "readers":
      return readersView(notice);
    case "identify":
      return identifyView(what);
    case "site":
      return siteView(notice);
    case "presence":
      return presenceView(notice);
    default:
      return nowView(notice);
  }
}

// ---------------------------------------------------------------- showing it

function render() {
  isPlanned = false;
  const w = words();
  if (notice?.mood === "good" && Date.now() - notice.atMs > NOTICE_MS) notice = null;
  document.documentElement.lang = state.language;
  const view = h(
    "main",
    { id: "content", class: `view-${place()[0]}` },
    state.status === null ? h("p", { class: "lead" }, w.connecting) : viewOf(),
  );
  for (const title of view.querySelectorAll("h1")) title.setAttribute("tabindex", "-1");
  morph(
    app,
    h(
      "div",
      {},
      h("a", { class: "skip", href: "#content", "data-do": "skip" }, w.skip),
      headerOf(),
      view,
      navOf(),
      dialogOf(dialog),
    ),
  );
  const shown = app.querySelector("dialog");
  if (dialog !== null && shown?.open === false) shown.showModal();
  if (state.status === null) return;
  const { title } = verdictOf();
  document.title = `${title} · ${state.status.gateway}`;
  speak(title);
}

/** Many things may have changed at once: they are shown together. */
function plan() {
  if (isPlanned) return;
  isPlanned = true;
  requestAnimationFrame(render);
}

/** Aloud: how the gate is when that changes, and each new tap. */
function speak(verdict) {
  const [tap] = state.taps;
  const tapKey = tap === undefined ? null : `${tap.time} ${tap.reader}`;
  const said = [];
  if (spokenVerdict !== null && spokenVerdict !== verdict) said.push(verdict);
  if (spokenTap !== null && tapKey !== spokenTap && tap?.seq === null)
    said.push(`${tap.accessPoint}: ${saidTo(tap)}`);
  spokenVerdict = verdict;
  spokenTap = tapKey ?? "";
  if (said.length > 0) voice.textContent = said.join(". ");
}

function headerOf() {
  const w = words();
  const { status, session } = state;
  return h(
    "header",
    { class: "top" },
    h(
      "a",
      { class: "brand", href: "#/" },
      h("img", { src: "/page/icon.svg", alt: "", width: 28, height: 28 }),
      h(
        "span",
        {},
        h("strong", {}, status?.gateway ?? "Grindvakt"),
        status === null ? null : h("span", { class: "soft" }, status.site),
      ),
    ),
    h(
      "div",
      { class: "top-actions" },
      h(
        "button",
        {
          type: "button",
          class: "button plain",
          "data-do": "language",
          lang: state.language === "sv" ? "en" : "sv",
        },
        w.otherLanguage,
      ),
      session.signedIn
        ? h(
            "button",
            { type: "button", class: "button plain", "data-do": "sign-out", title: session.name },
            w.signOut,
          )
        : h("button", { type: "button", class: "button plain", "data-do": "sign-in" }, w.signIn),
    ),
  );
}

function navOf() {
  const w = words();
  const [view] = place();
  const here = { card: "cards", identify: "readers" }[view] ?? view;
  return h(
    "nav",
    { class: "nav", "aria-label": "Grindvakt" },
    NAV.map((name) =>
      h(
        "a",
        { href: `#/${name === "now" ? "" : name}`, "aria-current": name === here ? "page" : null },
        icon(name),
        h("span", {}, w.nav[name]),
      ),
    ),
  );
}

// ---------------------------------------------------------------- asking a person

function closeDialog() {
  dialog = null;
  app.querySelector("dialog")?.close();
  render();
}

// ---------------------------------------------------------------- what people do

/** @type {Record<string, (data: DOMStringMap) => unknown>} What is clicked says in `data-do` what it does. */
const DOINGS = {
  language() {
    state.language = state.language === "sv" ? "en" : "sv";
    localStorage.setItem("language", state.language);
    changed();
  },
  "sign-in": () => openDialog({ kind: "sign-in", fault: null }),
  "sign-out": () => did(() => signOut().then(arriveAnew)),
  open: ({ gate }) => openDialog({ kind: "open", gate, fault: null }),
  left: ({ card }) => openDialog({ kind: "left", card, fault: null }),
  close: closeDialog,
  skip: () => headline()?.focus(),
  async print() {
    await readPresence();
    printed();
    print();
  },
  "all-people"() {
    roll.isAll = true;
    changed();
  },
  back: () => history.back(),
  refresh: () =>
    did(async () => words().refreshed((await ask("/api/refresh", "POST", {})).list.revision ?? "–")),
  "search-more": () => did(() => searchOn(search.next)),
  "search-clear": () => {
    search.taps = null;
    search.next = null;
    changed();
  },
  site: ({ what, card }) => changeSite({ card, do: what }),
};

/** @type {Record<string, (form: HTMLFormElement, from: any) => unknown>} `from`: the button that sent it. */
const SUBMITS = {
  "look-up": (form) => {
    location.hash = `#/card/${encodeURIComponent(fieldsOf(form).asked ?? "")}`;
  },
  search: (form) => {
    search.query = queryOf(form);
    return did(() => searchOn(null));
  },
  "test-tap": (form) =>
    did(async () => {
      await ask("/api/taps", "POST", fieldsOf(form));
      return words().presented;
    }),
  identify: (form) => {
    const { reader } = form.dataset;
    if (hunt.reader === reader && hunt.source !== null) stopHunt();
    else startHunt(reader, numberOf(fieldsOf(form).wanted ?? ""));
    changed();
  },
  "site-block": async (form, from) => {
    if (await changeSite({ ...fieldsOf(form), do: from?.value ?? "block" })) form.reset();
  },
  "sign-in": (form) => confirm(form, ({ name, password }) => signIn(name, password).then(arriveAnew)),
  open: (form) =>
    confirm(form, async (fields) => {
      const { pulse } = await ask("/api/openings", "POST", { ...fields, accessPoint: dialog?.gate });
      say("good", pulse === "running" ? words().openRunning : words().opened);
    }),
  "by-hand": async (form, from) => {
    const isDone = await did(() => sayByHand(form, { do: from?.value ?? "enter" }));
    if (isDone) form.reset();
  },
  left: (form) =>
    confirm(form, async () => {
      say("good", await sayByHand(form, { do: "leave", card: dialog?.card }));
    }),
};

/** Says of a card what its taps did not; the words for it. */
async function sayByHand(form, more) {
  const { when, ...fields } = { ...fieldsOf(form), ...more };
  const { word } = await ask("/api/presence", "POST", {
    ...fields,
    card: cardOf(fields.card),
    ...(when === undefined ? {} : { when: instantOf(when) }),
  });
  await readPresence();
  return word.isDurable ? words().saidByHand(word) : words().saidOnly(word);
}

/** On paper there is everybody, and nothing that is only for a screen. */
function printed() {
  roll.isAll = true;
  render();
}

function openDialog(wanted) {
  dialog = wanted;
  render();
}

/** In an open dialog: closes it when `act` comes through, else says why not. */
async function confirm(form, act) {
  try {
    await act(fieldsOf(form));
    form.reset();
    closeDialog();
  } catch (error) {
    dialog = { ...dialog, fault: error.message };
    changed();
  }
}

function say(mood, text) {
  notice = { mood, text, atMs: Date.now() };
}

/** Says what came of it; true when it came through. */
async function did(act) {
  try {
    const text = await act();
    if (text !== undefined) say("good", text);
    return true;
  } catch (error) {
    say("bad", error.message);
    return false;
  } finally {
    changed();
  }
}

function changeSite(request) {
  return did(async () => {
    await ask("/api/site-blocks", "POST", { ...request, card: cardOf(request.card) });
    await readSiteList();
    return words().done;
  });
}

addEventListener("click", (event) => {
  /** @type {HTMLElement | null | undefined} */
  const target = event.target instanceof Element ? event.target.closest("[data-do]") : null;
  if (!target) return;
  // A link that is also done something with goes nowhere by itself.
  if (target.tagName === "A") event.preventDefault();
  void DOINGS[target.dataset.do ?? ""]?.(target.dataset);
});
addEventListener("submit", (event) => {
  event.preventDefault();
  const form = /** @type {HTMLFormElement} */ (event.target);
  void SUBMITS[form.dataset.submit ?? ""]?.(form, event.submitter);
});
// Escape closes a dialog by itself.
addEventListener(
  "cancel",
  () => {
    dialog = null;
  },
  true,
);
addEventListener("hashchange", arrive);
addEventListener("beforeprint", printed);
addEventListener("visibilitychange", () => document.hidden || void readSession().catch(() => {}));

state.language = localStorage.getItem("language") ?? state.language;
onChange(plan);
setInterval(plan, TICK_MS);
follow();
arrive();
