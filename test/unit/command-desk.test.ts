import { describe, expect, test } from "vitest";
import type { Command } from "../../daemon/broker/command.ts";
import { COMMANDS } from "../../daemon/broker/command-schema.ts";
import type { Settlement } from "../../daemon/journal/journal.ts";
import { CommandDesk, type Outcome } from "../../daemon/remote/command-desk.ts";
import { IDS_MAX } from "../../daemon/remote/command-ids.ts";
import { createCommandReader } from "../../daemon/remote/command-reader.ts";
import { topicsOf } from "../../daemon/report/report.ts";
import type { Message, Received } from "../../drivers/ports.ts";
import { SimWorld } from "../sim/world.ts";
import { asyncApi } from "./asyncapi-document.ts";

const NAMES = { prefix: "grindvakt", site: "slussen", gateway: "gate-07" };
const TOPICS = topicsOf({ ...NAMES, feed: "id06" });
const IDS = "/data/command-ids.json";

/** A desk in a simulated world, whose deeds only count. */
class Bench {
  readonly world = new SimWorld({ seed: 1 });
  readonly notes: Record<string, unknown>[] = [];
  readonly posted: Message[] = [];
  readonly done: string[] = [];
  fault: string | null = null;
  journal: Settlement = { kind: "synced", id: "gate-07/1" };
  act: (command: Command) => Promise<Outcome> = async () => ({ kind: "done", facts: { pulse: "started" } });
  desk: CommandDesk = this.boot();

  boot(): CommandDesk {
    const machine = this.world.boot();
    this.desk = new CommandDesk(
      { names: COMMANDS, topics: TOPICS, idsPath: IDS },
      machine,
      {
        reader: createCommandReader(),
        deeds: {
          of: (command) => ({
            fault: this.fault,
            carryOut: async (writeDown) => {
              if ((await writeDown()).kind !== "synced")
                return { kind: "refused", reason: "not-written", why: "no disk" };
              this.done.push(command.id);
              return this.act(command);
            },
          }),
          stop: () => undefined,
        },
      },
      {
        note: async (event, data) => {
          this.notes.push({ event, ...data });
          return this.journal;
        },
        post: (message) => void this.posted.push(message),
        changed: () => undefined,
      },
    );
    return this.desk;
  }

  async open(): Promise<this> {
    const { files } = this.world.machine!;
    await this.settled(files.makeDirs("/data").then(() => this.desk.open(this.world.clock.wallMs())));
    return this;
  }

  async settled(work: Promise<unknown>): Promise<void> {
    let isDone = false;
    void work.finally(() => {
      isDone = true;
    });
    while (!isDone) await this.world.advance(1);
  }

  say(id: string, { aheadMs = 20_000, ...more }: Partial<Received> & { aheadMs?: number } = {}): void {
    const expires = new Date(this.world.machine!.clock.wallMs() + aheadMs).toISOString();
    const payload = Buffer.from(JSON.stringify({ id, expires, accessPoint: "north-in", who: "anna" }));
    this.desk.received({ topic: TOPICS.command("open"), payload, retained: false, ...more });
  }

  async sayAndWait(id: string, more: Parameters<Bench["say"]>[1] = {}): Promise<Record<string, unknown>> {
    this.say(id, more);
    await this.world.advance(500);
    return this.answers().at(-1) ?? {};
  }

  answers(): Record<string, unknown>[] {
    return this.posted.map(({ payload }) => JSON.parse(payload) as Record<string, unknown>);
  }
}

describe("a command", () => {
  test("is written down, carried out and answered once; the same again is refused", async () => {
    const bench = await new Bench().open();
    const expires = new Date(bench.world.machine!.clock.wallMs() + 20_000).toISOString();
    expect(await bench.sayAndWait("c-1")).toEqual({ id: "c-1", command: "open", ok: true, pulse: "started" });
    const who = { by: "mqtt", name: "anna" };
    expect(bench.notes).toEqual([
      { event: "command", command: "open", id: "c-1", expires, who, why: null, accessPoint: "north-in" },
    ]);
    expect(await bench.sayAndWait("c-1")).toMatchObject({ ok: false, reason: "repeated" });
    expect(bench.done).toEqual(["c-1"]);
    for (const { topic, payload } of bench.posted)
      expect(asyncApi.faultsOfMessage({ topic, payload, retain: false }, NAMES)).toEqual([]);
  });

  test("that comes twice at once is carried out once", async () => {
    const bench = await new Bench().open();
    for (let time = 0; time < 3; time += 1) bench.say("c-1");
    await bench.world.advance(500);
    expect(bench.done).toEqual(["c-1"]);
    expect(bench.answers().map(({ reason }) => reason)).toEqual(["repeated", "repeated", undefined]);
  });

  test.each(["kill", "powerCut"] as const)("is remembered after a %s, in whatever disk call", async (end) => {
    for (let cut = 1; cut <= 24; cut += 1) {
      const bench = await new Bench().open();
      const { world } = bench;
      if (end === "powerCut") world.powerCutAtIo(world.disk.ios + cut, "torn");
      bench.say("c-1");
      await world.advance(end === "kill" ? cut : 500);
      if (end === "kill") world.kill();
      if (world.machine !== null) world.powerCut("lose");
      const doneBefore = bench.done.length;
      bench.boot();
      await bench.open();
      await bench.sayAndWait("c-1");
      expect(bench.done.length, `cut ${cut}, done ${doneBefore} before it`).toBeLessThanOrEqual(1);
      await bench.sayAndWait("c-2", { aheadMs: 29_999 });
      // Where the file was torn, all that could have been taken before has to expire first.
      await world.advance(31_000);
      await bench.sayAndWait("c-3", { aheadMs: 29_999 });
      expect(bench.done).toContain("c-3");
    }
  });

  test("is not taken again after the clock was set back, when its id is forgotten", async () => {
    const bench = await new Bench().open();
    const { clock } = bench.world.machine!;
    const wallMs = clock.wallMs();
    await bench.sayAndWait("c-1");
    clock.jumpWall(60_000);
    await bench.sayAndWait("c-2");
    clock.jumpWall(wallMs - clock.wallMs());
    const expires = new Date(wallMs + 20_000).toISOString();
    const payload = Buffer.from(JSON.stringify({ id: "c-1", expires, accessPoint: "north-in" }));
    bench.desk.received({ topic: TOPICS.command("open"), payload, retained: false });
    await bench.world.advance(500);
    expect(bench.done).toEqual(["c-1", "c-2"]);
  });

  test("is not taken again where the file of ids is lost with its copy, until all that were taken have expired", async () => {
    const bench = await new Bench().open();
    const { world } = bench;
    await bench.sayAndWait("c-1", { aheadMs: 29_999 });
    const sayAgain = async (): Promise<unknown> =>
      (await bench.sayAndWait("c-1", { aheadMs: 25_000 })).reason;
    world.powerCut("keep");
    const files = world.disk.paths().filter((path) => path.startsWith(IDS));
    expect(files).toHaveLength(2);
    for (const path of files) world.disk.put(path, "{");
    bench.boot();
    await bench.open();
    expect(await sayAgain()).toBe("repeated");
    await world.advance(31_000);
    expect(await bench.sayAndWait("c-2")).toMatchObject({ ok: true });
    expect(bench.done).toEqual(["c-1", "c-2"]);
  });

  test("is not carried out when its id cannot be written, and then not when it comes again either", async () => {
    const bench = await new Bench().open();
    bench.world.diskFaultOf = () => "ENOSPC";
    expect(await bench.sayAndWait("c-1")).toMatchObject({ ok: false, reason: "not-written" });
    bench.world.diskFaultOf = () => null;
    expect(await bench.sayAndWait("c-1")).toMatchObject({ ok: false, reason: "repeated" });
    expect(await bench.sayAndWait("c-2")).toMatchObject({ ok: true });
    expect(bench.done).toEqual(["c-2"]);
  });

  test("is not carried out when it expires on its way to the disk, nor when the journal fails", async () => {
    const bench = await new Bench().open();
    bench.world.stallOf = () => 2_000;
    bench.say("c-1", { aheadMs: 1_000 });
    await bench.world.advance(60_000);
    expect(bench.answers().at(-1)).toMatchObject({ ok: false, reason: "expired" });
    bench.world.stallOf = () => 0;
    bench.journal = { kind: "failed", id: null };
    expect(await bench.sayAndWait("c-2")).toMatchObject({ ok: false, reason: "not-written" });
    expect(bench.done).toEqual([]);
  });

  test("on its way to a disk that does not answer keeps no gateway from stopping", async () => {
    const bench = await new Bench().open();
    bench.world.stallOf = () => 3_600_000;
    bench.say("c-1");
    await bench.world.advance(100);
    let isStopped = false;
    void bench.desk.stop().then(() => {
      isStopped = true;
    });
    await bench.world.advance(5_000);
    expect([isStopped, bench.done]).toEqual([true, []]);
  });

  test("for what is not there is refused, and its id is not used up", async () => {
    const bench = await new Bench().open();
    bench.fault = "there is no such access point";
    expect(await bench.sayAndWait("c-1")).toMatchObject({ reason: "impossible", why: bench.fault });
    bench.fault = null;
    expect(await bench.sayAndWait("c-1")).toMatchObject({ ok: true });
  });

  test("that throws is answered with its words", async () => {
    const bench = await new Bench().open();
    bench.act = () => Promise.reject(new Error("the cable is cut"));
    expect(await bench.sayAndWait("c-1")).toMatchObject({ reason: "failed", why: "the cable is cut" });
  });

  test("shows no whole card number in the log, neither in its id nor in why it is refused", async () => {
    const bench = await new Bench().open();
    const why = "BB-1234-567890 is not blocked by this site";
    bench.act = async () => ({ kind: "refused", reason: "failed", why });
    expect(await bench.sayAndWait("block-BB-1234-567890")).toMatchObject({ reason: "failed", why });
    const { lines } = bench.world.machine!.log;
    expect(lines.map(({ message }) => message)).toEqual(["command taken", "command refused"]);
    expect(JSON.stringify(lines)).not.toContain("1234");
    expect(JSON.stringify(lines)).toContain("BB-…-567890 is not blocked by this site");
    // Where events go it stands whole.
    expect(bench.notes.at(-1)).toMatchObject({ event: "command-refused", id: "block-BB-1234-567890", why });
  });

  test("is not taken before the desk is open, nor after it was stopped, nor when it says nothing", async () => {
    const bench = new Bench();
    bench.say("c-1");
    await bench.open();
    bench.say("c-2", { payload: new Uint8Array(), retained: true });
    await bench.settled(bench.desk.stop());
    bench.say("c-3");
    await bench.world.advance(500);
    expect([bench.posted, bench.notes]).toEqual([[], []]);
  });
});

describe("an answer", () => {
  const asked = { responseTopic: "centre/answers/7", correlationData: Uint8Array.of(1, 2, 3) };

  test("goes to where the command asks for it, with its data", async () => {
    const bench = await new Bench().open();
    await bench.sayAndWait("c-1", asked);
    const { responseTopic: topic, correlationData } = asked;
    expect(bench.posted).toMatchObject([{ topic, correlationData, retain: false }]);
    await bench.sayAndWait("c-2", { responseTopic: `${TOPICS.reply}/centre` });
    expect(bench.posted.at(-1)?.topic).toBe(`${TOPICS.reply}/centre`);
  });

  test.each([
    TOPICS.state,
    TOPICS.event("grindvakt.tap.v1"),
    `${TOPICS.own}/reply-all`,
    "grindvakt/slussen/gate-08/command/open",
    "homeassistant/sensor/x/y/config",
    "#",
    "centre/+",
    "$SYS/broker",
    "",
    "x".repeat(513),
    "a\0b",
    "x/".repeat(250),
    "centre/\u0001",
    "centre/\ufffe",
  ])("goes to no %j", async (responseTopic) => {
    const bench = await new Bench().open();
    await bench.sayAndWait("c-1", { responseTopic, correlationData: new Uint8Array(10_000) });
    expect(bench.posted).toMatchObject([{ topic: TOPICS.reply }]);
    expect(bench.posted[0]).not.toHaveProperty("correlationData");
  });
});

describe("a flood", () => {
  test("of commands is taken at a bounded rate; what is more is counted, and not answered", async () => {
    const bench = await new Bench().open();
    for (let count = 0; count < 1_000; count += 1) bench.say(`c-${count}`);
    await bench.world.advance(59_000);
    expect(bench.done).toHaveLength(10);
    expect(bench.posted).toHaveLength(10);
    const refusals = bench.notes.filter(({ event }) => event === "command-refused");
    expect(refusals).toHaveLength(10);
    expect(refusals[0]).toMatchObject({ reason: "too-many", id: null });
    await bench.settled(bench.desk.stop());
    expect(bench.notes.at(-1)).toEqual({ event: "commands-refused", count: 980 });
  });

  test("never fills the file of ids beyond its bound", async () => {
    const bench = await new Bench().open();
    const { clock } = bench.world.machine!;
    // A clock that stands still forgets none.
    for (let count = 0; count < IDS_MAX + 5; count += 1) {
      await bench.sayAndWait(`c-${count}`);
      clock.jumpWall(-500);
    }
    expect(bench.done).toHaveLength(IDS_MAX);
    expect(bench.answers().at(-1)).toMatchObject({ ok: false, reason: "too-many" });
  });
});

describe("what a broker says of a subscription", () => {
  test("stands in the state, until the connection ends", () => {
    const bench = new Bench();
    bench.desk.subscribed(TOPICS.command("open"), null);
    bench.desk.subscribed(TOPICS.command("resend"), "not authorized");
    bench.desk.subscribed("something/else", "not authorized");
    expect(bench.desk.states()).toMatchObject({
      open: { state: "taken", why: null },
      resend: { state: "refused", why: "not authorized" },
      refresh: { state: "waiting", why: null },
    });
    bench.desk.disconnected();
    expect(bench.desk.states().open).toEqual({ state: "waiting", why: null });
  });
});
