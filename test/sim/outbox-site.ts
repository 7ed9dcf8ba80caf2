import { Outbox } from "../../daemon/broker/outbox.ts";
import { Journal } from "../../daemon/journal/journal.ts";
import { type CloudEvent, type Draft, decodeLine, hashLine, type Line } from "../../daemon/journal/record.ts";
import { SimWorld } from "./world.ts";

const DIR = "/data/journal";
const CURSOR = "/data/outbox.json";
const SENDER = { gateway: "gate-07", site: "slussen" };

/** A journal, an outbox and a broker in a simulated world, and what must hold of the three together. */
export class OutboxSite {
  readonly world: SimWorld;
  journal: Journal | null = null;
  outbox: Outbox | null = null;
  /** Refusals in a row at the broker, by id. */
  readonly refusals: string[] = [];
  readonly #segmentBytesMax: number;
  #records = 0;

  constructor(seed: number, segmentBytesMax = 3_000) {
    this.world = new SimWorld({ seed });
    this.world.disk.put("/data/made-by-the-house", "");
    this.#segmentBytesMax = segmentBytesMax;
  }

  async boot(): Promise<void> {
    const machine = this.world.boot();
    const { clock, files, log, random, broker } = machine;
    const outbox = new Outbox(
      { cursorPath: CURSOR, sender: SENDER },
      {
        clock,
        random,
        files,
        log,
        publish: (event) => broker.publish({ topic: "tap", payload: JSON.stringify(event), retain: false }),
      },
      () => undefined,
    );
    const settings = { dir: DIR, gateway: SENDER.gateway, boot: `life-${machine.life}` };
    const journal = new Journal(
      { ...settings, keepMs: 1e12, maxBytes: 1e9, segmentBytesMax: this.#segmentBytesMax },
      { clock, files, log },
      {
        synced: (entries) => outbox.synced(entries),
        volatile: (record) => outbox.volatile(record),
        failed: () => undefined,
        recovered: () => undefined,
        gone: () => undefined,
      },
    );
    this.outbox = outbox;
    this.journal = journal;
    let isOver = false;
    const starting = outbox
      .load()
      .then((acknowledgedSeq) => journal.start(acknowledgedSeq).catch(() => undefined));
    void starting.then(() => {
      isOver = true;
      outbox.start(journal);
      broker.start({
        up: (session) => outbox.connected(session),
        down: () => outbox.disconnected(),
        received: () => undefined,
      });
    });
    while (!isOver && this.world.machine === machine) await this.world.advance(10);
  }

  append(count: number): void {
    const { machine } = this.world;
    if (machine === null || this.journal === null) return;
    for (let index = 0; index < count; index++) {
      this.#records += 1;
      const draft: Draft = {
        type: "grindvakt.tap.v1",
        subject: "north-in",
        time: new Date(machine.clock.wallMs()).toISOString(),
        data: { n: this.#records },
      };
      void this.journal.append(draft);
    }
  }

  async stop(): Promise<void> {
    let isOver = false;
    const { outbox, journal } = this;
    void (async () => {
      await outbox?.stop();
      await journal?.stop();
      isOver = true;
    })();
    while (!isOver && this.world.machine !== null) await this.world.advance(10);
    if (this.world.machine !== null) this.world.kill();
  }

  /** What came, in order; `null` sequences are those from memory. */
  delivered(): CloudEvent[] {
    return this.world.broker.delivered.map(({ payload }) => JSON.parse(payload) as CloudEvent);
  }

  /** At any instant: the cursor on the disk is not ahead of what the broker has. */
  checkCursor(): void {
    const has = new Set(this.delivered().map(({ data }) => data.seq));
    for (const how of ["seen", "durable"] as const) {
      const bytes = this.world.disk[how](CURSOR);
      if (bytes === null) continue;
      const { acknowledged } = JSON.parse(Buffer.from(bytes).toString()) as { acknowledged: number };
      for (let seq = 1; seq <= acknowledged; seq++)
        if (!has.has(seq))
          throw new Error(`the cursor (${how}) says ${acknowledged}; the broker has no ${seq}`);
    }
  }

  /**
   * After all trouble: every line of the journal came, each id with one content; `inOrder`: no event came before all
   * those before it had come.
   */
  checkDelivery(inOrder: boolean): void {
    const [violation] = this.world.broker.violations;
    if (violation !== undefined) throw new Error(violation);
    const contents = new Map<string, unknown>();
    /** Under each sequence, what came last. */
    const last = new Map<number, CloudEvent>();
    let next = 1;
    for (const event of this.delivered()) {
      const { id, data } = event;
      if ((contents.get(id) ?? data.n) !== data.n) throw new Error(`two events are called ${id}`);
      contents.set(id, data.n);
      if (data.seq === null) continue;
      const seq = Number(data.seq);
      last.set(seq, event);
      if (inOrder && seq > next) throw new Error(`event ${seq} came before ${next}`);
      if (seq === next) next += 1;
    }
    for (const { line, chain } of this.#lines()) {
      const event = last.get(line.seq);
      if (event === undefined) throw new Error(`event ${line.seq} never came`);
      if (event.data.chain !== chain || event.data.n !== line.data.n)
        throw new Error(`event ${line.seq} is another`);
    }
  }

  #lines(): { line: Line; chain: string }[] {
    const { disk } = this.world;
    const bySeq = new Map<number, { line: Line; chain: string }>();
    for (const path of disk.paths().filter((path) => /\/\d{16}\.ndjson$/.test(path))) {
      const first = Number(path.slice(-23, -7));
      for (const seq of bySeq.keys()) if (seq >= first) bySeq.delete(seq);
      for (const text of Buffer.from(disk.seen(path) ?? [])
        .toString()
        .split("\n")) {
        const line = decodeLine(text);
        if (line !== null) bySeq.set(line.seq, { line, chain: hashLine(text) });
      }
    }
    return [...bySeq.values()];
  }
}
