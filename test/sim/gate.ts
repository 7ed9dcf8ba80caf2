/**
 * The gate in a simulated world: a `House` on a machine that may lose its power, people, a centre, and a judge who holds
 * it at every step against what must hold of it (DESIGN, Proof 1). A seed makes everything; a bug is a seed.
 */

import { House } from "../../daemon/house.ts";
import type { HousePorts } from "../../daemon/house-ports.ts";
import { verifyJournal } from "../../daemon/journal/journal-proof.ts";
import { createCommandReader } from "../../daemon/remote/command-reader.ts";
import { atOnce } from "../../daemon/slices.ts";
import { candidatesOf } from "../../drivers/candidates.ts";
import { createFiles } from "../../drivers/files.ts";
import { serialReader } from "../../drivers/reader-serial.ts";
import { buildInPlace } from "../../sync/build.ts";
import { SimCentre } from "./centre.ts";
import type { SimClockOptions } from "./clock.ts";
import { commandFault, SimCommander } from "./commands.ts";
import type { CrashPolicy } from "./disk-nodes.ts";
import { linesIn } from "./journal-eye.ts";
import { Judge } from "./judge.ts";
import { onSite, passageFault } from "./passages.ts";
import { SimRandom } from "./random.ts";
import {
  ACCESS_POINTS,
  BASE,
  CARDS,
  CURSOR,
  GATEWAY,
  JOURNAL,
  LINES,
  PULSE_MS,
  ROOT,
  type Room,
  roomOf,
  type SiteOptions,
  settingsOf,
} from "./site.ts";
import { SiteChanges } from "./site-changes.ts";
import { Violation } from "./violation.ts";
import { type Machine, SimWorld } from "./world.ts";

/** Those the site blocks and unblocks: few, so that each is tapped before and after. */
const SITE_CARDS = CARDS.slice(0, 6);
/** The last ones may be terminated or removed, which is for ever. */
const MORTAL_CARDS = CARDS.slice(30);

/** What a clean stop may take: a disk that does not answer is waited for, and the broker (daemon/house.ts). */
const STOP_MS_MAX = 60_000;

/** Pure: one for all lives of all gates, so that its schemas are compiled once. */
const COMMAND_READER = createCommandReader();

/** Changes the ports of a life before the house is built on them: how a bug is planted. */
export type Plant = (ports: HousePorts, machine: Machine) => HousePorts;

/** Noted where the roll call was held against the journal. */
export const ON_SITE = "on site by the journal";

export class SimGate {
  readonly world: SimWorld;
  readonly centre: SimCentre;
  readonly judge: Judge;
  /** Disk calls in which the power went, by what the file belongs to. */
  readonly cuts = new Map<Room, number>();
  readonly #plant: Plant;
  readonly #options: SiteOptions;
  #house: House | null = null;
  #life = 0;
  readonly #site = new SiteChanges();
  readonly commander: SimCommander;
  /** Pulses that somebody has made up his mind about, by access point. */
  readonly #passedBy = new Map<string, number>();
  #tapsOfLife = 0;
  /** What happened in a callback of the gateway, which must not throw there. */
  #fault: Violation | null = null;

  constructor(seed: number, plant: Plant = (ports) => ports, options: SiteOptions = {}) {
    this.world = new SimWorld({ seed });
    this.#plant = plant;
    this.#options = options;
    this.centre = new SimCentre(this.world.feed, this.world.clock, options.published);
    this.judge = new Judge(this.world, this.centre, {
      journalDir: JOURNAL,
      cursorPath: CURSOR,
      pulseMs: PULSE_MS,
      opensWithoutJournal: (id) =>
        ACCESS_POINTS.find((accessPoint) => accessPoint.id === id)?.whenJournalFails === "grant",
    });
    const openable = ACCESS_POINTS.flatMap(({ id, pulseMs }) => (pulseMs === null ? [] : [id]));
    this.commander = new SimCommander(this.world, BASE, openable);
    // A board that lets go by itself: what it does also after a crash.
    this.world.relay("side").hasOwnTimer = true;
    for (const id of LINES) this.world.line(id);
  }

  get house(): House | null {
    return this.#house;
  }

  /** Publishes the list, and boots the first life. */
  async start(): Promise<void> {
    await this.centre.open(CARDS);
    this.boot();
  }

  // ---------------------------------------------------------------- lives

  boot(clock: SimClockOptions = {}): void {
    const machine = this.world.boot(clock);
    this.#life += 1;
    const boot = `life-${this.#life}`;
    machine.disk.put(ROOT, this.world.feed.files.get("1.root.json") ?? new Uint8Array());
    this.#house = null;
    this.#site.lifeEnded();
    this.judge.lifeBegins(boot);
    this.#tapsOfLife = 0;
    const house = new House(
      settingsOf(boot, this.#options),
      this.#plant(
        this.#portsOf(machine, () => house),
        machine,
      ),
    );
    // Before it has started nobody can reach it.
    house.start().then(() => {
      this.#house = house;
      this.#judged(() => this.judge.lifeHasStarted(house.status().list.revision));
      this.#judged(() => this.#presenceIsThatOfTheJournal(house));
    });
  }

  /** After a start, and before anybody taps, who is on the site is what the disk says. */
  #presenceIsThatOfTheJournal(house: House): void {
    const { people, complete } = atOnce(house.presence.rollCall(null));
    // The roll call forgets in a week, and this journal what was acknowledged.
    if (!complete || this.#tapsOfLife > 0 || this.#options.forgets === true) return;
    const lines = [...linesIn(this.world.disk, JOURNAL, "seen").values()];
    const found = people.map(({ card }) => card).sort();
    const expected = onSite(lines, GATEWAY);
    if (found.join() !== expected.join())
      throw new Violation(`on site are ${found}, and by the journal ${expected}`);
    this.world.note(`${found.length} ${ON_SITE}`);
  }

  /** A machine without a battery for its clock, whose time service answers after a while: it sets the clock, and then vouches for it. */
  bootIn1970(trustedAfterMs: number): void {
    this.boot({ wallMs: 0, trustedAfterMs });
    const clock = this.world.machine?.clock;
    clock?.after(trustedAfterMs - 1, () => clock.jumpWall(this.world.clock.wallMs() - clock.wallMs()));
  }

  kill(): void {
    if (this.world.machine === null) return;
    this.judge.lifeEnds();
    this.world.kill();
  }

  powerCut(policy: CrashPolicy): void {
    if (this.world.machine === null) return;
    this.judge.lifeEnds();
    this.world.powerCut(policy);
  }

  /** In the `count`th disk call from now on. */
  powerCutAtIo(count: number, policy: CrashPolicy): void {
    const { disk } = this.world;
    disk.cutAt(disk.ios + count, ({ path }) => {
      const room = roomOf(path);
      this.cuts.set(room, (this.cuts.get(room) ?? 0) + 1);
      this.#judged(() => this.judge.lifeEnds());
      this.world.powerCut(policy);
    });
  }

  /** Stops it as a person does, unless the power goes meanwhile. */
  async stop(): Promise<void> {
    if (this.#house === null) return;
    let isDone = false;
    this.#house.stop().then(() => {
      isDone = true;
    });
    for (let waitedMs = 0; !isDone && this.world.machine !== null; waitedMs += 10) {
      if (waitedMs > STOP_MS_MAX) throw new Violation(`not stopped within ${STOP_MS_MAX} ms`);
      await this.world.advance(10);
    }
  }

  #portsOf(machine: Machine, house: () => House): HousePorts {
    const { world } = this;
    const { clock } = machine;
    return {
      ...machine,
      build: buildInPlace,
      commandReader: COMMAND_READER,
      candidatesOf: (sight) => candidatesOf(sight, ["BB"]),
      createBroker: (will) => world.broker.attach(clock, will),
      createReader: async (id, events) => {
        if (!LINES.includes(id)) return world.reader(id).attach(clock, events);
        const options = {
          id,
          port: "/dev/ttyS0",
          baudRate: 9_600,
          reads: "card-number",
          issuers: ["BB"],
        } as const;
        return serialReader.create(
          options,
          { ...machine, openChannel: world.line(id).openOn(clock) },
          events,
        );
      },
      createRelay: async (id, events) =>
        world.relay(id).attach(clock, {
          ...events,
          energised: () => {
            this.#judged(() => this.judge.energised(id));
            events.energised();
          },
        }),
      createInput: async (id, use, events) => world.input(`${id} ${use}`).attach(clock, events),
      tapped: ({ accessPoint, decision, reader }) => {
        this.#tapsOfLife += 1;
        world.note(`tap at ${reader}: ${decision.reason}`);
        this.#site.decided(decision);
        this.#judged(() => this.judge.decided(accessPoint, decision, house().status().list.revision));
      },
    };
  }

  #judged(judge: () => void): void {
    try {
      judge();
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      this.#fault ??= error;
    }
  }

  // ---------------------------------------------------------------- site life

  /** A second of site life: taps, passages, changes of lists, then everything that follows from them. `rush`: of taps. */
  async second(random: SimRandom, rush = 0.35): Promise<void> {
    await this.#change(random);
    for (const { readers } of ACCESS_POINTS) {
      for (const reader of readers) {
        if (random.chance(rush)) this.#later(random, () => this.tap(reader, random.pick(CARDS).number));
        else if (!LINES.includes(reader) && random.chance(rush / 6))
          this.#later(random, () => this.world.reader(reader).presentMisread("unreadable"));
      }
    }
    this.#pass(random);
    this.commander.second(random);
    await this.world.advance(1_000);
    this.check();
  }

  /** Holds everything against what must be, now. */
  check(): void {
    if (this.#fault !== null) throw this.#fault;
    if (this.#site.fault !== null) throw new Violation(this.#site.fault);
    this.judge.step();
    this.commander.check();
    if (this.#house === null) return;
    const { outbox, journal } = this.#house.status();
    this.judge.queues(outbox, journal.headSeq);
  }

  tap(reader: string, card: string): void {
    if (LINES.includes(reader)) this.world.line(reader).send(card);
    else this.world.reader(reader).presentNumber(card);
  }

  /** The centre changes its list, which takes real time: first, while the gateway has nothing to do. Then the site its own. */
  async #change(random: SimRandom): Promise<void> {
    if (random.chance(0.15)) {
      const isMortal = random.chance(0.2);
      const card = random.pick(isMortal ? MORTAL_CARDS : CARDS).number;
      const status = isMortal
        ? random.pick(["terminated", "removed"] as const)
        : random.pick(["active", "blocked"] as const);
      await this.listChange(card, status, random.chance(0.7) ? "delta" : "whole");
    }
    if (random.chance(0.3)) {
      const card = random.pick(SITE_CARDS).number;
      this.siteChange(card, random.chance(0.6) ? "site-blocked" : "site-unblocked");
    }
  }

  async listChange(...change: Parameters<SimCentre["set"]>): Promise<void> {
    if (!(await this.centre.set(...change))) return;
    this.world.note(`centre publishes ${this.centre.revision}: ${change.join(" ")}`);
    // As an announcement would, but by whoever is at the console.
    this.#house?.refresh();
  }

  siteChange(card: string, event: "site-blocked" | "site-unblocked"): void {
    if (this.#house !== null) this.#site.change(this.#house, card, event, (line) => this.world.note(line));
  }

  /** Most who are let in go through, some climb over, and some press the button. */
  #pass(random: SimRandom): void {
    for (const { id, inputs } of ACCESS_POINTS) {
      if (!("passage" in inputs)) continue;
      const { pulses } = this.world.relay(id);
      const lastMs = pulses.at(-1)?.energisedMs ?? 0;
      const isLetIn = lastMs > (this.#passedBy.get(id) ?? 0);
      if (isLetIn) this.#passedBy.set(id, lastMs);
      if (isLetIn ? random.chance(0.8) : random.chance(0.02)) this.world.input(`${id} passage`).touch();
      if (random.chance(0.03)) this.world.input(`${id} request-to-exit`).touch();
    }
  }

  #later(random: SimRandom, act: () => void): void {
    this.world.clock.after(random.between(0, 990), act);
  }

  // ---------------------------------------------------------------- at the end

  /**
   * After all trouble: the journal's chain holds, the broker has every journaled event, and passages are those there
   * were.
   */
  async checkWhole(): Promise<void> {
    this.check();
    const files = createFiles(this.world.disk, new SimRandom(0));
    const [fault] = (await this.#whileTimePasses(verifyJournal(files, JOURNAL, () => undefined))).faults;
    if (fault !== undefined) throw new Violation(`journal: ${JSON.stringify(fault)}`);
    const lines = [...linesIn(this.world.disk, JOURNAL, "seen").values()];
    const headSeq = lines.at(-1)?.seq ?? 0;
    const { nextSeq } = this.judge.delivery;
    if (nextSeq !== headSeq + 1) throw new Violation(`the broker has ${nextSeq - 1} of ${headSeq} events`);
    if (this.#options.forgets === true) return;
    const twice = commandFault(lines);
    if (twice !== null) throw new Violation(twice);
    const heard = ACCESS_POINTS.map(({ id }) => [id, this.world.input(`${id} passage`).heard] as const);
    const passage = passageFault(lines, GATEWAY, new Map(heard));
    if (passage !== null) throw new Violation(passage);
  }

  async #whileTimePasses<T>(work: Promise<T>): Promise<T> {
    let isDone = false;
    const done = work.finally(() => {
      isDone = true;
    });
    while (!isDone) await this.world.advance(10);
    return done;
  }
}
