/**
 * What must hold of a gate at every step (DESIGN, Proof 1), seen from outside: from the contacts, the disk, the broker and
 * what was decided. Knows nothing of how a gateway works. What does not hold throws a `Violation`.
 */
import type { Decision } from "../../daemon/gate/decide.ts";
import type { Line } from "../../daemon/journal/record.ts";
import { STATUSES } from "../../sync/card.ts";
import type { SimCentre } from "./centre.ts";
import { isOpenCommand } from "./commands.ts";
import { JournalEye, linesIn } from "./journal-eye.ts";
import { Delivery } from "./judge-delivery.ts";
import type { SimRelay } from "./relay.ts";
import { Violation } from "./violation.ts";
import type { SimWorld } from "./world.ts";

/** From the end of a pulse to the contact: the relay's own delay, and a turn of the loop. */
const RELEASE_SLACK_MS = 50;
/** A gate has a few timers a device, a reader's silence and an event on its way; more and more of them would be a leak. */
const TIMERS_MAX = 400;
/** Of the outbox: events that are on no disk (daemon/broker/outbox.ts). */
const VOLATILE_EVENTS_MAX = 20_000;
/** A life that ended is told from what lies in the newest segments. */
const SEGMENTS_MAX = 4;

export interface Laws {
  journalDir: string;
  cursorPath: string;
  pulseMs: number;
  /** Whether an access point opens although its journal fails. */
  opensWithoutJournal(accessPoint: string): boolean;
}

export class Judge {
  readonly delivery = new Delivery();
  readonly #world: SimWorld;
  readonly #centre: SimCentre;
  readonly #laws: Laws;
  readonly #eye: JournalEye;
  #boot = "";
  /** By access point: the newest grant of this life that is on the disk, and what that was at the last pulse. */
  readonly #granted = new Map<string, { seq: number; usedSeq: number }>();
  /** By access point: taps that were granted, and how many of these and of presses of the button there were at the last pulse. */
  readonly #grants = new Map<string, number>();
  readonly #usedAsks = new Map<string, number>();
  /** Commands to open that are on the disk. */
  readonly #commands = new Map<string, number>();
  /** The newest line that was on the disk when a life ended. */
  #promised: Line | null = null;
  /** The newest revision that anything was decided on, over all lives. */
  #revision = 0;
  #deliveredCount = 0;

  constructor(world: SimWorld, centre: SimCentre, laws: Laws) {
    this.#world = world;
    this.#centre = centre;
    this.#laws = laws;
    this.#eye = new JournalEye(laws.journalDir);
  }

  // ---------------------------------------------------------------- lives

  lifeBegins(boot: string): void {
    this.#boot = boot;
    this.#granted.clear();
    for (const id of this.#world.relays.keys()) this.#usedAsks.set(id, this.#asksOf(id));
  }

  /** What was synced is there, what was in force is, and nothing is left energised by the life before. */
  lifeHasStarted(revision: number | null): void {
    this.#revisionIs(revision ?? 0);
    for (const [id, relay] of this.#world.relays) {
      const last = relay.pulses.at(-1);
      if (last?.releasedMs === null && last.orphaned && !last.excused)
        throw new Violation(`${id}: energised by the life before, and not released at start`);
    }
    const { disk } = this.#world;
    if (this.#promised === null) return;
    const { seq } = this.#promised;
    const found = linesIn(disk, this.#laws.journalDir, "seen", SEGMENTS_MAX).get(seq);
    if (JSON.stringify(found) !== JSON.stringify(this.#promised))
      throw new Violation(`line ${seq} was durable and is not any more`);
  }

  /** The power is gone or the process is: what is on the disk now is what was promised. */
  lifeEnds(): void {
    const lines = [...linesIn(this.#world.disk, this.#laws.journalDir, "durable", SEGMENTS_MAX).values()];
    const newest = lines.reduce<Line | null>(
      (last, line) => (line.seq > (last?.seq ?? 0) ? line : last),
      null,
    );
    if (newest !== null && newest.seq >= (this.#promised?.seq ?? 0)) this.#promised = newest;
    else if (newest !== this.#promised)
      throw new Violation(`the journal ends at ${newest?.seq ?? 0}, and had ${this.#promised?.seq}`);
  }

  // ---------------------------------------------------------------- decisions and pulses

  /** On the list in force: a card is let in that it says is active, and refused for what it says. */
  decided(accessPoint: string, { card, granted, reason }: Decision, revision: number | null): void {
    this.#revisionIs(revision ?? 0);
    if (granted) this.#grants.set(accessPoint, (this.#grants.get(accessPoint) ?? 0) + 1);
    if (card === null || revision === null) return;
    const standing = this.#centre.standing(card, revision);
    if (granted && standing !== "active")
      throw new Violation(
        `${card} was granted on revision ${revision}, which says ${standing ?? "nothing"} of it`,
      );
    const isOfList = (STATUSES as readonly string[]).includes(reason) || reason === "unknown";
    if (isOfList && reason !== (standing ?? "unknown"))
      throw new Violation(`${card} was refused as ${reason} on revision ${revision}, which says ${standing}`);
  }

  #revisionIs(revision: number): void {
    if (revision < this.#revision)
      throw new Violation(`revision ${revision} is in force after ${this.#revision} was decided on`);
    if (revision > this.#centre.revision)
      throw new Violation(`revision ${revision} is in force, and the centre has ${this.#centre.revision}`);
    this.#revision = revision;
  }

  /** No pulse without a grant that had none yet, and that is on the disk, but where the journal may fail. */
  energised(accessPoint: string): void {
    this.#lookAtJournal();
    const granted = this.#granted.get(accessPoint) ?? { seq: 0, usedSeq: 0 };
    if (granted.seq > granted.usedSeq) granted.usedSeq = granted.seq;
    else if (!this.#laws.opensWithoutJournal(accessPoint) || !this.#world.diskIsIll)
      throw new Violation(`${accessPoint}: a pulse without a durable grant of its own`);
    const asks = this.#asksOf(accessPoint);
    if (asks <= (this.#usedAsks.get(accessPoint) ?? 0))
      throw new Violation(`${accessPoint}: a pulse that nobody has asked for`);
    this.#usedAsks.set(accessPoint, asks);
  }

  #asksOf(accessPoint: string): number {
    const pressed = this.#world.inputs.get(`${accessPoint} request-to-exit`)?.heard ?? 0;
    return (this.#grants.get(accessPoint) ?? 0) + pressed + (this.#commands.get(accessPoint) ?? 0);
  }

  #lookAtJournal(): void {
    for (const line of this.#eye.look(this.#world.disk)) {
      const { seq, id, type, data } = line;
      const isCommand = isOpenCommand(line);
      const isOpening =
        (type === "grindvakt.tap.v1" && data.granted === true) ||
        data.event === "request-to-exit" ||
        isCommand;
      // With an id of its own it was written long after its tap: nothing opened for that.
      if (!isOpening || id !== undefined) continue;
      if ((data.clock as { boot?: unknown } | undefined)?.boot !== this.#boot) continue;
      const accessPoint = String(data.accessPoint);
      if (isCommand) this.#commands.set(accessPoint, (this.#commands.get(accessPoint) ?? 0) + 1);
      const { usedSeq = 0 } = this.#granted.get(accessPoint) ?? {};
      this.#granted.set(accessPoint, { seq, usedSeq });
    }
  }

  // ---------------------------------------------------------------- at every step

  step(): void {
    for (const [id, relay] of this.#world.relays) this.#pulsesAreShort(id, relay);
    this.delivery.take(this.#world.broker.delivered.slice(this.#deliveredCount));
    this.#deliveredCount = this.#world.broker.delivered.length;
    this.#cursorIsBehind();
    const timers = this.#world.machine?.clock.pendingCount ?? 0;
    if (timers > TIMERS_MAX) throw new Violation(`${timers} timers are waiting`);
    const [violation] = this.#world.broker.violations;
    if (violation !== undefined) throw new Violation(`broker: ${violation}`);
  }

  /** Of the gateway's own words, as these queues cannot be seen from outside. */
  queues(outbox: { unsent: number; acknowledgedSeq: number }, headSeq: number): void {
    const volatile = outbox.unsent - Math.max(0, headSeq - outbox.acknowledgedSeq);
    if (volatile > VOLATILE_EVENTS_MAX) throw new Violation(`${volatile} events are kept in memory`);
  }

  /** What was judged is forgotten: for a long run. */
  forget(): void {
    this.#world.broker.delivered.length = 0;
    this.#deliveredCount = 0;
    for (const relay of this.#world.relays.values()) relay.pulses.splice(0, relay.pulses.length - 1);
  }

  #pulsesAreShort(id: string, { pulses }: SimRelay): void {
    for (const { energisedMs, releasedMs, excused, orphaned } of pulses.slice(-PULSES_A_STEP)) {
      const heldMs = (releasedMs ?? this.#world.clock.monotonicMs()) - energisedMs;
      if (!excused && !orphaned && heldMs > this.#laws.pulseMs + RELEASE_SLACK_MS)
        throw new Violation(`${id}: held for ${heldMs} ms`);
    }
  }

  /** The cursor that a power cut would leave is never ahead of what the broker has. */
  #cursorIsBehind(): void {
    const bytes = this.#world.disk.durable(this.#laws.cursorPath);
    if (bytes === null) return;
    const { acknowledged } = JSON.parse(Buffer.from(bytes).toString()) as { acknowledged: number };
    if (acknowledged >= this.delivery.nextSeq)
      throw new Violation(`the cursor says ${acknowledged}, and the broker has no ${this.delivery.nextSeq}`);
  }
}

/** More than there can be between two steps. */
const PULSES_A_STEP = 8;
