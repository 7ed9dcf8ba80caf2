/**
 * The control panel's side of OSDP lines: one bus a port, its PDs asked in turn. Each has a state machine of its
 * own, so that none goes down with its neighbour; those that do not answer are asked one a round, so that they cost
 * the others one reply timeout at most. All use of a port goes through one `OsdpBuses`.
 */
import { OsdpLine } from "./bus-osdp-line.ts";
import { type HearPd, Pd } from "./bus-osdp-pd.ts";
import { NEW_PD, type PdSettings } from "./bus-osdp-state.ts";
import { parseChannelAddress } from "./channel.ts";
import type { Command, Reply } from "./codec/osdp-messages.ts";
import { RANDOM_BYTES } from "./codec/osdp-secure.ts";
import type { DriverWorld, Observer } from "./driver.ts";
import type { Timer } from "./ports.ts";
import { type Device, SILENT, Supervisor } from "./supervise.ts";

/** The standard wants each PD polled every 50 ms or faster (5.7); the rest is room for a slow timer. */
const ROUND_MS_MIN = 40;

/** `port`: `tcp://host:port` or the name of a device. */
export interface OsdpBusOptions {
  port: string;
  baudRate: number;
}

/** The buses of a gateway, by port: whoever names the same port shares its line. */
export class OsdpBuses {
  readonly #world: DriverWorld;
  readonly #buses = new Map<string, OsdpBus>();

  constructor(world: DriverWorld) {
    this.#world = world;
  }

  /** The first who names a port says how fast it is; a configuration says the same for all. */
  at(options: OsdpBusOptions): OsdpBus {
    const found = this.#buses.get(options.port);
    if (found) return found;
    const bus = new OsdpBus(options, this.#world);
    this.#buses.set(options.port, bus);
    return bus;
  }
}

/** One user's hold on a PD. The PD is asked for as long as anybody holds it, and the port open for as long as any is. */
export interface PdHold {
  /** The PD as it was told of last. */
  readonly standing: "new" | "up" | "down";
  /** Why it is down. */
  readonly why: string | null;
  readonly capabilities: Pd["state"]["capabilities"];
  /** Whether the secure channel is open. */
  readonly isSecure: boolean;
  /** Rejects with words why the PD has not taken the command, at the latest after `withinMs`. */
  request(command: Command, withinMs: number): Promise<Reply | null>;
  /** Shows `observer` what goes over the line to and from the PD, until it is given null. */
  observe(observer: Observer | null): void;
  /** For so long the PD may be given its key under the key that everybody knows. */
  commission(durationMs: number): void;
  /** Resolves when nothing is left of it. Safe at any time and more than once. */
  release(): Promise<void>;
}

export class OsdpBus {
  readonly #options: OsdpBusOptions;
  readonly #world: DriverWorld;
  readonly #pds = new Map<number, Pd>();
  readonly #holds = new Map<Pd, number>();
  /** Why those were down that nobody holds any more, by address. */
  readonly #leftDown = new Map<number, string>();
  #supervisor: Supervisor<Device> | null = null;
  #line: OsdpLine | null = null;
  #current: Pd | null = null;
  #round: Pd[] = [];
  #roundBeganMs = Number.NEGATIVE_INFINITY;
  #pause: Timer | null = null;

  constructor(options: OsdpBusOptions, world: DriverWorld) {
    this.#options = options;
    this.#world = world;
  }

  /**
   * Takes hold of a PD; whoever holds one says the same `settings`, but for `takesCards`: its reader does, and until
   * the reader comes, cards stay with the PD, though an output of it may be used already.
   */
  hold(settings: PdSettings, hear: HearPd): PdHold {
    const { address, takesCards } = settings;
    const pd = this.#pds.get(address) ?? this.#makePd(settings);
    this.#pds.set(address, pd);
    this.#holds.set(pd, (this.#holds.get(pd) ?? 0) + 1);
    pd.listeners.add(hear);
    if (takesCards) pd.seat(true, hear);
    this.#open();
    this.#wake();
    let released: Promise<void> | null = null;
    return {
      get standing() {
        return pd.state.standing;
      },
      get why() {
        return pd.state.why;
      },
      get capabilities() {
        return pd.state.capabilities;
      },
      get isSecure() {
        return pd.state.session !== null;
      },
      request: (command, withinMs) => {
        const answered = pd.request(command, withinMs);
        this.#wake();
        return answered;
      },
      observe: (observer) => {
        pd.observer = observer;
      },
      commission: (durationMs) => {
        pd.apply({ kind: "commission", untilMs: this.#world.clock.monotonicMs() + durationMs });
      },
      release: () => {
        pd.listeners.delete(hear);
        if (takesCards && released === null) pd.seat(false, hear);
        released ??= this.#release(pd);
        return released;
      },
    };
  }

  /** That one was down when it was left need not be found out again. */
  #makePd(settings: PdSettings): Pd {
    const pd = new Pd(settings, this.#world.clock);
    const why = this.#leftDown.get(settings.address);
    if (why !== undefined) pd.state = { ...NEW_PD, standing: "down", why };
    return pd;
  }

  // ---------------------------------------------------------------- the port

  #open(): void {
    if (this.#supervisor !== null) return;
    this.#supervisor = new Supervisor<Device>(
      {
        name: `OSDP line ${this.#options.port}`,
        open: (lost) => this.#openLine(lost),
        up: () => this.#next(),
        down: (why) => {
          for (const pd of this.#pds.values()) pd.apply({ kind: "line-lost", why });
        },
      },
      { ...this.#world, log: SILENT },
    );
    void this.#supervisor.start();
  }

  async #openLine(lost: (why: string) => void): Promise<Device> {
    const { port, baudRate } = this.#options;
    const parsed = parseChannelAddress(port, baudRate);
    if (parsed.kind === "refused") throw new Error(parsed.why);
    let line: OsdpLine | null = null;
    const channel = await this.#world.openChannel(parsed.address, {
      data: (bytes) => line?.take(bytes),
      closed: (why) => {
        this.#leave(line);
        lost(why);
      },
    });
    line = new OsdpLine(channel, baudRate, this.#world.clock, {
      bytes: (bytes, stamp) => this.#current?.sight?.hear(bytes, stamp),
      frame: (frame, stamp) => {
        const pd = this.#current;
        const before = pd?.state;
        pd?.apply({ kind: "reply", frame }, stamp);
        return pd?.state !== before;
      },
      silence: (noiseBytes) => this.#current?.apply({ kind: "silence", noiseBytes }),
      free: () => {
        this.#current = null;
        this.#next();
      },
    });
    this.#line = line;
    const opened = line;
    return {
      close: () => {
        this.#leave(opened);
        return channel.close();
      },
    };
  }

  /** The line is gone; what was on its way on it is forgotten with it. */
  #leave(line: OsdpLine | null): void {
    line?.close();
    if (line === null || this.#line !== line) return;
    this.#line = null;
    this.#current = null;
    this.#pause?.cancel();
    this.#pause = null;
  }

  async #release(pd: Pd): Promise<void> {
    const holds = (this.#holds.get(pd) ?? 1) - 1;
    this.#holds.set(pd, holds);
    if (holds > 0) return;
    this.#holds.delete(pd);
    const { address } = pd.settings;
    this.#pds.delete(address);
    const { standing, why } = pd.state;
    if (standing === "down" && why !== null) this.#leftDown.set(address, why);
    else this.#leftDown.delete(address);
    this.#round = this.#round.filter((other) => other !== pd);
    pd.leave("its reader has been stopped");
    if (this.#pds.size > 0) return;
    const supervisor = this.#supervisor;
    this.#supervisor = null;
    await supervisor?.stop();
  }

  // ---------------------------------------------------------------- whose turn it is

  /** Somebody wants something: a pause between rounds ends. */
  #wake(): void {
    if (this.#pause !== null) this.#next();
  }

  #next(): void {
    this.#pause?.cancel();
    this.#pause = null;
    if (this.#line?.isFree !== true) return;
    for (let pd = this.#pick(); pd !== null; pd = this.#pick()) {
      const bytes = pd.apply({ kind: "turn", random: this.#world.random.bytes(RANDOM_BYTES) });
      if (bytes === null) continue;
      pd.turnMs = this.#world.clock.monotonicMs();
      this.#current = pd;
      this.#line.send(bytes);
      return;
    }
    this.#rest();
  }

  /** What somebody waits for goes first, once a round for each PD; then the round. */
  #pick(): Pd | null {
    for (const pd of this.#pds.values()) {
      if (!pd.isUrgent) continue;
      pd.hasJumped = true;
      return pd;
    }
    return this.#round.shift() ?? null;
  }

  #rest(): void {
    const { clock } = this.#world;
    const leftMs = this.#roundBeganMs + ROUND_MS_MIN - clock.monotonicMs();
    this.#pause = clock.after(Math.max(leftMs, 0), () => {
      this.#pause = null;
      this.#roundBeganMs = clock.monotonicMs();
      this.#round = this.#makeRound();
      this.#next();
    });
  }

  /** All that answer, and of those that do not the one that has waited longest. */
  #makeRound(): Pd[] {
    const due = [...this.#pds.values()].filter((pd) => pd.isDue);
    for (const pd of this.#pds.values()) pd.hasJumped = false;
    const silent = due
      .filter((pd) => !pd.state.isAnswering)
      .reduce<Pd | null>((first, pd) => (first === null || pd.turnMs < first.turnMs ? pd : first), null);
    const answering = due.filter((pd) => pd.state.isAnswering);
    return silent === null ? answering : [...answering, silent];
  }
}
