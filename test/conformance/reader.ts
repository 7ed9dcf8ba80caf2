/** What driver.ts promises of a `Reader`, asked of any that can be shown a card number or a chip's UID. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Reader, ReaderEvents, Reading, Stamp } from "../../drivers/driver.ts";
import { type TestWorld, until } from "./world.ts";

/** A reader with its device, which is there at first. */
export interface ReaderBench {
  world: TestWorld;
  create(events: ReaderEvents): Reader;
  /** Where it reads UIDs: three of them, and one that may not be used. */
  uids?: { good: [string, string, string]; bad: string };
  /** Presents a card that gives this text. Only while the device is there. */
  present(text: string): Promise<void>;
  /** Where the device can be unplugged: the device is gone, and back. */
  cable?: { vanish(): Promise<void>; comeBack(): Promise<void> };
  dispose(): Promise<void>;
}

export interface Told {
  reading: Reading;
  stamp: Stamp;
}

/** Listens to a reader, and holds it to when it may speak. */
export class ReaderListener implements ReaderEvents {
  told: Told[] = [];
  /** Its ups and downs, each down with the first of its reasons. */
  states: string[] = [];
  /** Why it is down, as it said last. */
  why: string | null = null;
  faults: string[] = [];
  speaking = false;

  reading(reading: Reading, stamp: Stamp): void {
    this.#heard("a reading");
    this.told.push({ reading, stamp });
  }

  up(): void {
    this.#heard("up");
    if (this.states.at(-1) === "up") this.faults.push("up twice");
    this.states.push("up");
    this.why = null;
  }

  down(why: string): void {
    this.#heard("down");
    if (why === this.why) this.faults.push("the same reason twice");
    if (this.why === null) this.states.push(`down: ${why}`);
    this.why = why;
  }

  numbers(): string[] {
    return this.told.flatMap(({ reading }) =>
      reading.kind === "credential" && reading.credential.kind === "number"
        ? [reading.credential.number]
        : [],
    );
  }

  /** Card numbers and UIDs. */
  cards(): string[] {
    return this.told.flatMap(({ reading }) => {
      if (reading.kind !== "credential") return [];
      const { credential } = reading;
      return [credential.kind === "number" ? credential.number : credential.uid];
    });
  }

  #heard(what: string): void {
    if (!this.speaking) this.faults.push(`${what} before start resolved or after stop was called`);
  }
}

/** `pluggable`: its bench has a `cable`. */
export function readerConformance(
  name: string,
  pluggable: boolean,
  makeBench: () => Promise<ReaderBench>,
): void {
  describe(`a ${name} reader`, () => {
    let bench: ReaderBench;
    let heard: ReaderListener;
    let reader: Reader;

    const wait = (what: () => boolean) => until(bench.world, what);

    async function start(): Promise<void> {
      await reader.start();
      heard.speaking = true;
    }

    async function stop(): Promise<void> {
      heard.speaking = false;
      await reader.stop();
    }

    beforeEach(async () => {
      bench = await makeBench();
      heard = new ReaderListener();
      reader = bench.create(heard);
    });

    afterEach(async () => {
      await stop();
      await bench.dispose();
      expect(heard.faults).toEqual([]);
    });

    it("does nothing until it is started, and is up once it is", async () => {
      await bench.world.pass();
      expect(heard.states).toEqual([]);
      await start();
      await wait(() => heard.states.length > 0);
      expect(heard.states).toEqual(["up"]);
    });

    it("tells of every card in order, each stamped with its own time", async () => {
      await start();
      await wait(() => heard.states.length > 0);
      const beforeMs = bench.world.clock.monotonicMs();
      const cards = bench.uids?.good ?? ["BB-1234-567890", "BB-1234-567891", "BB-1234-567892"];
      for (const card of cards) {
        await bench.present(card);
        await wait(() => heard.cards().includes(card));
      }
      expect(heard.cards()).toEqual(cards);
      let lastMs = beforeMs;
      for (const { reading, stamp } of heard.told) {
        expect(reading).toMatchObject({ kind: "credential", assurance: bench.uids ? "uid" : "number" });
        expect(stamp.monotonicMs).toBeGreaterThanOrEqual(lastMs);
        expect(stamp.trusted).toBe(bench.world.clock.trusted());
        lastMs = stamp.monotonicMs;
      }
      expect(bench.world.clock.monotonicMs()).toBeGreaterThanOrEqual(lastMs);
    });

    it("tells of what is no card as malformed, without repeating it", async () => {
      await start();
      await wait(() => heard.states.length > 0);
      const bad = bench.uids?.bad ?? "04A1B2C3D4E5F6";
      await bench.present(bad);
      await wait(() => heard.told.length > 0);
      const reading = heard.told[0]?.reading;
      expect(reading).toMatchObject({ kind: "misread", reason: "malformed" });
      expect(JSON.stringify(reading)).not.toContain(bad.slice(0, 6));
    });

    it("may be stopped before it was started, and twice", async () => {
      await stop();
      await stop();
      expect(heard.states).toEqual([]);
    });

    it("may be stopped while it starts, and starts once however often it is asked", async () => {
      const starting = Promise.all([reader.start(), reader.start()]);
      await stop();
      await starting;
      await bench.world.pass();
      expect(heard.states).toEqual([]);
    });

    it("says nothing after it has been stopped", async () => {
      await start();
      await wait(() => heard.states.length > 0);
      const presenting = bench.present(bench.uids?.good[0] ?? "BB-1234-567890");
      await stop();
      await presenting;
      const { length } = heard.told;
      await bench.world.pass();
      await bench.world.pass();
      expect(heard.told).toHaveLength(length);
    });

    if (!pluggable) return;

    it("goes down once with its device, comes back with it, and may be stopped in between", async () => {
      await start();
      await wait(() => heard.states.length > 0);
      await bench.cable?.vanish();
      await wait(() => heard.states.length > 1);
      for (let passes = 0; passes < 30; passes += 1) await bench.world.pass();
      expect(heard.states).toEqual(["up", expect.stringMatching(/^down: \S+ \S+/)]);
      await bench.cable?.comeBack();
      await wait(() => heard.states.length > 2);
      const card = bench.uids?.good[0] ?? "BB-1234-567890";
      await bench.present(card);
      await wait(() => heard.told.length > 0);
      expect(heard.cards()).toEqual([card]);
      const turns = bench.world.logged.filter((line) => !line.endsWith(" is still down"));
      expect(turns.map((line) => line.split(" ")[0])).toEqual(["info", "warn", "info"]);
      await bench.cable?.vanish();
      await wait(() => heard.states.length > 3);
      await stop();
      await bench.cable?.comeBack();
      for (let passes = 0; passes < 30; passes += 1) await bench.world.pass();
      expect(heard.states).toHaveLength(4);
    });

    it("starts without its device, and finds it when it appears", async () => {
      await bench.cable?.vanish();
      await start();
      await wait(() => heard.states.length > 0);
      expect(heard.states).toEqual([expect.stringMatching(/^down: \S+ \S+/)]);
      await bench.cable?.comeBack();
      await wait(() => heard.states.length > 1);
      await bench.present(bench.uids?.good[0] ?? "bb 1234 567890");
      await wait(() => heard.told.length > 0);
      expect(heard.cards()).toEqual([bench.uids?.good[0] ?? "BB-1234-567890"]);
    });
  });
}
