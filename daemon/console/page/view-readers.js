/** Each reader: whether it is there, and whether its trouble is the reader's or the cards'. */
import { h } from "./dom.js";
import { field, noticeOf, sign } from "./parts.js";
import { state } from "./state.js";
import { number, timeOf, words } from "./words.js";

/** Fewer readings say nothing. */
const READINGS_MIN = 20;
/** Above it somebody should look: one in ten is more than haste. */
const RATE_MAX = 0.1;

export function readersView(notice) {
  const w = words();
  const { status, facts } = state;
  const virtual = facts?.virtualReaders ?? [];
  return [
    h("h1", {}, w.readersTitle),
    h(
      "div",
      { class: "readers" },
      status.accessPoints.flatMap(({ id, readers }) =>
        readers.map((reader) => readerOf(reader, id, status.readers[reader])),
      ),
    ),
    virtual.length === 0
      ? null
      : [
          h("h2", {}, w.testTap),
          h(
            "form",
            { class: "panel row-form", "data-submit": "test-tap" },
            virtual.length === 1
              ? h("input", { type: "hidden", name: "reader", value: virtual[0] })
              : field(
                  w.readersTitle,
                  h(
                    "select",
                    { id: "test-reader", name: "reader" },
                    virtual.map((id) => h("option", {}, id)),
                  ),
                ),
            field(
              virtual.length === 1 ? `${w.testTap}: ${virtual[0]}` : w.cardNumber,
              h("input", {
                id: "credential",
                name: "credential",
                required: true,
                autocomplete: "off",
                spellcheck: "false",
                maxlength: 60,
              }),
              w.testTapHint,
            ),
            h("button", { class: "button strong" }, w.present),
          ),
        ],
    noticeOf(notice),
  ];
}

function readerOf(id, accessPoint, reader) {
  const w = words();
  const mood = { up: "good", down: "bad", starting: "off" }[reader.state];
  const warnings = [
    reader.tamper && w.tamperOpen,
    reader.powerFailed && w.powerFails,
    reader.alarm !== null && w.alarm(timeOf(reader.alarm.at), reader.alarm.why),
    reader.dropped > 0 && w.dropped(number(reader.dropped)),
  ].filter((text) => text !== false);
  return h(
    "article",
    { class: "panel reader", "data-key": id, "aria-labelledby": `reader-${id}` },
    h(
      "header",
      {},
      sign(mood),
      h("h2", { id: `reader-${id}` }, id),
      h("span", { class: "soft" }, accessPoint),
    ),
    h(
      "p",
      { class: `reader-state ${mood}` },
      h("strong", {}, w[reader.state]),
      ` ${w.since(timeOf(reader.since, { isShort: true }))}`,
    ),
    reader.why === null ? null : h("p", { class: "why" }, reader.why),
    reader.model === null ? null : h("p", { class: "soft" }, reader.model),
    warnings.map((text) => h("p", { class: "why" }, text)),
    ratesOf(reader),
    h("p", {}, h("a", { href: `#/identify/${id}` }, w.identify)),
  );
}

/** `taps` counts every reading that became a tap, also those of which no card was read. */
function ratesOf({ taps, earlyRemovals, misreads }) {
  const w = words();
  const all = Math.max(taps, earlyRemovals + misreads);
  const rate = (count) => (all === 0 ? 0 : count / all);
  const verdict =
    all < READINGS_MIN
      ? "few"
      : rate(misreads) > RATE_MAX
        ? "bad"
        : rate(earlyRemovals) > RATE_MAX
          ? "early"
          : "good";
  /** @param {number | null} [share] */
  const cell = (value, text, share = null) =>
    h(
      "div",
      {},
      h("dt", {}, text),
      h(
        "dd",
        {},
        h("strong", {}, number(value)),
        share === null || value === 0 ? null : h("span", { class: "soft" }, ` ${Math.round(share * 100)} %`),
      ),
    );
  return [
    h(
      "dl",
      { class: "rates" },
      cell(all, w.tapsCount),
      cell(earlyRemovals, w.earlyRate, rate(earlyRemovals)),
      cell(misreads, w.misreadRate, rate(misreads)),
    ),
    h("p", { class: verdict === "good" || verdict === "few" ? "soft" : "why" }, w.rates[verdict]),
  ];
}
