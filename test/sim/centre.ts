/** The centre of a simulated site: signs lists with its own code, and knows what each revision says of each card. */
import { createFiles } from "../../drivers/files.ts";
import type { FeedSource } from "../../drivers/ports.ts";
import type { Status } from "../../sync/card.ts";
import { cardRows, publishCards } from "../../sync/publish.ts";
import type { CardRow } from "../../sync/publish-csv.ts";
import { initFeed, refreshFeed } from "../../sync/publish-feed.ts";
import type { CentreWorld, Place } from "../../sync/publish-repository.ts";
import { setCard } from "../../sync/publish-set.ts";
import type { SimClock } from "./clock.ts";
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

/** What a list may say of a card; null: it is not on it. */
export type Standing = Status | null;

export class SimCentre {
  /** The newest one that is published. */
  revision = 0;
  readonly #feed: SimFeed;
  readonly #disk = new SimDisk();
  readonly #world: CentreWorld;
  /** What became of each card, at which revision, oldest first. */
  readonly #standings = new Map<string, { revision: number; standing: Standing }[]>();

  constructor(feed: SimFeed, clock: SimClock) {
    this.#feed = feed;
    const random = new SimRandom("centre");
    const files = createFiles(this.#disk, random);
    this.#world = {
      clock,
      random,
      files,
      keyFiles: files,
      openDirectory: (dir) => this.#source(dir),
      lock: async () => ({ release: async () => undefined }),
    };
  }

  /** The first list: `cards`, at revision 1. */
  async open(cards: readonly CardRow[]): Promise<void> {
    await this.#world.files.makeDirs("/centre");
    await initFeed(PLACE, "id06", this.#world);
    const options = { allowChange: 0, dryRun: false };
    const { to } = await publishCards(PLACE, cardRows(cards), options, this.#world, () => undefined);
    this.revision = to;
    for (const { number, status } of cards) this.#standings.set(number, [{ revision: to, standing: status }]);
    this.#hand();
  }

  /** Sets one card, as a delta or by a whole list; false where a card of that standing cannot be set so any more. */
  async set(card: string, status: Status | "removed", how: "delta" | "whole"): Promise<boolean> {
    const before = this.standing(card, this.revision);
    const isFinal = before === null || before === "terminated" || before === "superseded";
    if (isFinal || before === status) return false;
    const limits = how === "delta" ? [DELTA_LIMITS] : [];
    const { to } = await setCard(PLACE, card, { status }, this.#world, () => undefined, ...limits);
    this.revision = to;
    const standing = status === "removed" ? null : status;
    this.#standings.get(card)?.push({ revision: to, standing });
    this.#hand();
    return true;
  }

  /** New expiry, as a timer at the centre gives it every day. */
  async refresh(): Promise<void> {
    await refreshFeed(PLACE, this.#world, () => undefined);
    this.#hand();
  }

  /** What revision `revision` says of a card. */
  standing(card: string, revision: number): Standing {
    const known = this.#standings.get(card) ?? [];
    return known.findLast((entry) => entry.revision <= revision)?.standing ?? null;
  }

  #hand(): void {
    const files = new Map<string, Uint8Array>();
    for (const path of this.#disk.paths()) {
      if (!path.startsWith(`${FEED_DIR}/`)) continue;
      files.set(path.slice(FEED_DIR.length + 1), this.#disk.seen(path) ?? new Uint8Array());
    }
    this.#feed.publish(files);
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
