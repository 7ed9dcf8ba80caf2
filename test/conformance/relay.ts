/** What driver.ts promises of a `Relay`, asked of any whose contact can be watched. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Relay, RelayEvents } from "../../drivers/driver.ts";
import { type TestWorld, until } from "./world.ts";

/** A relay with its device, which is there at first. */
export interface RelayBench {
  world: TestWorld;
  create(events: RelayEvents): Relay;
  /** Whether the circuit is closed. */
  energised(): boolean;
  /** Where the device takes long to be pulled: a pulse that lasts until it is out. */
  pulseMs?: number;
  /** How often a release was taken since the device was last plugged in. */
  releases(): number;
  /** Where the device can be unplugged: it is gone, the circuit as it was; and back, likewise. */
  cable?: { vanish(): Promise<void>; comeBack(): Promise<void> };
  dispose(): Promise<void>;
}

export class RelayListener implements RelayEvents {
  /** `energised`, `released`, `failed: …`. */
  outcomes: string[] = [];
  /** Its ups and downs, each down with the first of its reasons. */
  states: string[] = [];
  #last: string | null = null;
  faults: string[] = [];
  started = false;

  energised(): void {
    this.#outcome("energised");
  }
  released(): void {
    this.#outcome("released");
  }
  failed(why: string): void {
    this.#outcome(`failed: ${why}`);
  }
  up(): void {
    this.#state("up");
  }
  down(why: string): void {
    this.#state(`down: ${why}`);
  }

  #outcome(outcome: string): void {
    if (!this.started) this.faults.push(`${outcome} before start resolved`);
    this.outcomes.push(outcome);
  }

  #state(state: string): void {
    if (!this.started) this.faults.push(`${state} before start resolved`);
    if (state === this.#last) this.faults.push(`${state} twice`);
    const isStillDown = this.#last?.startsWith("down") && state.startsWith("down");
    if (!isStillDown) this.states.push(state);
    this.#last = state;
  }
}

const shortPulseMs = 400;

/** Hands events on; `energised` is told first of the one. For a bench that must not pull a device whose answer is under way. */
export function overhear(events: RelayEvents, energised: () => void): RelayEvents {
  return {
    energised: () => {
      energised();
      events.energised();
    },
    released: () => events.released(),
    failed: (why) => events.failed(why),
    up: (device) => events.up(device),
    down: (why) => events.down(why),
  };
}

/** `pluggable`: its bench has a `cable`. */
export function relayConformance(
  name: string,
  pluggable: boolean,
  makeBench: () => Promise<RelayBench>,
): void {
  describe(`a ${name} relay`, () => {
    let bench: RelayBench;
    let heard: RelayListener;
    let relay: Relay;
    let pulseMs: number;

    const wait = (what: () => boolean) => until(bench.world, what);

    async function startUp(): Promise<void> {
      await relay.start();
      heard.started = true;
      await wait(() => heard.states.length > 0);
    }

    beforeEach(async () => {
      bench = await makeBench();
      pulseMs = bench.pulseMs ?? shortPulseMs;
      heard = new RelayListener();
      relay = bench.create(heard);
    });

    afterEach(async () => {
      await relay.stop();
      await bench.dispose();
      expect(heard.faults).toEqual([]);
    });

    it("does nothing until it is started, and then releases first", async () => {
      await bench.world.pass();
      expect(bench.releases()).toBe(0);
      await startUp();
      await wait(() => bench.releases() > 0);
      expect(heard.states).toEqual(["up"]);
      expect(heard.outcomes).toEqual([]);
      expect(bench.energised()).toBe(false);
    });

    it("energises for a pulse, and releases", async () => {
      await startUp();
      for (let pulses = 1; pulses <= 3; pulses += 1) {
        relay.pulse(pulseMs);
        await wait(() => bench.energised());
        await wait(() => heard.outcomes.length === 2 * pulses);
        await wait(() => !bench.energised());
      }
      expect(heard.outcomes).toEqual([
        "energised",
        "released",
        "energised",
        "released",
        "energised",
        "released",
      ]);
    });

    it("may be pulsed again as soon as it says that it has released", async () => {
      const again: RelayEvents = {
        energised: () => heard.energised(),
        released: () => {
          heard.released();
          if (heard.outcomes.length < 4) second.pulse(pulseMs);
        },
        failed: (why) => heard.failed(why),
        up: () => heard.up(),
        down: (why) => heard.down(why),
      };
      const second = bench.create(again);
      await second.start();
      heard.started = true;
      await wait(() => heard.states.length > 0);
      second.pulse(pulseMs);
      await wait(() => heard.outcomes.length >= 4);
      await second.stop();
      expect(heard.outcomes).toEqual(["energised", "released", "energised", "released"]);
    });

    it("refuses a pulse while one is running, which it neither lengthens nor ends", async () => {
      // At once: who looks now and then, on a busy machine, may find it over.
      relay = bench.create(overhear(heard, () => relay.pulse(pulseMs)));
      await startUp();
      relay.pulse(pulseMs);
      await wait(() => heard.outcomes.length === 3);
      expect(heard.outcomes).toEqual([
        "energised",
        expect.stringMatching(/^failed: a pulse is running/),
        "released",
      ]);
    });

    it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, 10_001])("refuses %d ms", async (durationMs) => {
      await startUp();
      relay.pulse(durationMs);
      await wait(() => heard.outcomes.length > 0);
      expect(heard.outcomes).toEqual([expect.stringMatching(/^failed: .* is no pulse/)]);
      expect(bench.energised()).toBe(false);
    });

    it("refuses a pulse before it is up", async () => {
      heard.started = true;
      relay.pulse(pulseMs);
      await wait(() => heard.outcomes.length > 0);
      expect(heard.outcomes).toEqual([expect.stringMatching(/^failed: the relay is down/)]);
    });

    it("releases when it is stopped in the middle of a pulse, and says so", async () => {
      await startUp();
      relay.pulse(10_000);
      await wait(() => bench.energised());
      await relay.stop();
      await wait(() => !bench.energised());
      expect(heard.outcomes).toEqual(["energised", "released"]);
      relay.pulse(pulseMs);
      await bench.world.pass();
      await bench.world.pass();
      expect(bench.energised()).toBe(false);
    });

    it("may be stopped before it was started, while it starts, and twice", async () => {
      heard.started = true;
      await bench.create(heard).stop();
      const starting = relay.start();
      await relay.stop();
      await relay.stop();
      await starting;
      await bench.world.pass();
      expect(heard.states).toEqual([]);
    });

    if (!pluggable) return;

    it("pulled in the middle of a pulse, gives one outcome and releases when it is back", async () => {
      await startUp();
      relay.pulse(10_000);
      await wait(() => bench.energised());
      await bench.cable?.vanish();
      await wait(() => heard.states.length === 2);
      expect(bench.energised()).toBe(true);
      await bench.cable?.comeBack();
      await wait(() => !bench.energised());
      await wait(() => heard.outcomes.length === 2);
      expect(heard.states).toEqual(["up", expect.stringMatching(/^down: /), "up"]);
      expect(heard.outcomes[0]).toBe("energised");
      expect(heard.outcomes[1]).toMatch(/^(released|failed: it may be stuck)/);
    });

    it("that stays away in the middle of a pulse is told of as stuck, once, and released when it is back", async () => {
      await startUp();
      relay.pulse(pulseMs);
      await wait(() => bench.energised());
      await bench.cable?.vanish();
      await wait(() => heard.outcomes.length === 2);
      expect(heard.outcomes).toEqual([
        "energised",
        expect.stringMatching(/^failed: it may be stuck energised/),
      ]);
      relay.pulse(pulseMs);
      await wait(() => heard.outcomes.length === 3);
      expect(heard.outcomes[2]).toMatch(/^failed: /);
      await bench.cable?.comeBack();
      await wait(() => !bench.energised() && heard.states.length === 3);
      for (let passes = 0; passes < 20; passes += 1) await bench.world.pass();
      relay.pulse(pulseMs);
      await wait(() => heard.outcomes.length === 5);
      expect(heard.outcomes.slice(3)).toEqual(["energised", "released"]);
    });
  });
}
