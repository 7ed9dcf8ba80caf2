/** The centre of a simulated site: signs lists with its own code, and knows what each revision says of each card. */
import { createFiles } from "../../drivers/files.ts";
import type { FeedSource } from "../../drivers/ports.ts";
import type { Status } from "../../sync/card.ts";
import { cardRows, publishCards } from "../../sync/publish.ts";
import type { CardRow } from "../../sync/publish-csv.ts";
import { initFeed, refreshFeed } from "../../sync/publish-feed.ts";
import type { CentreWorld, Place } from "../../sync/publish-repository.ts";
import { setCard } from "../../sync/publish-set.ts";
import { SimClock } from "./clock.ts";
import { SimDisk } from "./disk.ts";
import type { SimFeed } from "./feed.ts";
import { SimRandom } from "./random.ts";

const FEED_DIR = "/centre/feed";
const PLACE: Place = {
  dir: FEED_DIR,
  keysDir: "/centre/keys",
  rootKeysDir: "/centre/keys",
  passphrase: null,
};
/** With these a change is a delta, however short the list. */
const DELTA_LIMITS = { wholeBytesMin: 0, deltaBytesMax: 1_000_000, deltaShareMax: 1_000 };

/** What was published by the same steps in the same hour: signing it again would take much of a short life's time. */
export type Published = Map<string, { disk: SimDisk; revision: number }>;

/** All that is published in an hour bears its beginning, so that steps have the same bytes whoever took them first. */
const HOUR_MS = 3_600_000;

/** What a list may say of a card; null: it is not on it. */
export type Standing = Status | null;

export class SimCentre {
  /** The newest one that is published. */
  revision = 0;
  readonly #feed: SimFeed;
  readonly #clock: SimClock;
  readonly #published: Published;
  readonly #steps: string[] = [];
  #disk = new SimDisk();
  /** What became of each card, at which revision, oldest first. */
  readonly #standings = new Map<string, { revision: number; standing: Standing }[]>();

  constructor(feed: SimFeed, clock: SimClock, published: Published = new Map()) {
    this.#feed = feed;
    this.#clock = clock;
    this.#published = published;
  }

  /** The first list: `cards`, at revision 1. */
  async open(cards: readonly CardRow[]): Promise<void> {
    await this.#step("open", async (world) => {
      await world.files.makeDirs("/centre");
      await initFeed(PLACE, "id06", world);
      const options = { allowChange: 0, dryRun: false };
      return (await publishCards(PLACE, cardRows(cards), options, world, () => undefined)).to;
    });
    for (const { number, status } of cards)
      this.#standings.set(number, [{ revision: this.revision, standing: status }]);
  }

  /** Sets one card, as a delta or by a whole list; false where a card of that standing cannot be set so any more. */
  async set(card: string, status: Status | "removed", how: "delta" | "whole"): Promise<boolean> {
    const before = this.standing(card, this.revision);
    const isFinal = before === null || before === "terminated" || before === "superseded";
    if (isFinal || before === status) return false;
    const limits = how === "delta" ? [DELTA_LIMITS] : [];
    await this.#step(`${card} ${status} ${how}`, async (world) => {
      return (await setCard(PLACE, card, { status }, world, () => undefined, ...limits)).to;
    });
    const standing = status === "removed" ? null : status;
    this.#standings.get(card)?.push({ revision: this.revision, standing });
    return true;
  }

  /** New expiry, as a timer at the centre gives it every day. */
  async refresh(): Promise<void> {
    await this.#step("refresh", async (world) => {
      await refreshFeed(PLACE, world, () => undefined);
      return this.revision;
    });
  }

  /** What revision `revision` says of a card. */
  standing(card: string, revision: number): Standing {
    const known = this.#standings.get(card) ?? [];
    return known.findLast((entry) => entry.revision <= revision)?.standing ?? null;
  }

  /** `act` publishes and gives the revision that is the newest then. */
  async #step(name: string, act: (world: CentreWorld) => Promise<number>): Promise<void> {
    const hourMs = Math.floor(this.#clock.wallMs() / HOUR_MS) * HOUR_MS;
    this.#steps.push(`${hourMs} ${name}`);
    const key = this.#steps.join("\n");
    const before = this.#published.get(key);
    if (before !== undefined) {
      this.#disk = before.disk.crash("keep");
      this.revision = before.revision;
    } else {
      this.revision = await act(this.#world(hourMs));
      this.#published.set(key, { disk: this.#disk.crash("keep"), revision: this.revision });
    }
    const files = new Map<string, Uint8Array>();
    for (const path of this.#disk.paths()) {
      if (!path.startsWith(`${FEED_DIR}/`)) continue;
      files.set(path.slice(FEED_DIR.length + 1), this.#disk.seen(path) ?? new Uint8Array());
    }
    this.#feed.publish(files);
  }

  #world(wallMs: number): CentreWorld {
    const random = new SimRandom(`centre ${this.#steps.length}`);
    const files = createFiles(this.#disk, random);
    return {
      clock: new SimClock({ wallMs }),
      random,
      files,
      keyFiles: files,
      openDirectory: (dir) => this.#source(dir),
      lock: async () => ({ release: async () => undefined }),
    };
  }

  #source(dir: string): FeedSource {
    return {
      name: dir,
      fetch: async (path) => {
        const found = this.#disk.seen(`${dir}/${path}`);
        if (found === null) return { kind: "missing" };
        const body = async function* () {
          yield found;
        };
        return { kind: "found", body: body() };
      },
    };
  }
}
