/** What a house is built from: what its site says, and the world that it stands in. */
import type { Broker, FeedSource, Message, Random } from "../drivers/ports.ts";
import type { BuildIndex } from "../sync/build.ts";
import type { Cut } from "../sync/index-cuts.ts";
import type { CommandName } from "./broker/command-schema.ts";
import type { ListRules } from "./gate/decide.ts";
import type { DevicePorts } from "./gate/devices.ts";
import type { AccessPointSettings, TapView } from "./gate/gateway.ts";
import type { CommandPorts } from "./remote/command-rooms.ts";
import type { TokenKeys } from "./token-key.ts";

export interface HouseSettings {
  gateway: string;
  site: string;
  workplaceId: string | null;
  timeZone: string;
  version: string;
  /** Names this run of the process. */
  boot: string;
  /** Which start of the machine this run belongs to, and for how long it was up when the run began. */
  machine: { boot: string | null; uptimeMs: number };
  dataDir: string;
  tokenKeys: TokenKeys;
  /** What all topics begin with. */
  prefix: string;
  /** Those that are taken from the broker. */
  commands: readonly CommandName[];
  /** Whether the gateway announces itself to Home Assistant. */
  homeAssistant: boolean;
  accessPoints: readonly AccessPointSettings[];
  cards: {
    /** What the feed's announcements are called. */
    name: string;
    root: string;
    /** How the site's readers cut chip UIDs. */
    cuts?: readonly Cut[];
    refreshSeconds: number;
    lateAfterMinutes: number;
    staleAfterHours: number;
  } & ListRules;
  journal: { keepDays: number; maxBytes: number };
}

export interface HousePorts extends DevicePorts, CommandPorts {
  random: Random;
  feed: FeedSource;
  build: BuildIndex;
  collectSoon?: () => void;
  /** Null: no broker is configured, and events stay in the journal. */
  createBroker(will: Message, subscriptions: string[]): Broker | null;
  /** A tap was decided; for eyes in this process. */
  tapped(tap: TapView): void;
}
