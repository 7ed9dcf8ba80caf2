/**
 * The gate in a simulated world: a `House` on a machine that may lose its power, and what must hold of it at every
 * step (DESIGN, Proof 1). A seed makes everything; a bug is a seed.
 */

import { House, type HouseSettings } from "../../daemon/house.ts";
import { verifyJournal } from "../../daemon/journal-reader.ts";
import { type CloudEvent, decodeLine, type Line } from "../../daemon/record.ts";
import { createFiles } from "../../drivers/files.ts";
import type { Files } from "../../drivers/ports.ts";
import { buildInPlace } from "../../sync/build.ts";
import { unpackNumber } from "../../sync/card.ts";
import { cardRows, publishCards } from "../../sync/publish.ts";
import type { CardRow } from "../../sync/publish-csv.ts";
import { initFeed } from "../../sync/publish-feed.ts";
import type { CentreWorld } from "../../sync/publish-repository.ts";
import { SimClock, type SimClockOptions } from "./clock.ts";
import { SimDisk } from "./disk.ts";
import type { SimFeed } from "./feed.ts";
import { passageFault } from "./passages.ts";
import { SimRandom } from "./random.ts";
import { SiteChanges } from "./site-changes.ts";
import { type Machine, SimWorld } from "./world.ts";

const DATA = "/data";
const PULSE_MS = 800;
/** From the end of a pulse to the contact: the relay's own delay, and a sync of the loop. */
const RELEASE_SLACK_MS = 50;
const DAY_MS = 24 * 3_600_000;
const FIRST_NUMBER = 27 * 10_000_000_000 + 2_611_000_001;

export const CARDS: readonly CardRow[] = Array.from({ length: 40 }, (_, index) => ({
  number: unpackNumber(FIRST_NUMBER + index),
  status: index % 4 === 3 ? "blocked" : "active",
  validUntilDay: null,
  tokens: [],
}));

/** Those the site blocks and unblocks: few, so that each is tapped before and after. */
const SITE_CARDS = CARDS.slice(0, 6);

/** `in` denies while the journal fails, `out` grants. */
const ACCESS_POINTS = [
  { id: "in", direction: "entry", readers: ["in-1"], whenJournalFails: "deny" },
  { id: "out", direction: "exit", readers: ["out-1"], whenJournalFails: "grant" },
] as const;

/** Changes the ports of a life before the house is built on them: how a bug is planted. */
export type Plant = (machine: Machine) => Files;

export class SimGate {
  readonly world: SimWorld;
  readonly #plant: Plant;
  #house: House | null = null;
  #starting: Promise<void> = Promise.resolve();
  #life = 0;
  readonly #site = new SiteChanges();
  /** Pulses that somebody has made up his mind about, by access point. */
  readonly #passedBy = new Map<string, number>();
  /** The journal's lines of all lives whose sync was seen, by sequence. */
  readonly #durable = new Map<number, string>();

  constructor(seed: number, plant: Plant = (machine) => machine.files) {
    this.world = new SimWorld({ seed });
    this.#plant = plant;
  }

  /** Publishes the list, and boots the first life. */
  async start(): Promise<void> {
    await publish(this.world.feed, this.world.clock.wallMs());
    this.boot();
  }

  boot(clock: SimClockOptions = {}): void {
    const machine = this.world.boot(clock);
    this.#life += 1;
    machine.disk.put("/site/root.json", this.world.feed.files.get("root.json") ?? new Uint8Array());
    const house = new House(settingsOf(`life-${this.#life}`), {
      clock: machine.clock,
      random: machine.random,
      files: this.#plant(machine),
      log: machine.log,
      feed: machine.feed,
      build: buildInPlace,
      createBroker: (will) => this.world.broker.attach(machine.clock, will),
      createReader: async (id, events) => this.world.reader(id).attach(machine.clock, events),
      createRelay: async (id, events) => {
        const accessPoint = ACCESS_POINTS.find((candidate) => candidate.id === id);
        const check = (): void => {
          if (accessPoint?.whenJournalFails === "deny") this.#checkGrantIsDurable(id);
        };
        return this.world.relay(id).attach(machine.clock, {
          ...events,
          energised: () => {
            check();
            events.energised();
          },
        });
      },
      createInput: async (id, use, events) => this.world.input(`${id} ${use}`).attach(machine.clock, events),
      tapped: ({ decision, reader }) => {
        this.world.note(`tap at ${reader}: ${decision.reason}`);
        this.#site.decided(decision);
      },
    });
    this.#house = null;
    this.#site.lifeEnded();
    // Before it has started nobody can reach it.
    this.#starting = house.start().then(() => {
      this.#house = house;
    });
  }

  async stop(): Promise<void> {
    await this.#starting;
    let stopped = false;
    const stopping = this.#house?.stop().then(() => {
      stopped = true;
    });
    for (let waitedMs = 0; !stopped && waitedMs < 60_000; waitedMs += 100) await this.world.advance(100);
    if (!stopped) throw new Error("the house did not stop within a minute");
    await stopping;
  }

  /** A second of site life: a few taps, then everything that follows from them. */
  async second(random: SimRandom): Promise<void> {
    for (const reader of ["in-1", "out-1"]) {
      if (random.chance(0.6)) this.world.reader(reader).presentNumber(random.pick(CARDS).number);
      else if (random.chance(0.1)) this.world.reader(reader).presentMisread("unreadable");
    }
    if (this.#house !== null && random.chance(0.3))
      this.#site.change(this.#house, random.pick(SITE_CARDS).number, random, (line) => this.world.note(line));
    for (const { id } of ACCESS_POINTS) {
      // Most who are let in go through, some climb over, and some press the button.
      const isLetIn = this.world.relay(id).pulses.length > (this.#passedBy.get(id) ?? 0);
      if (isLetIn ? random.chance(0.8) : random.chance(0.02)) this.world.input(`${id} passage`).touch();
      if (isLetIn) this.#passedBy.set(id, this.world.relay(id).pulses.length);
      if (random.chance(0.03)) this.world.input(`${id} request-to-exit`).touch();
    }
    await this.world.advance(1_000);
    this.#checkPulses();
    if (this.#site.fault !== null) throw new Violation(this.#site.fault);
  }

  // ---------------------------------------------------------------- what must hold

  /** No pulse without a synced grant: as many durable grants of this access point as it had pulses. */
  #checkGrantIsDurable(accessPoint: string): void {
    const grants = linesIn(this.world.disk, "durable").filter(
      ({ type, data }) =>
        data.accessPoint === accessPoint &&
        ((type === "grindvakt.tap.v1" && data.granted === true) || data.event === "request-to-exit"),
    );
    const pulses = this.world.relay(accessPoint).pulses.length;
    if (grants.length < pulses) {
      throw new Violation(`${accessPoint}: pulse ${pulses} with ${grants.length} durable grants`);
    }
  }

  /** No pulse past its limit, while the gateway that began it lives and its relay is well. */
  #checkPulses(): void {
    for (const [id, relay] of this.world.relays) {
      for (const { energisedMs, releasedMs } of relay.pulses) {
        const heldMs = (releasedMs ?? this.world.clock.monotonicMs()) - energisedMs;
        if (
          relay.health === "fine" &&
          releasedMs !== null &&
          heldMs > PULSE_MS + RELEASE_SLACK_MS &&
          !this.#excused
        ) {
          throw new Violation(`${id}: held for ${heldMs} ms`);
        }
      }
    }
  }

  /** Relays that were stuck, or whose gateway was killed in mid-pulse, are held as long as that lasts. */
  excusePulses(): void {
    this.#excused = true;
  }
  #excused = false;

  /** What was synced when a life ended must be there, line by line, in every later one. */
  rememberDurable(): void {
    for (const line of linesIn(this.world.disk, "durable")) this.#durable.set(line.seq, JSON.stringify(line));
  }

  /**
   * After all trouble: the journal's chain holds; what was ever durable is still there, under its number; and the broker
   * has every journaled event, in order, without gaps, one event to an id.
   */
  async checkWhole(): Promise<void> {
    const files = createFiles(this.world.disk, new SimRandom(0));
    const verdict = await runToEnd(
      this.world,
      verifyJournal(files, `${DATA}/journal`, () => undefined),
    );
    if (verdict.faults.length > 0) throw new Violation(`journal: ${JSON.stringify(verdict.faults[0])}`);
    const lines = linesIn(this.world.disk, "seen");
    const bySeq = new Map(lines.map((line) => [line.seq, line]));
    for (const [seq, text] of this.#durable) {
      if (JSON.stringify(bySeq.get(seq)) !== text)
        throw new Violation(`line ${seq} was durable and is not any more`);
    }
    this.#checkDelivery(lines);
    const heard = ACCESS_POINTS.map(({ id }) => [id, this.world.input(`${id} passage`).heard] as const);
    const fault = passageFault(lines, "gate-07", new Map(heard));
    if (fault !== null) throw new Violation(fault);
    const [violation] = this.world.broker.violations;
    if (violation !== undefined) throw new Violation(`broker: ${violation}`);
  }

  #checkDelivery(lines: readonly Line[]): void {
    const events = this.world.broker.delivered
      .filter(({ retain }) => !retain)
      .map(({ payload }) => JSON.parse(payload) as CloudEvent);
    let next = 1;
    const tapOfId = new Map<string, string>();
    for (const { id, type, data } of events) {
      const what = JSON.stringify([type, data.clock, data.reader, data.event]);
      if ((tapOfId.get(id) ?? what) !== what) throw new Violation(`two events are called ${id}`);
      tapOfId.set(id, what);
      if (data.seq === null) continue;
      const seq = Number(data.seq);
      if (seq > next) throw new Violation(`event ${seq} came before ${next}`);
      if (seq === next) next += 1;
    }
    const headSeq = lines.at(-1)?.seq ?? 0;
    if (next !== headSeq + 1) throw new Violation(`the broker has ${next - 1} of ${headSeq} events`);
  }
}

export class Violation extends Error {}

/** Lines of the journal that are certainly on the disk, or that a program would find. */
function linesIn(disk: SimDisk, how: "durable" | "seen"): Line[] {
  const segments = disk
    .paths()
    .filter((path) => path.startsWith(`${DATA}/journal/`) && path.endsWith(".ndjson"));
  const bySeq = new Map<number, Line>();
  for (const path of segments) {
    const first = Number(path.slice(-23, -7));
    // What an earlier segment has from here on was abandoned.
    for (const seq of bySeq.keys()) if (seq >= first) bySeq.delete(seq);
    for (const text of Buffer.from(disk[how](path) ?? [])
      .toString("utf8")
      .split("\n")) {
      const line = decodeLine(text);
      if (line !== null) bySeq.set(line.seq, line);
    }
  }
  return [...bySeq.values()].sort((a, b) => a.seq - b.seq);
}

async function runToEnd<T>(world: SimWorld, work: Promise<T>): Promise<T> {
  let isDone = false;
  const done = work.finally(() => {
    isDone = true;
  });
  while (!isDone) await world.advance(10);
  return done;
}

function settingsOf(boot: string): HouseSettings {
  return {
    gateway: "gate-07",
    site: "slussen",
    workplaceId: "8112345678",
    timeZone: "Europe/Stockholm",
    version: "simulated",
    boot,
    machine: { boot, uptimeMs: 0 },
    dataDir: DATA,
    prefix: "grindvakt",
    accessPoints: ACCESS_POINTS.map((accessPoint) => ({
      ...accessPoint,
      pulseMs: PULSE_MS,
      repeatSeconds: 2,
      passback: { mode: "off", resetMinutes: 720 },
      hours: [],
      inputs: { passage: { passageSeconds: 5 }, "request-to-exit": {} },
    })),
    cards: {
      name: "id06",
      root: "/site/root.json",
      refreshSeconds: 60,
      lateAfterMinutes: 15,
      staleAfterHours: 24,
      whenStale: "grant-listed",
      admit: "listed",
    },
    journal: { keepDays: 740, maxBytes: 1024 ** 3 },
  };
}

/** Signs the list with the centre's own code and puts it where the gateways fetch it. */
async function publish(feed: SimFeed, nowMs: number): Promise<void> {
  const disk = new SimDisk();
  const random = new SimRandom("centre");
  const files = createFiles(disk, random);
  const world: CentreWorld = {
    clock: new SimClock({ wallMs: Math.floor(nowMs / DAY_MS) * DAY_MS }),
    random,
    files,
    keyFiles: files,
    openDirectory: (dir) => ({
      name: dir,
      fetch: async (path) => {
        const found = disk.seen(`${dir}/${path}`);
        return found === null
          ? { kind: "missing" }
          : {
              kind: "found",
              body: (async function* () {
                yield found;
              })(),
            };
      },
    }),
    lock: async () => ({ release: async () => undefined }),
  };
  await files.makeDirs("/centre");
  const place = {
    dir: "/centre/feed",
    keysDir: "/centre/keys",
    rootKeysDir: "/centre/keys",
    passphrase: null,
  };
  await initFeed(place, "id06", world);
  await publishCards(place, cardRows(CARDS), { allowChange: 0, dryRun: false }, world, () => undefined);
  for (const path of disk.paths()) {
    if (path.startsWith("/centre/feed/"))
      feed.files.set(path.slice("/centre/feed/".length), disk.seen(path) ?? new Uint8Array());
  }
}
