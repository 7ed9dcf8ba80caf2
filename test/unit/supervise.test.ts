import { describe, expect, it } from "vitest";
import { type Device, Supervisor } from "../../drivers/supervise.ts";
import { simulatedWorld } from "../conformance/world.ts";

/** A device that opens as the test says, and counts what is left open. */
class Bench {
  readonly world = simulatedWorld();
  readonly told: string[] = [];
  readonly triesAtMs: number[] = [];
  /** Why the next openings fail; null: they succeed. */
  fault: string | null = null;
  openingMs = 0;
  openCount = 0;
  lose: (why: string) => void = () => {};
  readonly supervisor = new Supervisor<Device>(
    {
      name: "reader r",
      open: (lost) => this.#open(lost),
      up: () => this.told.push("up"),
      down: (why) => this.told.push(`down: ${why}`),
    },
    this.world,
  );

  advance(ms: number): Promise<void> {
    return this.world.clock.advance(ms);
  }

  async #open(lost: (why: string) => void): Promise<Device> {
    this.triesAtMs.push(this.world.clock.monotonicMs());
    if (this.openingMs > 0) {
      await new Promise<void>((resolve) => this.world.clock.after(this.openingMs, resolve));
    }
    if (this.fault !== null) throw new Error(this.fault);
    this.openCount += 1;
    this.lose = lost;
    return {
      close: async () => {
        this.openCount -= 1;
      },
    };
  }
}

describe("a supervisor", () => {
  it("opens, and tells so only after start has resolved", async () => {
    const bench = new Bench();
    const started = bench.supervisor.start().then(() => bench.told.push("started"));
    await started;
    await bench.advance(0);
    expect(bench.told).toEqual(["started", "up"]);
    await bench.supervisor.stop();
    expect(bench.openCount).toBe(0);
  });

  it("tells once of an outage, logs it once down and once up, and goes on trying", async () => {
    const bench = new Bench();
    bench.fault = "it is not there";
    await bench.supervisor.start();
    await bench.advance(60_000);
    expect(bench.told).toEqual(["down: it is not there"]);
    expect(bench.triesAtMs.length).toBeGreaterThan(15);
    bench.fault = null;
    await bench.advance(5_000);
    expect(bench.told).toEqual(["down: it is not there", "up"]);
    expect(bench.world.logged).toEqual(["warn reader r is down", "info reader r is up"]);
    await bench.supervisor.stop();
  });

  it("tells of each other reason that keeps it down, and logs each of them once, up to a dozen", async () => {
    const bench = new Bench();
    bench.fault = "it is not there";
    await bench.supervisor.start();
    await bench.advance(0);
    for (const fault of ["it is not there", "another program has it", "it is not there"]) {
      bench.fault = fault;
      await bench.advance(10_000);
    }
    expect(bench.told).toEqual([
      "down: it is not there",
      "down: another program has it",
      "down: it is not there",
    ]);
    expect(bench.world.logged).toEqual(["warn reader r is down", "warn reader r is still down"]);
    for (let reason = 0; reason < 50; reason += 1) {
      bench.fault = `reason ${reason}`;
      await bench.advance(5_000);
    }
    expect(bench.told.at(-1)).toBe("down: reason 49");
    expect(bench.world.logged.length).toBe(12);
    bench.fault = null;
    await bench.advance(5_000);
    bench.lose("it is not there");
    await bench.advance(0);
    expect(bench.world.logged.slice(12)).toEqual(["info reader r is up", "warn reader r is down"]);
    await bench.supervisor.stop();
  });

  it("tries again within a quarter of a second at first, then ever more slowly, but at least every 4 s", async () => {
    const bench = new Bench();
    bench.fault = "no";
    await bench.supervisor.start();
    await bench.advance(120_000);
    const waits = bench.triesAtMs.slice(1).map((at, i) => at - bench.triesAtMs[i]!);
    expect(waits[0]).toBeLessThanOrEqual(250);
    for (const [i, wait] of waits.entries()) {
      const longestMs = Math.min(250 * 2 ** i, 4_000);
      expect(wait).toBeLessThanOrEqual(longestMs);
      expect(wait).toBeGreaterThanOrEqual(longestMs / 2);
    }
    expect(new Set(waits.slice(-10)).size).toBeGreaterThan(5);
    await bench.supervisor.stop();
  });

  it("reopens what was lost, whatever is said of the old one meanwhile", async () => {
    const bench = new Bench();
    await bench.supervisor.start();
    await bench.advance(10_000);
    const loseFirst = bench.lose;
    loseFirst("pulled");
    loseFirst("pulled again");
    await bench.advance(250);
    expect(bench.told).toEqual(["up", "down: pulled", "up"]);
    loseFirst("pulled long ago");
    await bench.advance(10_000);
    expect(bench.told).toEqual(["up", "down: pulled", "up"]);
    expect(bench.openCount).toBe(1);
    await bench.supervisor.stop();
  });

  it("backs off from a device that flaps, and forgives one that was steady", async () => {
    const bench = new Bench();
    await bench.supervisor.start();
    await bench.advance(0);
    for (let flaps = 0; flaps < 200; flaps += 1) {
      bench.lose("flap");
      await bench.advance(500);
    }
    // At the cap of 4 s there are at most 50 in these 100 s, and some from before.
    expect(bench.triesAtMs.length).toBeLessThan(60);
    await bench.advance(20_000);
    bench.lose("once");
    await bench.advance(250);
    expect(bench.told.at(-1)).toBe("up");
    await bench.supervisor.stop();
  });

  it("reports a loss that came before the opening was told of", async () => {
    const bench = new Bench();
    const starting = bench.supervisor.start();
    await Promise.resolve();
    bench.lose("gone at once");
    await starting;
    await bench.advance(0);
    expect(bench.told).toEqual(["up", "down: gone at once"]);
    await bench.supervisor.stop();
    expect(bench.openCount).toBe(0);
  });
});

describe("stop", () => {
  it("before start leaves nothing, and start then opens nothing", async () => {
    const bench = new Bench();
    await bench.supervisor.stop();
    await bench.supervisor.start();
    await bench.advance(10_000);
    expect(bench.triesAtMs).toEqual([]);
  });

  it("while opening waits for it, and closes what was opened", async () => {
    const bench = new Bench();
    bench.openingMs = 3_000;
    const starting = bench.supervisor.start();
    await bench.advance(1_000);
    let stopped = false;
    const stopping = bench.supervisor.stop().then(() => {
      stopped = true;
    });
    await bench.advance(1_000);
    expect(stopped).toBe(false);
    await bench.advance(2_000);
    await Promise.all([starting, stopping]);
    expect(bench.openCount).toBe(0);
    expect(bench.told).toEqual([]);
  });

  it("between two tries ends at once, with no timer left", async () => {
    const bench = new Bench();
    bench.fault = "no";
    await bench.supervisor.start();
    await bench.advance(30_000);
    await bench.supervisor.stop();
    const { length } = bench.triesAtMs;
    await bench.world.clock.runUntilIdle(0);
    await bench.advance(30_000);
    expect(bench.triesAtMs).toHaveLength(length);
    expect(bench.told).toEqual(["down: no"]);
  });

  it("while up closes, says nothing of it, and may come twice", async () => {
    const bench = new Bench();
    await bench.supervisor.start();
    await bench.advance(1_000);
    await Promise.all([bench.supervisor.stop(), bench.supervisor.stop()]);
    await bench.supervisor.stop();
    bench.lose("late");
    await bench.advance(10_000);
    expect(bench.told).toEqual(["up"]);
    expect(bench.openCount).toBe(0);
  });
});
