import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { CrashPolicy } from "./disk-nodes.ts";
import { OutboxSite } from "./outbox-site.ts";

const POLICIES: readonly CrashPolicy[] = ["lose", "keep", "torn"];

type Step =
  | { do: "append"; count: number }
  | { do: "wait"; ms: number }
  | { do: "cut"; policy: CrashPolicy }
  | { do: "cutAtIo"; io: number; policy: CrashPolicy }
  | { do: "kill" }
  | { do: "restart" }
  | { do: "broker"; way: "gone" | "reset" | "deaf" | "mute" | "twice" }
  | { do: "narrow"; receiveMaximum: number }
  | { do: "disk"; way: "fails" | "stalls" }
  | { do: "calm" };

const policy = fc.constantFrom(...POLICIES);
function of<Name extends Step["do"], Rest>(
  name: Name,
  rest: { [Key in keyof Rest]: fc.Arbitrary<Rest[Key]> },
) {
  return fc.record({ do: fc.constant(name), ...rest });
}
const step = fc.oneof(
  { weight: 8, arbitrary: of("append", { count: fc.integer({ min: 1, max: 60 }) }) },
  { weight: 8, arbitrary: of("wait", { ms: fc.constantFrom(5, 50, 500, 3_000, 15_000) }) },
  { weight: 1, arbitrary: of("cut", { policy }) },
  { weight: 3, arbitrary: of("cutAtIo", { io: fc.integer({ min: 1, max: 12 }), policy }) },
  { weight: 1, arbitrary: of("kill", {}) },
  { weight: 1, arbitrary: of("restart", {}) },
  { weight: 4, arbitrary: of("broker", { way: fc.constantFrom("gone", "reset", "deaf", "mute", "twice") }) },
  { weight: 1, arbitrary: of("narrow", { receiveMaximum: fc.constantFrom(1, 2, 20, 65_535) }) },
  { weight: 2, arbitrary: of("disk", { way: fc.constantFrom("fails", "stalls") }) },
  { weight: 4, arbitrary: of("calm", {}) },
) as fc.Arbitrary<Step>;

function calm({ world }: OutboxSite): void {
  world.diskFaultOf = () => null;
  world.stallOf = () => 0;
  Object.assign(world.broker, { loseMessageChance: 0, loseAcknowledgementChance: 0, duplicateChance: 0 });
  world.broker.comeUp();
}

async function take(site: OutboxSite, step: Step): Promise<void> {
  const { world } = site;
  if (world.machine === null) await site.boot();
  switch (step.do) {
    case "append":
      return site.append(step.count);
    case "wait":
      return world.advance(step.ms);
    case "cut":
      return world.powerCut(step.policy);
    case "cutAtIo":
      return world.powerCutAtIo(world.disk.ios + step.io, step.policy);
    case "kill":
      return world.kill();
    case "restart":
      return site.stop();
    case "broker":
      if (step.way === "gone") world.broker.goDown();
      if (step.way === "reset") world.broker.drop();
      if (step.way === "deaf") world.broker.loseMessageChance = 0.05;
      if (step.way === "mute") world.broker.loseAcknowledgementChance = 0.05;
      if (step.way === "twice") world.broker.duplicateChance = 0.2;
      return;
    case "narrow":
      world.broker.session = { ...world.broker.session, receiveMaximum: step.receiveMaximum };
      return world.broker.drop();
    case "disk":
      if (step.way === "fails")
        world.diskFaultOf = ({ kind }) => (kind === "write" || kind === "sync" ? "EIO" : null);
      else world.stallOf = () => 3_000;
      return;
    case "calm":
      return calm(site);
  }
}

async function comeToRest(site: OutboxSite): Promise<void> {
  calm(site);
  if (site.world.machine === null) await site.boot();
  site.world.powerCutAtIo(Number.POSITIVE_INFINITY);
  await site.world.advance(60_000);
  site.append(1);
  await site.world.advance(20_000);
  expect(site.outbox?.state).toMatchObject({ unsent: 0, refused: null });
  site.checkCursor();
  await site.stop();
  site.checkCursor();
}

describe("an outbox and its model", () => {
  test("sends every line, in order, whatever power, disk and broker do; its cursor is never ahead", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.array(step, { minLength: 5, maxLength: 30 }), async (seed, steps) => {
        const site = new OutboxSite(seed);
        for (const step of steps) {
          await take(site, step);
          site.checkCursor();
        }
        await comeToRest(site);
        site.checkDelivery(true);
      }),
      { numRuns: 200 },
    );
  });

  test("the power goes in every disk call of the first seconds", async () => {
    const day = async (site: OutboxSite) => {
      for (let second = 0; second < 8; second++) {
        site.append(5);
        await site.world.advance(700);
        site.checkCursor();
      }
    };
    const calm = new OutboxSite(7);
    await calm.boot();
    await day(calm);
    const ios = calm.world.disk.ios;
    let cuts = 0;
    for (let io = 1; io <= ios; io++) {
      for (const policy of POLICIES) {
        const site = new OutboxSite(7);
        const booting = site.boot();
        site.world.powerCutAtIo(io, policy);
        await booting;
        await day(site);
        if (site.world.machine === null) cuts += 1;
        await comeToRest(site);
        site.checkDelivery(true);
      }
    }
    console.log(`outbox: ${cuts} power cuts`);
    expect(cuts).toBeGreaterThanOrEqual(60 * POLICIES.length);
  });
});

describe("a broker that refuses", () => {
  test("gets the refused event first, ever more slowly; what follows comes after it again, in order", async () => {
    const site = new OutboxSite(3);
    const { world } = site;
    const refusedAtMs: number[] = [];
    let refuses = true;
    world.broker.refuse = ({ payload }) => {
      if (!refuses || JSON.parse(payload).data.n !== 5) return null;
      refusedAtMs.push(world.clock.monotonicMs());
      return "quota exceeded";
    };
    await site.boot();
    site.append(12);
    await world.advance(120_000);
    expect(site.outbox?.state).toMatchObject({ acknowledgedSeq: 4, unsent: 8, refused: "quota exceeded" });
    site.checkCursor();
    // 1 s, then twice as long each time, each less up to a half of it: never a busy loop.
    expect(refusedAtMs.length).toBeGreaterThan(4);
    expect(refusedAtMs.length).toBeLessThan(11);
    refuses = false;
    await world.advance(61_000);
    expect(site.outbox?.state).toMatchObject({ acknowledgedSeq: 12, unsent: 0, refused: null });
    const seqs = site.delivered().map(({ data }) => data.seq);
    expect(seqs.slice(seqs.lastIndexOf(5))).toEqual([5, 6, 7, 8, 9, 10, 11, 12]);
    site.checkDelivery(false);
    await site.stop();
  });

  test("is not asked more often because it also hangs up", async () => {
    const site = new OutboxSite(4);
    const { world } = site;
    let refusals = 0;
    world.broker.refuse = () => {
      refusals += 1;
      return "not authorized";
    };
    world.broker.reconnectMs = [10, 20];
    await site.boot();
    site.append(3);
    await world.advance(60_000);
    const before = refusals;
    for (let drop = 0; drop < 50; drop++) {
      world.broker.drop();
      await world.advance(100);
    }
    expect(refusals - before).toBeLessThanOrEqual(2);
    await site.stop();
  });

  test("never holds more unanswered messages than it takes, also when it refuses in between and is slow", async () => {
    const site = new OutboxSite(5);
    const { world } = site;
    world.broker.session = { ...world.broker.session, receiveMaximum: 4 };
    // All answers but the refusal take longer than the backoff.
    world.broker.thinkMs = [3_000, 5_000];
    let refusals = 0;
    world.broker.refuse = ({ payload }) => {
      if (JSON.parse(payload).data.n !== 2 || refusals >= 3) return null;
      refusals += 1;
      return "quota exceeded";
    };
    await site.boot();
    site.append(20);
    await world.advance(300_000);
    expect(world.broker.violations).toEqual([]);
    expect(site.outbox?.state.unsent).toBe(0);
    site.checkDelivery(false);
    await site.stop();
  });
});
