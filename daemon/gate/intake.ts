/**
 * Where readings come in: each reader's state and counts, the bound on noise, and the one queue before the loop, served
 * in turn so that a reader whose cable floods cannot delay its neighbours.
 */
import type { ReaderEvents, Reading, Stamp } from "../../drivers/driver.ts";
import type { Clock } from "../../drivers/ports.ts";
import { cut, type Scribe, timeOf } from "../journal/scribe.ts";
import { createFlaps, type Flaps } from "./flaps.ts";
import { createMailbox } from "./mailbox.ts";
import { createNoise, createTally, type Noise, type Tally } from "./noise.ts";
import { createNotices, type Notices } from "./notices.ts";
import { countMisread, newReaderState, type ReaderState } from "./reader-state.ts";

/** Readings handled before other work of the process gets its turn. */
const SLICE_READINGS = 16;
/** What waits is served between two turns of the loop; a disk that fails delays it by a second. */
const STANDSTILL_MS = 5_000;

export interface IntakeRooms {
  scribe: Scribe;
  /** Takes a reading on; false when it was only the tap before once more. */
  take(reader: string, reading: Reading, stamp: Stamp): boolean;
  /** A reader's state has changed. */
  changed(): void;
}

interface Desk {
  state: ReaderState;
  noise: Noise;
  dropped: Tally;
  flaps: Flaps;
  notices: Notices;
}

type Arrival = { reader: string; reading: Reading; stamp: Stamp };

export class Intake {
  readonly #clock: Clock;
  readonly #rooms: IntakeRooms;
  readonly #desks: ReadonlyMap<string, Desk>;
  readonly #mailbox = createMailbox<Arrival>();
  #pumping = false;
  #servedMs = 0;

  constructor(readers: readonly string[], clock: Clock, rooms: IntakeRooms) {
    this.#clock = clock;
    this.#rooms = rooms;
    this.#desks = new Map(readers.map((id) => [id, this.#furnish(id)]));
  }

  eventsOf(id: string): ReaderEvents {
    return {
      reading: (reading, stamp) => this.#receive({ reader: id, reading, stamp }),
      up: ({ model }) => this.#changeState(id, "up", null, model ?? null),
      down: (why) => this.#changeState(id, "down", why, null),
      notice: (notice, stamp) => this.#desks.get(id)?.notices.take(notice, stamp),
    };
  }

  states(): Record<string, ReaderState> {
    return Object.fromEntries([...this.#desks].map(([id, { state }]) => [id, state]));
  }

  /** Readings wait, and none has been served for longer than anything here takes. */
  get isStill(): boolean {
    return this.#pumping && this.#clock.monotonicMs() - this.#servedMs > STANDSTILL_MS;
  }

  /** Nobody is there any more to open for: what still waits is counted as dropped, and all counts are told. */
  close(): void {
    for (let left = this.#mailbox.take(); left !== undefined; left = this.#mailbox.take()) {
      const desk = this.#desks.get(left.reader);
      if (desk !== undefined) this.#drop(desk);
    }
    for (const { noise, dropped, flaps, notices } of this.#desks.values()) {
      noise.flush();
      dropped.flush();
      flaps.flush();
      notices.flush();
    }
  }

  #receive(arrival: Arrival): void {
    const desk = this.#desks.get(arrival.reader);
    if (desk === undefined) return;
    if (!this.#mailbox.put(arrival.reader, arrival)) return this.#drop(desk);
    if (this.#pumping) return;
    this.#pumping = true;
    this.#servedMs = this.#clock.monotonicMs();
    // Not at once: what else the reader has in hand comes to the queue first, and is served in turn with others.
    queueMicrotask(() => this.#pump());
  }

  #pump(): void {
    for (let count = 0; count < SLICE_READINGS; count += 1) {
      const arrival = this.#mailbox.take();
      if (arrival === undefined) {
        this.#pumping = false;
        return;
      }
      this.#handOn(arrival);
    }
    this.#servedMs = this.#clock.monotonicMs();
    this.#clock.after(0, () => this.#pump());
  }

  #handOn({ reader, reading, stamp }: Arrival): void {
    const desk = this.#desks.get(reader);
    if (desk === undefined) return;
    if (reading.kind === "misread") {
      desk.state = countMisread(desk.state, reading.reason);
      this.#rooms.changed();
      const isNoise = reading.reason === "unreadable" || reading.reason === "malformed";
      if (!isNoise || desk.noise.admit()) this.#rooms.take(reader, reading, stamp);
    } else if (this.#rooms.take(reader, reading, stamp)) {
      desk.state = { ...desk.state, taps: desk.state.taps + 1 };
    }
  }

  #drop(desk: Desk): void {
    desk.state = { ...desk.state, dropped: desk.state.dropped + 1 };
    desk.dropped.add();
    this.#rooms.changed();
  }

  #changeState(id: string, state: "up" | "down", why: string | null, model: string | null): void {
    const desk = this.#desks.get(id);
    if (desk === undefined) return;
    const isStillDown = state === "down" && desk.state.state === "down";
    desk.state = {
      ...desk.state,
      state,
      why: why === null ? null : cut(why),
      model: model === null ? desk.state.model : cut(model),
      since: isStillDown ? desk.state.since : timeOf(this.#rooms.scribe.stamp()),
    };
    // Another reason for the same outage is shown, and is no event.
    if (!isStillDown) desk.flaps.take(why);
    this.#rooms.changed();
  }

  #furnish(id: string): Desk {
    const { scribe, changed } = this.#rooms;
    const write = (event: string, data: Readonly<Record<string, unknown>>): void =>
      void scribe.write("grindvakt.reader.v1", id, scribe.stamp(), { event, reader: id, ...data });
    const tell = (event: "misreads" | "dropped") => (count: number) => write(event, { count });
    const desk: Desk = {
      state: newReaderState(timeOf(scribe.stamp())),
      noise: createNoise(this.#clock, tell("misreads")),
      dropped: createTally(this.#clock, tell("dropped")),
      flaps: createFlaps(this.#clock, {
        changed: (why) => write(why === null ? "up" : "down", { why, model: desk.state.model }),
        flapping: (count, why) => write("flapping", { count, why, model: desk.state.model }),
      }),
      notices: createNotices(id, {
        clock: this.#clock,
        scribe,
        show: (part) => {
          desk.state = { ...desk.state, ...part };
          changed();
        },
      }),
    };
    return desk;
  }
}
