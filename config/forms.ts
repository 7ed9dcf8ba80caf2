/**
 * Texts with a form of their own (paths, addresses, sizes, hours), one table: what is allowed, in words, and
 * how the text is read. The schema marks a field with `"x-form": NAME`; reading also turns the text into what
 * the program uses: a path becomes absolute, a size becomes bytes.
 */
import { resolve } from "node:path";

/** What a text was read as, or what is wrong with it in words; never the text itself, it may hold a secret. */
export type FormOutcome = { kind: "value"; value: unknown } | { kind: "wrong"; what: string };

interface Form {
  /** Follows "allowed: " in a fault. */
  allowed: string;
  /** `folder`: where relative paths count from. */
  read(text: string, folder: string): FormOutcome;
}

/** Where the console listens. Port 0 takes a free one. */
export interface ListenAddress {
  host: string;
  port: number;
}

const KIB = 1024;
const UNITS: Record<string, number> = { "": 1, KiB: KIB, MiB: KIB ** 2, GiB: KIB ** 3, TiB: KIB ** 4 };
/** Below this a journal could not hold a day of a busy gate. */
const SIZE_BYTES_MIN = UNITS.MiB!;
/** Above any disk a gateway has; guards against one unit too many. */
const SIZE_BYTES_MAX = UNITS.TiB!;

const DAY = "(?:mon|tue|wed|thu|fri|sat|sun)";
const TIME = "(?:[01]\\d|2[0-3]):[0-5]\\d";
const HOURS = new RegExp(`^(?:(${DAY}(?:-${DAY})?) +)?(${TIME})-(${TIME}|24:00)$`);

export const FORMS = {
  path: { allowed: "a path, absolute or relative to this file", read: readPath },
  device: { allowed: "a device such as /dev/serial/by-id/…, or tcp://HOST:PORT", read: readDevice },
  feed: { allowed: "https://HOST/PATH/, http://HOST/PATH/ or a directory", read: readFeed },
  broker: { allowed: "mqtts://HOST:PORT or mqtt://HOST:PORT", read: readBroker },
  listen: { allowed: "HOST:PORT, such as 127.0.0.1:8606", read: readListen },
  size: { allowed: "a size from 1MiB to 1TiB, such as 2GiB", read: readSize },
  hours: {
    allowed: 'DAY-DAY HH:MM-HH:MM, such as "mon-fri 06:00-18:00" or "sat 22:00-06:00"',
    read: readHours,
  },
  "time-zone": {
    allowed: "a name from the time zone database, such as Europe/Stockholm",
    read: readTimeZone,
  },
} as const satisfies Record<string, Form>;

export type FormName = keyof typeof FORMS;

/** Whether an address of this host never leaves the machine. `host` as in a URL, with or without brackets. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host === "[::1]" || /^127(\.\d{1,3}){3}$/.test(host);
}

function value(read: unknown): FormOutcome {
  return { kind: "value", value: read };
}

function wrong(what: string): FormOutcome {
  return { kind: "wrong", what };
}

function readPath(text: string, folder: string): FormOutcome {
  if (text === "") return wrong("is an empty path");
  // No disk needs one, and what is written from paths (a systemd unit, a log line) would begin a line of its own there.
  if (/\p{Cc}/u.test(text)) return wrong("holds a line break or another control character");
  if (text.startsWith("~")) return wrong("begins with ~, which only a shell expands");
  return value(resolve(folder, text));
}

function readDevice(text: string, folder: string): FormOutcome {
  if (!text.includes("://")) return readPath(text, folder);
  const url = parseUrl(text, ["tcp:"]);
  if (url === null || url.port === "" || url.port === "0" || !isBare(url)) {
    return wrong("is no address of a serial device server");
  }
  return value(`tcp://${url.host.toLowerCase()}`);
}

function readFeed(text: string, folder: string): FormOutcome {
  if (!text.includes("://")) return readPath(text, folder);
  const url = parseUrl(text, ["http:", "https:"]);
  if (url === null) return wrong("is no address of a feed");
  if (hasCredentials(url)) return wrong("holds a user name or password, which go into username and password");
  if (url.search !== "" || url.hash !== "") return wrong("has a ? or # part");
  return value(url.href.endsWith("/") ? url.href : `${url.href}/`);
}

function readBroker(text: string): FormOutcome {
  const url = parseUrl(text, ["mqtt:", "mqtts:"]);
  if (url === null) return wrong("is no address of a broker");
  if (hasCredentials(url)) return wrong("holds a user name or password, which go into username and password");
  if (!isBare(url)) return wrong("has a path");
  return value(`${url.protocol}//${url.host}`);
}

function readListen(text: string): FormOutcome {
  const match = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (match === null || port > 65535) return wrong("is no address to listen on");
  return value({ host: match[1]!.replace(/^\[|\]$/g, ""), port } satisfies ListenAddress);
}

function readSize(text: string): FormOutcome {
  const match = /^(\d{1,15}) ?([KMGT]iB)?$/.exec(text);
  if (match === null) return wrong("is no size");
  const bytes = Number(match[1]) * UNITS[match[2] ?? ""]!;
  if (bytes < SIZE_BYTES_MIN) return wrong("is too small");
  if (bytes > SIZE_BYTES_MAX) return wrong("is too large");
  return value(bytes);
}

/** Gives the form the gate reads: lower case, one space, days always there. A span may end on the next day. */
function readHours(text: string): FormOutcome {
  const match = HOURS.exec(text.trim().toLowerCase());
  if (match === null) return wrong("are no opening hours");
  const [, days = "mon-sun", from, to] = match;
  if (from === to) return wrong("begin and end at the same time (a whole day is 00:00-24:00)");
  return value(`${days} ${from}-${to}`);
}

function readTimeZone(text: string): FormOutcome {
  if (!/^[A-Za-z]/.test(text)) return wrong("is no time zone");
  try {
    new Intl.DateTimeFormat("en", { timeZone: text });
    return value(text);
  } catch {
    return wrong("is no time zone");
  }
}

function parseUrl(text: string, protocols: readonly string[]): URL | null {
  if (/\s/.test(text) || !URL.canParse(text)) return null;
  const url = new URL(text);
  return protocols.includes(url.protocol) && url.hostname !== "" ? url : null;
}

function hasCredentials(url: URL): boolean {
  return url.username !== "" || url.password !== "";
}

function isBare(url: URL): boolean {
  return !hasCredentials(url) && ["", "/"].includes(url.pathname) && url.search === "" && url.hash === "";
}
