/** An outbox between a journal of numbers and a broker that answers when the test says so. */
import { Outbox, type OutboxSource } from "../../daemon/broker/outbox.ts";
import type { Batch } from "../../daemon/journal/journal-reader.ts";
import type { Entry } from "../../daemon/journal/journal-segments.ts";
import { type CloudEvent, GENESIS, type Line } from "../../daemon/journal/record.ts";
import { createFiles } from "../../drivers/files.ts";
import type { BrokerSession, PublishOutcome } from "../../drivers/ports.ts";
import { SimClock } from "../sim/clock.ts";
import { SimDisk } from "../sim/disk.ts";
import { SimLog } from "../sim/log.ts";
import { SimRandom } from "../sim/random.ts";

export const CURSOR = "/data/outbox.json";
export const SESSION: BrokerSession = {
  url: "mqtt://broker",
  protocol: "5.0",
  receiveMaximum: 20,
  maximumPacketSizeBytes: 1e6,
};

export function entry(seq: number): Entry {
  const line: Line = {
    seq,
    prev: GENESIS,
    batch: seq,
    type: "grindvakt.tap.v1",
    subject: "in",
    time: "2026-11-22T06:58:12.345Z",
    data: { n: seq },
  };
  return { line, chain: GENESIS };
}

/** A journal of numbers: up to `headSeq`, without those that are `damaged`. Reads are answered when they are let. */
class Source implements OutboxSource {
  headSeq = 0;
  isWriting = false;
  damaged = new Set<number>();
  acknowledged = 0;
  reads: { fromSeq: number; countMax: number }[] = [];
  readsAtOnce = 0;
  readsAtOnceMax = 0;
  /** Awaited before each answer. */
  gate: Promise<void> = Promise.resolve();
  /** From this sequence on. */
  failsFrom = Number.POSITIVE_INFINITY;

  async entriesFrom(fromSeq: number, countMax: number): Promise<Batch> {
    // As a journal does: what is read is bounded by what was there when it was asked.
    const headSeq = this.headSeq;
    this.reads.push({ fromSeq, countMax });
    this.readsAtOnce += 1;
    this.readsAtOnceMax = Math.max(this.readsAtOnceMax, this.readsAtOnce);
    await this.gate;
    this.readsAtOnce -= 1;
    if (fromSeq >= this.failsFrom) throw new Error("EIO");
    const entries: Entry[] = [];
    let seq = fromSeq;
    for (; seq <= headSeq && entries.length < countMax; seq++)
      if (!this.damaged.has(seq)) entries.push(entry(seq));
    return { entries, throughSeq: seq - 1 };
  }

  acknowledge(seq: number): void {
    this.acknowledged = seq;
  }
}

interface Publication {
  event: CloudEvent;
  answer(outcome: PublishOutcome): void;
}

export const ACKNOWLEDGED: PublishOutcome = { kind: "acknowledged" };

export const record = (n: number) => ({
  id: `gate-07/boot/${n}`,
  draft: {
    type: "grindvakt.tap.v1" as const,
    subject: "in",
    time: "2026-11-22T06:58:12.345Z",
    data: { n },
  },
});

/** An outbox, and a broker that answers when the test says so, or at once. */
export class Desk {
  readonly clock = new SimClock();
  readonly log = new SimLog();
  readonly disk: SimDisk;
  readonly source = new Source();
  readonly outbox: Outbox;
  readonly published: Publication[] = [];
  /** Answers by itself, unless null. */
  answer: ((event: CloudEvent) => PublishOutcome) | null = () => ACKNOWLEDGED;

  constructor(disk = new SimDisk()) {
    this.disk = disk;
    disk.put("/data/made-by-the-house", "");
    this.outbox = new Outbox(
      { cursorPath: CURSOR, sender: { gateway: "gate-07", site: "slussen" } },
      {
        clock: this.clock,
        random: new SimRandom(1),
        files: createFiles(disk, new SimRandom(2)),
        log: this.log,
        publish: (event) => this.#publish(event),
      },
      () => undefined,
    );
  }

  async open(headSeq: number): Promise<number> {
    const acknowledgedSeq = await this.outbox.load();
    this.source.headSeq = headSeq;
    this.outbox.start(this.source);
    return acknowledgedSeq;
  }

  get ids(): string[] {
    return this.published.map(({ event }) => event.id);
  }

  cursor(): unknown {
    const bytes = this.disk.durable(CURSOR);
    return bytes === null ? null : JSON.parse(Buffer.from(bytes).toString()).acknowledged;
  }

  #publish(event: CloudEvent): Promise<PublishOutcome> {
    const outcome = this.answer?.(event);
    return new Promise<PublishOutcome>((resolve) => {
      this.published.push({ event, answer: resolve });
      if (outcome !== undefined) resolve(outcome);
    });
  }
}

export function ids(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, index) => `gate-07/${from + index}`);
}
