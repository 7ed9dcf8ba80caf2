/**
 * What `watch` shows: the whole gate on one screen, or, where there is no screen, a line for each thing that changes. Pure:
 * from what the daemon says to lines of text.
 */
import type { Status } from "../report/status.ts";
import type { LiveTap } from "./live.ts";

export type Colour = "green" | "yellow" | "red" | "bold" | "dim";

/** A piece of a line; its colour is put on after the line was cut to the screen. */
export interface Cell {
  text: string;
  colour?: Colour;
}
export type Row = readonly Cell[];

export interface ScreenWords {
  nowMs: number;
  /** Of the day, on the site's clock. */
  timeOf(rfc3339: string): string;
}

const STATE_COLOURS = { up: "green", starting: "yellow", down: "red" } as const;
const FRESHNESS_COLOURS = { fresh: "green", late: "yellow", stale: "red" } as const;
const NAME_WIDTH = 14;

// ---------------------------------------------------------------- the screen

/** `taps`: newest first; as many as there is room for below the rest. */
export function screen(status: Status, taps: readonly LiveTap[], words: ScreenWords, rowsMax: number): Row[] {
  const head = [
    [
      { text: `${status.gateway} `, colour: "bold" as const },
      { text: `at ${status.site}, version ${status.version}, since ${words.timeOf(status.since)}` },
    ],
    listRow(status, words),
    brokerRow(status),
    peopleRow(status),
    ...troubleRows(status),
    [],
    ...status.accessPoints.flatMap((accessPoint) => accessPointRows(accessPoint, status, words)),
    [],
  ];
  const room = Math.max(0, rowsMax - head.length);
  return [...head, ...taps.slice(0, room).map((tap) => tapRow(tap, words))].slice(0, rowsMax);
}

function listRow({ list }: Status, { nowMs }: ScreenWords): Row {
  if (list.revision === null)
    return [{ text: "list    " }, { text: "none: every card is refused", colour: "red" }];
  const age =
    list.refreshedAt === null
      ? "confirmed at a time not known"
      : `confirmed ${agoOf(list.refreshedAt, nowMs)}`;
  return [
    { text: "list    " },
    { text: list.freshness, colour: FRESHNESS_COLOURS[list.freshness] },
    { text: `, revision ${list.revision}, ${list.cards} cards, ${age}` },
  ];
}

function brokerRow({ broker, outbox }: Status): Row {
  const colour = broker.state === "up" ? "green" : broker.state === "down" ? "red" : "dim";
  const where = broker.state === "down" ? (broker.why ?? "") : (broker.url ?? "none is configured");
  return [
    { text: "broker  " },
    { text: broker.state, colour },
    { text: `, ${outbox.unsent} unsent, ${where}` },
  ];
}

function peopleRow({ presence: { onSite, overdue, complete } }: Status): Row {
  const late = overdue === 0 ? "" : `, and ${overdue} who came in too long ago`;
  return [{ text: `people  ${onSite} on site${late}` }, { text: complete ? "" : " (being read back)" }];
}

function troubleRows({ clockTrusted, journal, outbox, siteList }: Status): Row[] {
  const troubles = [
    journal.state === "failed" ? "the journal cannot be written" : null,
    journal.warning ? "the journal is nearly full" : null,
    outbox.refused === null ? null : `the broker refuses an event: ${outbox.refused}`,
    clockTrusted ? null : "the clock has not been synchronised",
    siteList.fault,
  ];
  return troubles.filter((text) => text !== null).map((text) => [{ text: `!       ${text}`, colour: "red" }]);
}

function accessPointRows(
  { id, direction, readers }: Status["accessPoints"][number],
  status: Status,
  words: ScreenWords,
): Row[] {
  const relay = status.relays[id];
  const relayCells: Cell[] =
    relay === undefined
      ? [{ text: "no relay", colour: "dim" }]
      : [
          { text: "relay " },
          { text: relay.state, colour: STATE_COLOURS[relay.state] },
          { text: relay.why === null ? "" : `: ${relay.why}` },
        ];
  return [
    [{ text: `${id} `, colour: "bold" }, { text: `${direction}, ` }, ...relayCells],
    ...readers.map((reader) => readerRow(reader, status, words)),
  ];
}

function readerRow(id: string, { readers }: Status, { timeOf }: ScreenWords): Row {
  const reader = readers[id];
  if (reader === undefined) return [{ text: `  ${id}` }];
  const { state, since, why, taps, misreads, earlyRemovals } = reader;
  const more =
    state === "down"
      ? ` since ${timeOf(since)}: ${why ?? ""}`
      : `  taps ${taps}, misreads ${misreads}, removed early ${earlyRemovals}`;
  return [
    { text: `  ${id.padEnd(NAME_WIDTH)} ` },
    { text: state, colour: STATE_COLOURS[state] },
    { text: more },
  ];
}

// ---------------------------------------------------------------- lines

export function tapRow(
  { time, accessPoint, card, granted, reason, texts }: LiveTap,
  { timeOf }: ScreenWords,
): Row {
  return [
    { text: `${timeOf(time)} ${accessPoint.padEnd(NAME_WIDTH)} ${(card ?? "-").padEnd(NAME_WIDTH)} ` },
    { text: reason.padEnd(NAME_WIDTH), colour: granted ? "green" : "red" },
    { text: ` ${texts.sv} / ${texts.en}` },
  ];
}

/** What is different, a row each; of a gate that was not seen before, how everything is. */
export function changes(before: Status | null, now: Status): Row[] {
  const rows: Row[] = [];
  const tell = (text: string, colour: Colour): void => void rows.push([{ text, colour }]);
  if (before?.boot !== now.boot) tell(`${now.gateway} at ${now.site} runs, version ${now.version}`, "bold");
  for (const [id, { state, why }] of Object.entries(now.readers)) {
    if (before?.readers[id]?.state !== state)
      tell(`reader ${id} is ${state}${because(why)}`, STATE_COLOURS[state]);
  }
  for (const [id, { state, why }] of Object.entries(now.relays)) {
    if (before?.relays[id]?.state !== state)
      tell(`relay of ${id} is ${state}${because(why)}`, STATE_COLOURS[state]);
  }
  const { list, broker } = now;
  if (before?.list.revision !== list.revision || before.list.freshness !== list.freshness)
    tell(
      list.revision === null
        ? "there is no card list"
        : `list revision ${list.revision} is ${list.freshness}`,
      list.revision === null ? "red" : FRESHNESS_COLOURS[list.freshness],
    );
  if (before?.broker.state !== broker.state && broker.state !== "none")
    tell(
      `broker is ${broker.state}${because(broker.why)}, ${now.outbox.unsent} unsent`,
      broker.state === "up" ? "green" : "red",
    );
  const old = new Set(before === null ? [] : troubleRows(before).map(textOf));
  for (const trouble of troubleRows(now)) if (!old.has(textOf(trouble))) rows.push(trouble);
  return rows;
}

function because(why: string | null): string {
  return why === null ? "" : `: ${why}`;
}

function textOf(row: Row): string {
  return row.map(({ text }) => text).join("");
}

/** A row as text of at most `width` characters; what a device or a broker said cannot move the cursor. */
export function lineOf(row: Row, width: number, paint: (text: string, colour: Colour) => string): string {
  let left = width;
  let line = "";
  for (const { text, colour } of row) {
    const cut = text.replace(/[\u0000-\u001f\u007f-\u009f]/g, "?").slice(0, left);
    left -= cut.length;
    line += colour === undefined || cut === "" ? cut : paint(cut, colour);
  }
  return line;
}

/** `12 s ago`, `3 min ago`, `5 h ago`. */
function agoOf(rfc3339: string, nowMs: number): string {
  const seconds = Math.max(0, Math.round((nowMs - Date.parse(rfc3339)) / 1_000));
  if (seconds < 120) return `${seconds} s ago`;
  return seconds < 7_200 ? `${Math.floor(seconds / 60)} min ago` : `${Math.floor(seconds / 3_600)} h ago`;
}
