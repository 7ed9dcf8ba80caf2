import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { RelayEvents } from "../../drivers/driver.ts";
import { type Contact, PulseRelay } from "../../drivers/pulse.ts";
import { simulatedWorld } from "../conformance/world.ts";

/** What a device does with a command: how long it takes, whether it says so, whether it does it. */
interface Behaviour {
  takesMs: number;
  answers: boolean;
  does: boolean;
}
const well: Behaviour = { takesMs: 0, answers: true, does: true };

/** A relay board that does its commands in order, each as the next behaviour says, and well after the last. */
class Board {
  readonly world = simulatedWorld();
  readonly told: string[] = [];
  readonly commands: { what: "energise" | "release"; atMs: number }[] = [];
  behaviours: Behaviour[] = [];
  plugged = true;
  energised = false;
  openCount = 0;
  openings = 0;
  #busy: Promise<void> = Promise.resolve();
  #lost: ((why: string) => void) | null = null;
  #pulled: (why: Error) => void = () => {};

  readonly events: RelayEvents = {
    energised: () => this.told.push("energised"),
    released: () => this.told.push("released"),
    failed: (why) => this.told.push(`failed: ${why}`),
    up: () => this.told.push("up"),
    down: () => this.told.push("down"),
  };
  readonly relay = new PulseRelay({ name: "relay of r", open: (lost) => this.#open(lost) }, this.world, {
    ...this.events,
  });

  /** Without the ups and downs. */
  get outcomes(): string[] {
    return this.told.filter((what) => what !== "up" && what !== "down");
  }

  async start(): Promise<void> {
    await this.relay.start();
    await this.advance(0);
    this.commands.splice(0);
  }

  get connected(): boolean {
    return this.#lost !== null;
  }

  advance(ms: number): Promise<void> {
    return this.world.clock.advance(ms);
  }

  pull(): void {
    this.plugged = false;
    this.#pulled(new Error("it was unplugged"));
    this.#lost?.("it was unplugged");
    this.#lost = null;
  }

  async #open(lost: (why: string) => void): Promise<Contact> {
    if (!this.plugged) throw new Error("it is not there");
    this.openCount += 1;
    this.openings += 1;
    this.#lost = lost;
    this.#busy = Promise.resolve();
    const pulled = new Promise<never>((_, reject) => {
      this.#pulled = reject;
    });
    pulled.catch(() => {});
    const opening = this.openings;
    const command = (what: "energise" | "release") => {
      this.commands.push({ what, atMs: this.world.clock.monotonicMs() });
      const done = this.#busy.then(() => this.#do(what, opening));
      this.#busy = done.catch(() => {});
      return Promise.race([done, pulled]);
    };
    return {
      energise: () => command("energise"),
      release: () => command("release"),
      close: async () => {
        this.openCount -= 1;
      },
    };
  }

  async #do(what: "energise" | "release", opening: number): Promise<void> {
    const behaviour = this.behaviours.shift() ?? well;
    if (behaviour.takesMs > 0) {
      await new Promise<void>((resolve) => this.world.clock.after(behaviour.takesMs, resolve));
    }
    // What was under way on a line that was pulled never arrives, also when it is plugged in again.
    if (!this.plugged || opening !== this.openings) throw new Error("it was unplugged");
    if (behaviour.does) this.energised = what === "energise";
    if (!behaviour.answers) throw new Error("it does not answer");
  }
}

describe("a pulse", () => {
  it("is released at its time, not before", async () => {
    const board = new Board();
    await board.start();
    board.relay.pulse(800);
    await board.advance(799);
    expect(board.energised).toBe(true);
    expect(board.outcomes).toEqual(["energised"]);
    await board.advance(1);
    expect(board.energised).toBe(false);
    expect(board.outcomes).toEqual(["energised", "released"]);
    expect(board.commands.map(({ what }) => what)).toEqual(["energise", "release"]);
    await board.relay.stop();
  });

  it("tells nothing before the caller has gone on", async () => {
    const board = new Board();
    await board.start();
    const before = board.told.length;
    board.relay.pulse(800);
    board.relay.pulse(800);
    expect(board.told).toHaveLength(before);
    await board.relay.stop();
  });

  it("has its release out at its time also when the device is slow to take the command", async () => {
    const board = new Board();
    await board.start();
    board.behaviours = [{ ...well, takesMs: 900 }];
    board.relay.pulse(300);
    await board.advance(300);
    expect(board.commands).toMatchObject([{ what: "energise" }, { what: "release", atMs: 300 }]);
    await board.advance(1_000);
    expect(board.energised).toBe(false);
    expect(board.outcomes).toEqual(["energised", "released"]);
    await board.relay.stop();
  });

  it("whose command failed is `failed` alone, and released at once all the same", async () => {
    const board = new Board();
    await board.start();
    board.behaviours = [{ takesMs: 20, answers: false, does: true }];
    board.relay.pulse(5_000);
    await board.advance(20);
    expect(board.energised).toBe(false);
    expect(board.outcomes).toEqual(["failed: it does not answer"]);
    board.relay.pulse(100);
    await board.advance(100);
    expect(board.outcomes).toEqual(["failed: it does not answer", "energised", "released"]);
    await board.advance(20_000);
    expect(board.outcomes).toHaveLength(3);
    await board.relay.stop();
  });

  it("has its release tried until it is taken", async () => {
    const board = new Board();
    await board.start();
    const deaf = { takesMs: 0, answers: false, does: false };
    board.behaviours = [well, deaf, deaf, deaf];
    board.relay.pulse(100);
    await board.advance(100 + 50 + 100 + 200);
    expect(board.outcomes).toEqual(["energised", "released"]);
    expect(board.energised).toBe(false);
    await board.relay.stop();
  });

  it("that cannot be released is told of as stuck once, and blocks the next until it is", async () => {
    const board = new Board();
    await board.start();
    board.behaviours = [well, ...Array(10).fill({ takesMs: 0, answers: false, does: false })];
    board.relay.pulse(100);
    await board.advance(3_000);
    expect(board.outcomes).toEqual([
      "energised",
      "failed: it may be stuck energised, the release was not taken: it does not answer",
    ]);
    board.relay.pulse(100);
    await board.advance(10);
    expect(board.outcomes.at(-1)).toBe("failed: a pulse is running, or its release was not taken yet");
    await board.advance(3_000);
    expect(board.energised).toBe(false);
    board.relay.pulse(100);
    await board.advance(100);
    expect(board.outcomes.slice(3)).toEqual(["energised", "released"]);
    await board.relay.stop();
  });
});

describe("a relay", () => {
  it("left energised by a crash is released before it is up", async () => {
    const board = new Board();
    board.energised = true;
    await board.relay.start();
    expect(board.energised).toBe(false);
    expect(board.commands).toMatchObject([{ what: "release" }]);
    await board.relay.stop();
  });

  it("that opens but takes no release is down, closed, and tried again", async () => {
    const board = new Board();
    board.behaviours = [{ takesMs: 0, answers: false, does: false }];
    await board.relay.start();
    await board.advance(0);
    expect(board.told).toEqual(["down"]);
    expect(board.openCount).toBe(0);
    await board.advance(250);
    expect(board.told).toEqual(["down", "up"]);
    await board.relay.stop();
    expect(board.openCount).toBe(0);
  });

  it("that is back after a release was not taken takes a pulse at once", async () => {
    const board = new Board();
    await board.start();
    board.relay.pulse(100);
    await board.advance(50);
    board.pull();
    // By then the release is tried every half a second.
    await board.advance(5_000);
    board.plugged = true;
    for (let ms = 0; ms < 5_000 && board.told.at(-1) !== "up"; ms += 1) await board.advance(1);
    board.relay.pulse(100);
    await board.advance(100);
    expect(board.told.slice(-3)).toEqual(["up", "energised", "released"]);
    await board.relay.stop();
  });

  it("plugged in again in mid-pulse, which was released by that, says so at once", async () => {
    const board = new Board();
    await board.start();
    board.relay.pulse(9_000);
    await board.advance(100);
    board.pull();
    board.plugged = true;
    await board.advance(1_000);
    expect(board.energised).toBe(false);
    expect(board.told).toEqual(["up", "energised", "down", "up", "released"]);
    await board.relay.stop();
  });

  it("stopped releases once more, whoever has energised its device meanwhile", async () => {
    const board = new Board();
    await board.start();
    board.energised = true;
    await board.relay.stop();
    expect(board.energised).toBe(false);
    expect(board.commands.map(({ what }) => what)).toEqual(["release"]);
    expect(board.outcomes).toEqual([]);
  });

  it("stopped while its device is away in mid-pulse says so, and ends", async () => {
    const board = new Board();
    await board.start();
    board.relay.pulse(5_000);
    await board.advance(100);
    board.pull();
    await board.advance(100);
    await board.relay.stop();
    expect(board.told).toEqual([
      "up",
      "energised",
      "down",
      expect.stringMatching(/^failed: it may be stuck/),
    ]);
  });

  it("stopped while its device takes no release ends after a few tries", async () => {
    const board = new Board();
    await board.start();
    board.relay.pulse(5_000);
    await board.advance(100);
    board.behaviours = Array(10).fill({ takesMs: 0, answers: false, does: false });
    const stopping = board.relay.stop();
    await board.advance(1_000);
    await stopping;
    expect(board.outcomes).toEqual(["energised", expect.stringMatching(/^failed: it may be stuck/)]);
    expect(board.openCount).toBe(0);
  });

  it("releases even if a listener throws", async () => {
    const board = new Board();
    const thrown: unknown[] = [];
    const catcher = (error: unknown) => thrown.push(error);
    const listeners = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.on("uncaughtException", catcher);
    try {
      const relay = new PulseRelay({ name: "r", open: () => Promise.resolve(contact) }, board.world, {
        ...board.events,
        energised: () => {
          throw new Error("a bug upstairs");
        },
      });
      const commands: string[] = [];
      const contact: Contact = {
        energise: async () => void commands.push("energise"),
        release: async () => void commands.push("release"),
        close: async () => {},
      };
      await relay.start();
      await board.advance(0);
      relay.pulse(100);
      await board.advance(100);
      expect(commands).toEqual(["release", "energise", "release"]);
      expect(thrown).toHaveLength(1);
      await relay.stop();
    } finally {
      process.removeListener("uncaughtException", catcher);
      for (const listener of listeners) process.on("uncaughtException", listener);
    }
  });
});

describe("whatever the device does", () => {
  // A device that claims what it does not do is beyond any driver.
  const behaviour = fc
    .record({
      takesMs: fc.constantFrom(0, 0, 1, 90, 400, 1_000),
      answers: fc.boolean(),
      does: fc.boolean(),
    })
    .map((given) => ({ ...given, does: given.answers || given.does }));
  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constant("pulse" as const), ms: fc.integer({ min: 50, max: 900 }) }),
    },
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: 1_500 }) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constantFrom("pull" as const, "plug" as const), ms: fc.constant(0) }),
    },
  );

  it("each pulse has one outcome, its release is out in time, and no circuit stays closed", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(behaviour, { maxLength: 12 }),
        fc.array(step, { maxLength: 12 }),
        fc.boolean(),
        async (behaviours, steps, stopAtOnce) => {
          const board = new Board();
          await board.start();
          board.behaviours = [...behaviours];
          let pulses = 0;
          for (const { do: what, ms } of steps) {
            if (what === "pulse") {
              pulses += 1;
              const calls = board.commands.length;
              board.relay.pulse(ms);
              const energised = board.connected && board.commands[calls]?.what === "energise";
              const dueMs = board.world.clock.monotonicMs() + ms;
              await board.advance(ms);
              const inTime = board.commands.slice(calls).some((c) => c.what === "release" && c.atMs <= dueMs);
              if (energised) expect(inTime, "a release by its time").toBe(true);
            } else if (what === "wait") await board.advance(ms);
            else if (what === "pull") board.pull();
            else board.plugged = true;
          }
          board.plugged = true;
          if (!stopAtOnce) {
            board.behaviours = [];
            await board.advance(30_000);
            expect(board.energised, "closed for ever").toBe(false);
            const { outcomes } = board;
            const count = (prefix: string) => outcomes.filter((told) => told.startsWith(prefix)).length;
            expect(count("energised") + count("failed") - count("failed: it may be stuck"), "firsts").toBe(
              pulses,
            );
            expect(count("released") + count("failed: it may be stuck"), "ends").toBe(count("energised"));
          }
          const stopping = board.relay.stop();
          await board.advance(10_000);
          await stopping;
          expect(board.openCount, "devices left open").toBe(0);
          await board.world.clock.runUntilIdle(0);
        },
      ),
      { numRuns: 400 },
    );
  });
});
