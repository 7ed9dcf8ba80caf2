import { createFiles } from "../../drivers/files.ts";
import type { Broker, FeedSource, Files, Timer } from "../../drivers/ports.ts";
import { SimBroker } from "./broker.ts";
import { SimClock, type SimClockOptions } from "./clock.ts";
import { type FaultCode, type Io, SimDisk } from "./disk.ts";
import type { CrashPolicy } from "./disk-nodes.ts";
import { SimFeed } from "./feed.ts";
import { SimInput } from "./input.ts";
import { SimLine } from "./line.ts";
import { SimLog } from "./log.ts";
import { SimRandom } from "./random.ts";
import { SimReader } from "./reader.ts";
import { SimRelay } from "./relay.ts";
import { bring, type Trouble } from "./storm.ts";

export interface SimWorldOptions {
  seed: number;
  /** What the wall clock of the world shows at the start. */
  wallMs?: number;
  diskCapacityBytes?: number;
}

/** What one life of a gateway is given: its ports. All of them fall silent when that life ends. */
export interface Machine {
  /** Which life this is, from 1. */
  life: number;
  clock: SimClock;
  random: SimRandom;
  disk: SimDisk;
  files: Files;
  log: SimLog;
  /** Without a will; for one with a will, `world.broker.attach(machine.clock, will)`. */
  broker: Broker;
  feed: FeedSource;
}

/** How the life before ended, as the disk has it: `kill -9` or a power cut. */
type End = CrashPolicy | "killed";

/** A storm brings a trouble this often, and each lasts this long, in ms. */
const TROUBLE_EVERY_MS: [number, number] = [200, 6_000];
const TROUBLE_LASTS_MS: [number, number] = [100, 20_000];
/** A sync that stalls began before the trouble ended, and a journal that failed tries again after a pause. */
const DISK_ECHO_MS = 10_000;

/**
 * A site from one seed: time, disk, broker, feed, readers and relays, and a gateway's machine that may be killed,
 * lose its power and be started again. The same seed and the same calls give the same `trace`, line by line.
 *
 *     const world = new SimWorld({ seed: 7 });
 *     const machine = world.boot();            // the ports for this life
 *     …build a gateway on them, with world.reader("in").attach(machine.clock, events)…
 *     await world.advance(1_000);
 *     world.powerCut("torn");                  // nothing of that gateway is ever answered again
 *     const next = world.boot({ wallMs: 0 });
 */
export class SimWorld {
  readonly seed: number;
  readonly trace: string[] = [];
  readonly random: SimRandom;
  /** The world's own clock, which no power cut stops. */
  readonly clock: SimClock;
  readonly broker: SimBroker;
  readonly feed: SimFeed;
  readonly readers = new Map<string, SimReader>();
  readonly relays = new Map<string, SimRelay>();
  readonly inputs = new Map<string, SimInput>();
  readonly lines = new Map<string, SimLine>();
  /** The running machine, or null while it is off. */
  machine: Machine | null = null;
  /** The disk as it is now, also while the machine is off. */
  disk: SimDisk;
  /** How long a sync stalls beside its usual time, and what fails, whichever life asks. */
  stallOf: (io: Io) => number = () => 0;
  diskFaultOf: (io: Io) => FaultCode | null = () => null;

  readonly #log: (line: string) => void;
  #watcher: (line: string) => void = () => undefined;
  #lives = 0;
  #end: End = "lose";
  #nextTrouble: Timer | null = null;
  readonly #troubles = new Map<Trouble, () => void>();
  #diskIllUntilMs = 0;

  constructor(options: SimWorldOptions) {
    this.seed = options.seed;
    this.random = new SimRandom(options.seed);
    this.clock = new SimClock(options.wallMs === undefined ? {} : { wallMs: options.wallMs });
    this.#log = (line) => this.note(line);
    const parts = { clock: this.clock, trace: this.#log };
    this.broker = new SimBroker({ ...parts, random: this.random.fork("broker") });
    this.feed = new SimFeed({ trace: this.#log, random: this.random.fork("feed") });
    this.disk = new SimDisk({
      trace: this.#log,
      random: this.random.fork("disk"),
      ...(options.diskCapacityBytes === undefined ? {} : { capacityBytes: options.diskCapacityBytes }),
    });
  }

  /** Adds a line to the trace, with the time. */
  note(line: string): void {
    const text = `${this.clock.monotonicMs()} ${line}`;
    this.trace.push(text);
    this.#watcher(text);
  }

  /** Shows each line of the trace as it comes. */
  watch(watcher: (line: string) => void): void {
    this.#watcher = watcher;
  }

  reader(id: string): SimReader {
    return inOrMade(this.readers, id, () => new SimReader(id, this.clock, this.#log));
  }

  relay(id: string): SimRelay {
    return inOrMade(this.relays, id, () => new SimRelay(id, this.clock, this.#log));
  }

  input(id: string): SimInput {
    return inOrMade(this.inputs, id, () => new SimInput(id, this.clock, this.#log));
  }

  line(id: string): SimLine {
    return inOrMade(
      this.lines,
      id,
      () => new SimLine(id, this.clock, this.random.fork(`line ${id}`), this.#log),
    );
  }

  advance(ms: number): Promise<void> {
    return this.clock.advance(ms);
  }

  // ---------------------------------------------------------------- lives of the machine

  /** Starts the machine. Its wall clock shows the world's time, trusted at once, unless the options say else. */
  boot(options: SimClockOptions = {}): Machine {
    if (this.machine !== null) throw new Error("the machine is running: end it first");
    this.#lives += 1;
    const clock = this.clock.boot(options);
    const random = this.random.fork(`life ${this.#lives}`);
    this.disk = this.#diskFor(clock, random.fork("disk"));
    this.note(`machine starts life ${this.#lives}`);
    this.machine = {
      life: this.#lives,
      clock,
      random,
      disk: this.disk,
      files: createFiles(this.disk, random.fork("files")),
      log: new SimLog(this.#log),
      broker: this.broker.attach(clock),
      feed: this.feed.attach(clock),
    };
    return this.machine;
  }

  /** The machine has no power: what was not synced is left as `policy` says, and every relay falls. */
  powerCut(policy: CrashPolicy = "torn"): void {
    this.#stop(policy);
    for (const relay of this.relays.values()) relay.losePower();
  }

  /** `kill -9`: the kernel keeps what was written, relays stay as they are, and nothing is told to anybody. */
  kill(): void {
    this.#stop("killed");
    for (const relay of this.relays.values()) relay.orphan();
  }

  /** Cuts the power in the `count`th disk call of this life, which may have had its effect. */
  powerCutAtIo(count: number, policy: CrashPolicy = "torn"): void {
    this.disk.cutAt(count, () => this.powerCut(policy));
  }

  #stop(end: End): void {
    if (this.machine === null) return;
    this.note(`machine ends: ${end}`);
    this.machine.clock.end();
    this.machine = null;
    this.broker.vanish();
    this.#end = end;
  }

  #diskFor(clock: SimClock, random: SimRandom): SimDisk {
    const next = { clock, random };
    const disk = this.#end === "killed" ? this.disk.kill(next) : this.disk.crash(this.#end, next);
    const speed = random.fork("speed");
    disk.latencyMsOf = (io) => {
      if (io.kind !== "sync" && io.kind !== "syncDir") return speed.fraction();
      return speed.between(1, 8) + this.stallOf(io);
    };
    disk.faultOf = (io) => this.diskFaultOf(io);
    return disk;
  }

  // ---------------------------------------------------------------- trouble

  /** A journal may be failing, for what the disk does or has done a moment ago. */
  get diskIsIll(): boolean {
    const isNow = this.#troubles.has("slow-disk") || this.#troubles.has("failing-disk");
    return isNow || this.clock.monotonicMs() < this.#diskIllUntilMs;
  }

  /** From now on, troubles of these kinds come and go, until `calm`. At most one of each kind at a time. */
  storm(kinds: readonly Trouble[]): void {
    this.calm();
    const random = this.random.fork(`storm ${this.clock.monotonicMs()}`);
    const next = () => {
      const kind = random.pick(kinds);
      const lastsMs = random.between(...TROUBLE_LASTS_MS);
      if (!this.#troubles.has(kind)) {
        this.note(`trouble begins: ${kind}`);
        this.#troubles.set(kind, bring(kind, this, random));
        this.clock.after(lastsMs, () => this.#endTrouble(kind));
      }
      this.#nextTrouble = this.clock.after(random.between(...TROUBLE_EVERY_MS), next);
    };
    next();
  }

  /** All trouble ends, and none comes any more. */
  calm(): void {
    this.#nextTrouble?.cancel();
    this.#nextTrouble = null;
    for (const kind of [...this.#troubles.keys()]) this.#endTrouble(kind);
  }

  #endTrouble(kind: Trouble): void {
    const end = this.#troubles.get(kind);
    if (end === undefined) return;
    this.#troubles.delete(kind);
    this.note(`trouble ends: ${kind}`);
    if (kind === "slow-disk" || kind === "failing-disk")
      this.#diskIllUntilMs = this.clock.monotonicMs() + DISK_ECHO_MS;
    end();
  }
}

function inOrMade<T>(made: Map<string, T>, id: string, make: () => T): T {
  const found = made.get(id);
  if (found !== undefined) return found;
  const thing = make();
  made.set(id, thing);
  return thing;
}
