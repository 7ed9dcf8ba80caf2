/** The site that is simulated: its cards, access points and settings. */
import type { AccessPointSettings } from "../../daemon/gate/gateway.ts";
import type { HouseSettings } from "../../daemon/house-ports.ts";
import { unpackNumber } from "../../sync/card.ts";
import type { CardRow } from "../../sync/publish-csv.ts";
import type { Published } from "./centre.ts";

const DATA = "/data";
export const JOURNAL = `${DATA}/journal`;
export const CURSOR = `${DATA}/outbox.json`;
export const ROOT = "/site/root.json";
export const GATEWAY = "gate-07";
/** What its topics begin with. */
export const BASE = `grindvakt/slussen/${GATEWAY}`;
export const PULSE_MS = 800;
const FIRST_NUMBER = 27 * 10_000_000_000 + 2_611_000_001;

export const CARDS: readonly CardRow[] = Array.from({ length: 40 }, (_, index) => ({
  number: unpackNumber(FIRST_NUMBER + index),
  status: index % 4 === 3 ? "blocked" : "active",
  validUntilDay: null,
  tokens: [],
}));

/** What a file of the gateway belongs to. */
export type Room = "journal" | "outbox" | "card list" | "site list" | "commands" | "other";

export function roomOf(path: string): Room {
  if (path.startsWith(JOURNAL)) return "journal";
  if (path.startsWith(CURSOR)) return "outbox";
  if (path.startsWith(`${DATA}/cards`)) return "card list";
  if (path.startsWith(`${DATA}/command-ids`)) return "commands";
  return path.startsWith(`${DATA}/site-list`) ? "site list" : "other";
}

/** Readers on a serial line; the others hand over readings. */
export const LINES: readonly string[] = ["in-1", "side-2"];

const COMMON = { passback: { mode: "off", resetMinutes: 720 }, hours: [], repeatSeconds: 2 } as const;

/** Two turnstiles with contacts, one of which opens without a journal; a door with two readers; a place that only writes down. */
export const ACCESS_POINTS: readonly AccessPointSettings[] = [
  {
    ...COMMON,
    id: "in",
    direction: "entry",
    readers: ["in-1"],
    whenJournalFails: "deny",
    pulseMs: PULSE_MS,
    inputs: { passage: { passageSeconds: 5 }, "request-to-exit": {} },
  },
  {
    ...COMMON,
    id: "out",
    direction: "exit",
    readers: ["out-1"],
    whenJournalFails: "grant",
    pulseMs: PULSE_MS,
    inputs: { passage: { passageSeconds: 5 }, "request-to-exit": {} },
  },
  {
    ...COMMON,
    id: "side",
    direction: "entry",
    readers: ["side-1", "side-2"],
    whenJournalFails: "deny",
    pulseMs: PULSE_MS,
    inputs: {},
  },
  {
    ...COMMON,
    id: "yard",
    direction: "exit",
    readers: ["yard-1"],
    whenJournalFails: "deny",
    pulseMs: null,
    inputs: {},
  },
];

/** `forgets`: what has been judged is not kept, so that a run may last. `published`: what other gates' centres have signed. */
export interface SiteOptions {
  published?: Published;
  forgets?: boolean;
  refreshSeconds?: number;
  journalBytesMax?: number;
  journalKeepDays?: number;
}

export function settingsOf(boot: string, options: SiteOptions): HouseSettings {
  const { refreshSeconds = 10, journalBytesMax = 1024 ** 3, journalKeepDays = 740 } = options;
  return {
    gateway: GATEWAY,
    site: "slussen",
    workplaceId: "8112345678",
    timeZone: "Europe/Stockholm",
    version: "simulated",
    boot,
    machine: { boot, uptimeMs: 0 },
    dataDir: DATA,
    tokenKeys: { own: new Uint8Array(32).fill(1), before: null },
    prefix: "grindvakt",
    commands: ["open", "refresh", "identify", "resend"],
    homeAssistant: false,
    accessPoints: ACCESS_POINTS,
    cards: {
      name: "id06",
      root: ROOT,
      refreshSeconds,
      lateAfterMinutes: 15,
      staleAfterHours: 24,
      whenStale: "grant-listed",
      admit: "listed",
    },
    journal: { keepDays: journalKeepDays, maxBytes: journalBytesMax },
  };
}
