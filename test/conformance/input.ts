/** What driver.ts promises of an `Input`, asked of any whose contact can be moved. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Input, InputEvents, Stamp } from "../../drivers/driver.ts";
import { type TestWorld, until } from "./world.ts";

/** An input with its contact, which is open at first and there. */
export interface InputBench {
  world: TestWorld;
  create(events: InputEvents): Input;
  /** Moves the contact, cleanly. */
  set(active: boolean): Promise<void>;
  /** Where the contact can be moved faster than anybody could: the levels follow each other at once. */
  bounce?(levels: readonly boolean[]): Promise<void>;
  /** Where the device can be unplugged: the device is gone, and back. */
  cable?: { vanish(): Promise<void>; comeBack(): Promise<void> };
  dispose(): Promise<void>;
}

/** Listens to an input, and holds it to when it may speak. */
export class InputListener implements InputEvents {
  /** What it said of the contact. */
  levels: boolean[] = [];
  stamps: Stamp[] = [];
  /** Its ups and downs, each down with the first of its reasons. */
  states: string[] = [];
  #why: string | null = null;
  faults: string[] = [];
  speaking = false;

  changed(active: boolean, stamp: Stamp): void {
    this.#heard("a change");
    if (this.states.at(-1) !== "up") this.faults.push("a change while it is not up");
    if (active === (this.levels.at(-1) ?? false)) this.faults.push(`${active} twice`);
    this.levels.push(active);
    this.stamps.push(stamp);
  }

  up(): void {
    this.#heard("up");
    if (this.states.at(-1) === "up") this.faults.push("up twice");
    this.states.push("up");
    this.#why = null;
  }

  down(why: string): void {
    this.#heard("down");
    if (why === this.#why) this.faults.push("the same reason twice");
    if (this.#why === null) this.states.push(`down: ${why}`);
    this.#why = why;
  }

  #heard(what: string): void {
    if (!this.speaking) this.faults.push(`${what} before start resolved or after stop was called`);
  }
}

/** `pluggable`: its bench has a `cable`. */
export function inputConformance(
  name: string,
  pluggable: boolean,
  makeBench: () => Promise<InputBench>,
): void {
  describe(`a ${name} input`, () => {
    let bench: InputBench;
    let heard: InputListener;
    let input: Input;

    const wait = (what: () => boolean) => until(bench.world, what);

    async function start(): Promise<void> {
      await input.start();
      heard.speaking = true;
      await wait(() => heard.states.length > 0);
    }

    async function stop(): Promise<void> {
      heard.speaking = false;
      await input.stop();
    }

    /** Long enough for anything that is still to be told. */
    async function settle(): Promise<void> {
      for (let passes = 0; passes < 20; passes += 1) await bench.world.pass();
    }

    beforeEach(async () => {
      bench = await makeBench();
      heard = new InputListener();
      input = bench.create(heard);
    });

    afterEach(async () => {
      await stop();
      await bench.dispose();
      expect(heard.faults).toEqual([]);
    });

    it("is up, and says nothing of a contact that is open", async () => {
      await start();
      await settle();
      expect(heard.states).toEqual(["up"]);
      expect(heard.levels).toEqual([]);
    });

    it("tells that the contact is closed when it starts", async () => {
      await bench.set(true);
      await start();
      await wait(() => heard.levels.length > 0);
      expect(heard.levels).toEqual([true]);
    });

    it("tells each change once, in order, stamped in order", async () => {
      await start();
      for (const active of [true, false, true, false]) {
        const told = heard.levels.length;
        await bench.set(active);
        await wait(() => heard.levels.length > told);
      }
      await settle();
      expect(heard.levels).toEqual([true, false, true, false]);
      const times = heard.stamps.map(({ monotonicMs }) => monotonicMs);
      expect(times).toEqual(times.toSorted((a, b) => a - b));
    });

    it("leaves bounces out", async () => {
      if (bench.bounce === undefined) return;
      await start();
      await bench.bounce([true, false, true, false, true]);
      await wait(() => heard.levels.length > 0);
      await bench.bounce([false, true]);
      await settle();
      expect(heard.levels).toEqual([true]);
    });

    it("says nothing after stop, and may be stopped again or unstarted", async () => {
      await stop();
      input = bench.create(heard);
      await start();
      await stop();
      await stop();
      await bench.set(true);
      await settle();
    });

    it("starts once, however often it is told to", async () => {
      const first = input.start().then(() => {
        heard.speaking = true;
      });
      await Promise.all([first, input.start()]);
      await wait(() => heard.states.length > 0);
      await settle();
      expect(heard.states).toEqual(["up"]);
    });

    if (!pluggable) return;

    it("is down once while its device is gone, and then tells what has changed meanwhile", async () => {
      await start();
      await bench.cable?.vanish();
      await wait(() => heard.states.length > 1);
      await bench.set(true);
      await settle();
      expect(heard.levels).toEqual([]);
      await bench.cable?.comeBack();
      await wait(() => heard.levels.length > 0);
      expect(heard.states.map((state) => state.split(":")[0])).toEqual(["up", "down", "up"]);
      expect(heard.levels).toEqual([true]);
    });

    it("starts without its device, and finds it later", async () => {
      await bench.cable?.vanish();
      await start();
      expect(heard.states[0]).toMatch(/^down: ./);
      await bench.cable?.comeBack();
      await wait(() => heard.states.at(-1) === "up");
    });
  });
}
