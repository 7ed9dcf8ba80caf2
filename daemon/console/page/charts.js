/** Small pictures: each says in words, too, what it shows. */
import { h, svg } from "./dom.js";
import { hourOf, number, words } from "./words.js";

const WIDTH = 300;
const HEIGHT = 84;
const HOUR_MS = 3_600_000;
const SPAN_MS = 600_000;

function chart(title, value, words, marks, labels) {
  const id = `chart-${title.replace(/\W/g, "")}`;
  return h(
    "figure",
    { class: "panel chart" },
    h(
      "figcaption",
      { id },
      h("span", { class: "eyebrow" }, title),
      h("strong", {}, value),
      h("span", { class: "soft" }, words),
    ),
    svg(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT + 16}`, role: "img", "aria-labelledby": id },
      svg("path", { class: "axis", d: `M0 ${HEIGHT + 0.5}H${WIDTH}` }),
      marks,
    ),
    h(
      "div",
      { class: "ticks", "aria-hidden": "true" },
      labels.map((label) => h("span", {}, label)),
    ),
  );
}

export function tapsAnHour(history) {
  const w = words();
  const hours = new Map(history.hours.map((hour) => [Date.parse(hour.at), hour]));
  const nowHour = Math.floor(Date.now() / HOUR_MS) * HOUR_MS;
  const day = Array.from({ length: 24 }, (_, index) => {
    const atMs = nowHour - (23 - index) * HOUR_MS;
    return hours.get(atMs) ?? { at: new Date(atMs).toISOString(), granted: 0, refused: 0 };
  });
  const most = Math.max(4, ...day.map(({ granted, refused }) => granted + refused));
  const sum = (of) => day.reduce((all, hour) => all + hour[of], 0);
  const step = WIDTH / 24;
  const bars = day.flatMap(({ granted, refused }, index) => {
    const goodPx = (granted / most) * HEIGHT;
    const badPx = (refused / most) * HEIGHT;
    const x = (index * step + 1.5).toFixed(1);
    const bar = (className, y, height) =>
      height > 0 &&
      svg("rect", {
        class: className,
        x,
        y: y.toFixed(1),
        width: step - 3,
        height: height.toFixed(1),
        rx: 1.5,
      });
    return [bar("bar-good", HEIGHT - goodPx, goodPx), bar("bar-bad", HEIGHT - goodPx - badPx, badPx)];
  });
  const label = (index) => `${String(hourOf(day[index].at)).padStart(2, "0")}`;
  return chart(
    w.tapsAnHour,
    number(sum("granted") + sum("refused")),
    w.tapsDay(number(sum("granted")), number(sum("refused"))),
    bars,
    [label(0), label(6), label(12), label(18), label(23)],
  );
}

export function latency(history) {
  const w = words();
  const { latenciesMs } = history;
  if (latenciesMs.length === 0) return chart(w.latency, "–", w.noLatency, [], []);
  const sorted = [...latenciesMs].sort((a, b) => a - b);
  const at = (part) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
  const shown = (ms) => number(ms, ms < 10 ? 1 : 0);
  const most = Math.max(10, sorted.at(-1));
  const step = WIDTH / Math.max(latenciesMs.length, 40);
  const bars = latenciesMs.map((ms, index) => {
    const height = Math.max(2, (ms / most) * HEIGHT);
    const x = WIDTH - (latenciesMs.length - index) * step;
    return svg("rect", {
      class: "bar",
      x: x.toFixed(1),
      y: (HEIGHT - height).toFixed(1),
      width: Math.max(0.8, step - 1.5).toFixed(1),
      height: height.toFixed(1),
      rx: 0.8,
    });
  });
  return chart(
    w.latency,
    `${shown(at(0.5))} ms`,
    w.latencySub(shown(at(0.5)), shown(at(0.99)), latenciesMs.length),
    bars,
    [w.older, w.newest],
  );
}

export function unsent(history, now) {
  const w = words();
  const spans = new Map(history.unsent.map(({ at, count }) => [Date.parse(at), count]));
  const nowSpan = Math.floor(Date.now() / SPAN_MS) * SPAN_MS;
  const counts = Array.from({ length: 144 }, (_, index) => spans.get(nowSpan - (143 - index) * SPAN_MS) ?? 0);
  const most = Math.max(4, now, ...counts);
  const yOf = (count) => (HEIGHT - (count / most) * (HEIGHT - 4)).toFixed(1);
  const line = counts
    .map((count, index) => `${index === 0 ? "M" : "L"}${((index / 143) * WIDTH).toFixed(1)} ${yOf(count)}`)
    .join("");
  const hour = (index) =>
    String(hourOf(new Date(nowSpan - (143 - index) * SPAN_MS).toISOString())).padStart(2, "0");
  return chart(
    w.unsent,
    number(now),
    w.unsentDay(number(Math.max(now, ...counts))),
    [
      svg("path", { class: "area", d: `${line}L${WIDTH} ${HEIGHT}L0 ${HEIGHT}Z` }),
      svg("path", { class: "line", d: line }),
    ],
    [hour(0), hour(36), hour(72), hour(108), hour(143)],
  );
}
