/** What a person is asked before something is done. */
import { h } from "./dom.js";
import { field } from "./parts.js";
import { state } from "./state.js";
import { words } from "./words.js";

const WHY_CHARACTERS_MAX = 200;

/** `dialog`: its `kind`, what it is about, and `fault`: why it did not come through. Null: none is open. */
export function dialogOf(dialog) {
  const w = words();
  const kind = dialog?.kind ?? "sign-in";
  const { title, text, fields, go } = KINDS[kind](w, dialog);
  return h(
    "dialog",
    { "aria-labelledby": "dialog-title", open: null },
    h(
      "form",
      { method: "dialog", "data-submit": kind, "data-key": kind },
      h("h2", { id: "dialog-title" }, title),
      h("p", {}, text),
      fields,
      h("p", { class: "notice", role: "alert", hidden: !dialog?.fault }, dialog?.fault ?? ""),
      h(
        "div",
        { class: "buttons" },
        go === null ? null : h("button", { class: "button strong" }, go),
        h("button", { type: "button", class: "button quiet", "data-do": "close" }, w.cancel),
      ),
    ),
  );
}

const KINDS = {
  "sign-in": (w) => ({
    title: w.signIn,
    text: state.session.canSignIn ? w.whySignIn : w.noPassword,
    go: state.session.canSignIn ? w.signIn : null,
    fields: state.session.canSignIn
      ? [
          input("name", w.name, { required: true, maxlength: 100, autocomplete: "name" }),
          input("password", w.password, {
            type: "password",
            required: true,
            maxlength: 128,
            autocomplete: "current-password",
          }),
        ]
      : [],
  }),
  open: (w, { gate }) => ({
    title: `${w.openGate} ${gate}`,
    text: w.openAsk(gate),
    go: w.openGate,
    fields: [input("why", w.why, { maxlength: WHY_CHARACTERS_MAX, autocomplete: "off" })],
  }),
  left: (w, { card }) => ({
    title: w.leftTitle(card),
    text: w.byHandHint,
    go: w.leftDo,
    fields: byHandFields("left", ["exit"]),
  }),
};

function input(id, label, more) {
  return field(label, h("input", { id, name: id, ...more }));
}

/** Why, when, and, where more than one access point leads one of these ways, where. `prefix`: of their ids. */
export function byHandFields(prefix, directions) {
  const w = words();
  const all = state.status.accessPoints;
  const isPlain = directions.every((way) => all.filter(({ direction }) => direction === way).length === 1);
  const fitting = all.filter(({ direction }) => directions.includes(direction));
  const id = (name) => `${prefix}-${name}`;
  return [
    field(
      w.why,
      h("input", {
        id: id("why"),
        name: "why",
        required: true,
        maxlength: WHY_CHARACTERS_MAX,
        autocomplete: "off",
      }),
    ),
    field(w.when, h("input", { id: id("when"), name: "when", type: "datetime-local" })),
    isPlain
      ? null
      : field(
          w.gate,
          h(
            "select",
            { id: id("gate"), name: "accessPoint" },
            (fitting.length === 0 ? all : fitting).map(({ id: gate }) => h("option", {}, gate)),
          ),
        ),
  ];
}
