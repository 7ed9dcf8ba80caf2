/**
 * What a site may say, in one place: types, defaults, limits and the words that explain each key. The published
 * JSON Schema (`docs/schemas/configuration.schema.json`) is this value. A driver is one entry in
 * `READER_DRIVERS`, `RELAY_DRIVERS` or `INPUT_DRIVERS`.
 *
 * Two keywords of our own: `x-form` names a row of `forms.ts`, which checks and converts a text; `x-allowed`
 * says what is allowed where the other keywords cannot say it well.
 */
import type { ListenAddress } from "./forms.ts";
import { HID_READER, HID_RELAY } from "./hid.ts";
import { type Reads, reads, type TextReads } from "./reads.ts";
import {
  choice,
  formed,
  id,
  integer,
  list,
  optional,
  type Properties,
  type Static,
  secret,
  section,
  text,
  tls,
  variants,
  yesOrNo,
} from "./words.ts";

/** Every number a site may choose, with its bounds. */
const LIMITS = {
  /** Shorter pulses move no coil; longer ones hold a gate open. */
  pulseMs: { minimum: 50, maximum: 10_000 },
  /** Slower than a day is no sync. */
  refreshSeconds: { minimum: 1, maximum: 86_400 },
  lateAfterMinutes: { minimum: 1, maximum: 10_080 },
  /** A list a year old is no list. */
  staleAfterHours: { minimum: 1, maximum: 8_760 },
  /** Longer would swallow a person's second passage. */
  repeatSeconds: { minimum: 0, maximum: 60 },
  resetMinutes: { minimum: 1, maximum: 10_080 },
  /** The law wants two years; ten is the most anyone is asked for. */
  keepDays: { minimum: 1, maximum: 3_650 },
  baudRate: { minimum: 300, maximum: 921_600 },
  /** The common serial boards have up to 16 relays. */
  channel: { minimum: 1, maximum: 16 },
  /** OSDP's addresses; 127 is the broadcast. */
  osdpAddress: { minimum: 0, maximum: 126 },
  /** A tripod waits about 5 s to be pushed; nobody takes a minute. */
  passageSeconds: { minimum: 1, maximum: 60 },
  /** Outputs and lines are numbered from 0; no board in use has more. */
  line: { minimum: 0, maximum: 255 },
} as const;

/** More than one gateway can serve; guards against a file that is no configuration. */
const READERS_MAX = 256;
const ACCESS_POINTS_MAX = 256;

// ---------------------------------------------------------------- drivers

const baudRate = integer("Speed of the line, in bits per second.", LIMITS.baudRate, { default: 9600 });

const GPIO_LINE = {
  chip: text("The GPIO chip, as gpiodetect lists it.", {
    default: "gpiochip0",
    pattern: "^gpiochip[0-9]{1,3}$",
    "x-allowed": "gpiochip0, gpiochip1 and so on",
  }),
  line: integer("Which line of the chip, from 0.", LIMITS.line),
  activeLow: yesOrNo("Whether the low level is the active one."),
};

/** The options of each reader driver, beside `id` and `driver`. */
const READER_DRIVERS = {
  serial: {
    port: formed(
      "The serial device, best by its name under /dev/serial/by-id, or tcp://HOST:PORT of a device server.",
      "device",
    ),
    baudRate,
    reads: reads<TextReads>("card-number"),
  },
  pcsc: {
    name: text("A part of the reader's name as PC/SC shows it."),
  },
  osdp: {
    port: formed("The serial device of the RS-485 line.", "device"),
    baudRate,
    address: integer("The reader's address on the line.", LIMITS.osdpAddress),
    scbk: optional(secret("The reader's own key of the secure channel, 32 hexadecimal digits.")),
    reads: reads<Reads>("uid"),
  },
  hid: HID_READER,
  virtual: {},
} satisfies Record<string, Properties>;

/** The options of each relay driver, beside `driver` and `pulseMs`. */
const RELAY_DRIVERS = {
  "hid-relay": HID_RELAY,
  "serial-relay": {
    port: formed(
      "The serial device of the relay board, best by its name under /dev/serial/by-id, or tcp://HOST:PORT.",
      "device",
    ),
    baudRate,
    channel: integer("Which relay of the board, from 1.", LIMITS.channel, { default: 1 }),
  },
  gpio: GPIO_LINE,
  "osdp-output": {
    reader: id("The OSDP reader whose output is used."),
    output: integer("Which output of the reader, from 0.", LIMITS.line, { default: 0 }),
  },
  virtual: {},
} satisfies Record<string, Properties>;

/** The options of each input driver, beside `driver`. */
const INPUT_DRIVERS = {
  gpio: {
    ...GPIO_LINE,
    bias: choice(
      "The chip's own resistor: a contact to ground wants pull-up.",
      ["as-is", "pull-up", "pull-down"],
      {
        default: "as-is",
      },
    ),
  },
  "osdp-input": {
    reader: id("The OSDP reader whose input is used."),
    input: integer("Which input of the reader, from 0.", LIMITS.line, { default: 0 }),
  },
  virtual: {},
} satisfies Record<string, Properties>;

const READER = variants("A reader.", READER_DRIVERS, { id: id("The reader's name.") });
const RELAY = variants(
  "The relay that opens the turnstile; without one, taps are only decided and reported.",
  RELAY_DRIVERS,
  {
    pulseMs: integer("How long the relay is energised, in milliseconds.", LIMITS.pulseMs, { default: 800 }),
  },
);

const PASSAGE = variants("The contact that closes when the turnstile has turned.", INPUT_DRIVERS, {
  passageSeconds: integer(
    "How long the turnstile waits to be pushed, from its opening, in seconds.",
    LIMITS.passageSeconds,
    { default: 5 },
  ),
});

/** By what they tell; the words of the field. */
const INPUTS = section(
  "The contacts of an access point.",
  {
    passage: optional(PASSAGE),
    "request-to-exit": optional(variants("The button that opens without a card.", INPUT_DRIVERS, {})),
    tamper: optional(variants("The contact that closes when a cover is opened.", INPUT_DRIVERS, {})),
  },
  { default: {} },
);

// ---------------------------------------------------------------- the file

const GATEWAY = section("Which gateway this is.", {
  id: id("The gateway's name, unique among all that share a broker."),
  site: id("The site's name."),
  workplaceId: optional(
    text("The building site's number in the personnel ledger.", {
      pattern: "^[0-9A-Za-z-]{1,32}$",
      "x-allowed": "1 to 32 letters, digits and -, in quotes",
    }),
  ),
  timeZone: formed("The time zone of opening hours and of the day a card's validity ends.", "time-zone", {
    default: "Europe/Stockholm",
  }),
});

const CARDS = section(
  "The card list and where it comes from.",
  {
    feed: formed("Where the list comes from: a web address or a directory.", "feed"),
    name: id("What the feed's announcements are called.", { default: "id06" }),
    root: formed("The file with the trusted root the gateway starts from.", "path"),
    username: optional(text("The user name, where the feed asks for one.")),
    password: optional(secret("The password that goes with `username`.")),
    tls: optional(tls("TLS files for an https feed.")),
    tokenKey: optional(secret("The key that hides chip UIDs in the index and names them in events.")),
    issuers: list(
      "The prefixes of card numbers that are accepted.",
      text("A prefix.", { pattern: "^[A-Z]{2}$", "x-allowed": "two capital letters" }),
      {
        default: ["BB"],
        minItems: 1,
        uniqueItems: true,
      },
    ),
    refreshSeconds: integer("How often the feed is asked, in seconds.", LIMITS.refreshSeconds, {
      default: 60,
    }),
    lateAfterMinutes: integer("Age from which the list is late, in minutes.", LIMITS.lateAfterMinutes, {
      default: 15,
    }),
    staleAfterHours: integer("Age from which the list is stale, in hours.", LIMITS.staleAfterHours, {
      default: 24,
    }),
    whenStale: choice("What a stale list still does.", ["grant-listed", "deny"], { default: "grant-listed" }),
    admit: choice(
      "Every card the list grants, or only those the site has allowed, too.",
      ["listed", "site-allowed"],
      {
        default: "listed",
      },
    ),
  },
  { dependencies: { username: ["password"], password: ["username"] } },
);

const ACCESS_POINT = section("A passage as the site knows it.", {
  id: id("The access point's name."),
  direction: choice("Which way people pass.", ["entry", "exit"]),
  readers: list("The names of the readers at this access point.", id("A reader's name."), {
    minItems: 1,
    uniqueItems: true,
  }),
  relay: optional(RELAY),
  inputs: INPUTS,
  repeatSeconds: integer(
    "The same credential again within this is one tap, in seconds; 0 is off.",
    LIMITS.repeatSeconds,
    {
      default: 2,
    },
  ),
  passback: section(
    "What happens when a card goes the same way twice.",
    {
      mode: choice("Nothing, a word in the report, or a refusal.", ["off", "report", "deny"], {
        default: "off",
      }),
      resetMinutes: integer(
        "After this time a card may go either way again, in minutes.",
        LIMITS.resetMinutes,
        {
          default: 720,
        },
      ),
    },
    { default: {} },
  ),
  hours: list(
    "When the access point is open; empty is always.",
    formed("Days and a span of time.", "hours"),
    { default: [] },
  ),
  whenJournalFails: choice("What happens to taps while the journal cannot be written.", ["grant", "deny"], {
    default: "grant",
  }),
});

const MQTT = section(
  "The broker that taps are reported to.",
  {
    urls: list("Doors to one broker or cluster, tried in turn.", formed("A broker's address.", "broker"), {
      minItems: 1,
      uniqueItems: true,
    }),
    username: optional(text("The user name at the broker.")),
    password: optional(secret("The password that goes with `username`.")),
    tls: optional(tls("TLS files for mqtts addresses.")),
    prefix: text("What all topics begin with.", {
      default: "grindvakt",
      pattern: "^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$",
      "x-allowed": "letters, digits, -, _ and ., in levels parted by /",
    }),
    commands: list(
      "Which commands are taken from the broker.",
      choice("A command.", ["open", "refresh", "identify", "site-block", "site-unblock", "resend"]),
      { default: [], uniqueItems: true },
    ),
    homeAssistant: yesOrNo("Announces the gateway to Home Assistant."),
  },
  { dependencies: { password: ["username"] } },
);

const JOURNAL = section(
  "How much of what happened is kept.",
  {
    keepDays: integer("Acknowledged events are kept this long, in days.", LIMITS.keepDays, { default: 740 }),
    maxBytes: formed<number>(
      "The most the journal may take of the disk, in bytes or with a unit (KiB, MiB, GiB, TiB).",
      "size",
      { type: ["string", "integer"], default: "2GiB" },
    ),
  },
  { default: {} },
);

const CONSOLE = section("The technician's page and the HTTP interface.", {
  listen: formed<ListenAddress>("Where the console listens, HOST:PORT.", "listen", {
    default: "127.0.0.1:8606",
  }),
  password: optional(secret("The console's password, required off loopback.")),
  tls: optional(tls("TLS files of the console; `cert` and `key` make it https.")),
});

export const CONFIGURATION = section("One gateway of Grindvakt.", {
  gateway: GATEWAY,
  dataDir: formed("The directory of the journal, the list and the state; created with mode 0700.", "path", {
    default: "/var/lib/grindvakt",
  }),
  cards: CARDS,
  readers: list("The readers.", READER, { minItems: 1, maxItems: READERS_MAX }),
  accessPoints: list("The access points.", ACCESS_POINT, { minItems: 1, maxItems: ACCESS_POINTS_MAX }),
  mqtt: optional(MQTT),
  journal: JOURNAL,
  console: optional(CONSOLE),
  log: section(
    "What is written to the log.",
    {
      level: choice("The least important kind of line that is written.", ["debug", "info", "warn", "error"], {
        default: "info",
      }),
    },
    { default: {} },
  ),
  format: choice("Of which format this file is.", [1], {
    default: 1,
    "x-allowed": "1; a file with a higher number is for a newer grindvakt",
  }),
});

/** What a site says, with every default filled in, paths absolute and sizes in bytes. */
export type Configuration = Static<typeof CONFIGURATION>;
export type ReaderOptions = Configuration["readers"][number];
export type AccessPointOptions = Configuration["accessPoints"][number];
export type RelayOptions = NonNullable<AccessPointOptions["relay"]>;
export type InputUse = keyof AccessPointOptions["inputs"];
export type InputOptions = NonNullable<AccessPointOptions["inputs"][InputUse]>;
export type CardsOptions = Configuration["cards"];
export type MqttOptions = NonNullable<Configuration["mqtt"]>;
export type ConsoleOptions = NonNullable<Configuration["console"]>;
export type TlsFiles = NonNullable<MqttOptions["tls"]>;

/** The schema as it is published, for editors and other programs. */
export function publishedSchema(): object {
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    $id: "urn:grindvakt:configuration",
    title: "Grindvakt configuration",
    ...CONFIGURATION,
  };
}
