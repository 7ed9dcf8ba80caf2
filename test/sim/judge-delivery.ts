/** What must hold of what the broker has: every event in order, none passed over, one event to an id. */
import type { CloudEvent } from "../../daemon/journal/record.ts";
import type { Delivered } from "./broker.ts";
import { Violation } from "./violation.ts";

/** An event is sent again after a break, never so long after that this many others came between. */
const IDS_MAX = 100_000;

export class Delivery {
  /** Every sequence below it has come. */
  nextSeq = 1;
  /** Events that came, each as often as it came. */
  count = 0;
  readonly #whatOf = new Map<string, string>();

  take(messages: readonly Delivered[]): void {
    for (const { topic, retain, payload } of messages) {
      if (!retain && !topic.endsWith("/reply")) this.#event(JSON.parse(payload) as CloudEvent);
    }
  }

  #event({ id, type, data }: CloudEvent): void {
    this.count += 1;
    const what = JSON.stringify([type, data.clock, data.reader, data.event]);
    if ((this.#whatOf.get(id) ?? what) !== what) throw new Violation(`two events are called ${id}`);
    this.#whatOf.set(id, what);
    if (this.#whatOf.size > IDS_MAX) this.#whatOf.delete(this.#whatOf.keys().next().value ?? "");
    if (data.seq === null) return;
    const seq = Number(data.seq);
    if (seq > this.nextSeq) throw new Violation(`event ${seq} came before ${this.nextSeq}`);
    if (seq === this.nextSeq) this.nextSeq += 1;
  }
}
