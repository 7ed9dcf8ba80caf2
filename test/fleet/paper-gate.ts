/** A gateway on paper: its journal's lines, and the messages that they are sent as, hashes and all. */
import type { MqttClient } from "mqtt";
import {
  type Draft,
  encodeLine,
  eventOfLine,
  eventOfVolatile,
  GENESIS,
  hashLine,
} from "../../daemon/journal/record.ts";

export interface Paper {
  topic: string;
  payload: string;
}

export class PaperGate {
  readonly gateway: string;
  readonly site: string;
  boot: string;
  #seq = 0;
  #batch = 1;
  #chain = GENESIS;

  constructor(gateway: string, site: string, boot = `boot-${gateway}`) {
    this.gateway = gateway;
    this.site = site;
    this.boot = boot;
  }

  /** `joins`: synced together with the line before. `id`: it was sent before it was on the disk. */
  write(draft: Draft, { joins = false, id }: { joins?: boolean; id?: string } = {}): Paper {
    this.#seq += 1;
    if (!joins) this.#batch = this.#seq;
    const line = {
      seq: this.#seq,
      prev: this.#chain,
      batch: this.#batch,
      ...(id === undefined ? {} : { id }),
      ...draft,
    };
    this.#chain = hashLine(encodeLine(line));
    return this.#message(draft, eventOfLine(line, this.#chain, this));
  }

  /** What the disk did not take. */
  volatile(id: string, draft: Draft): Paper {
    return this.#message(draft, eventOfVolatile(id, draft, this));
  }

  tap(card: string, direction: "entry" | "exit", at: string, more: object = {}): Draft {
    const reason = { granted: true, reason: "granted" };
    return this.draft("tap", at, { accessPoint: direction, direction, card, ...reason, ...more });
  }

  passage(event: string, at: string, more: object): Draft {
    return this.draft("passage", at, { event, ...more });
  }

  draft(kind: "tap" | "passage" | "gateway", at: string, data: object): Draft {
    const clock = { trusted: true, boot: this.boot, uptimeMs: 1_000 };
    return {
      type: `grindvakt.${kind}.v1`,
      subject: "in",
      time: new Date(at).toISOString(),
      data: { ...data, clock: { ...clock, ...("clock" in data ? (data.clock as object) : {}) } },
    };
  }

  #message({ type }: Draft, event: object): Paper {
    const topic = `grindvakt/${this.site}/${this.gateway}/${type.split(".")[1]}`;
    return { topic, payload: JSON.stringify(event) };
  }
}

export async function publish(client: MqttClient, papers: readonly Paper[]): Promise<void> {
  await Promise.all(papers.map(({ topic, payload }) => client.publishAsync(topic, payload, { qos: 1 })));
}
