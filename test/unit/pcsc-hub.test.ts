/** The gateway's side of PC/SC, against a simulated process that hangs, babbles, dies and is pulled under it. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Sight } from "../../drivers/driver.ts";
import { PcscHub } from "../../drivers/pcsc-hub.ts";
import { pcscReader } from "../../drivers/reader-pcsc.ts";
import { ReaderListener } from "../conformance/reader.ts";
import { simulatedWorld } from "../conformance/world.ts";
import { heapBytesInUse } from "../peers/heap.ts";
import { SimPcsc, uidOf } from "../sim/pcsc.ts";

const ONE = "ACS ACR122U PICC Interface 00 00";
const TWO = "ACS ACR122U PICC Interface 01 00";
const THREE = "ACS ACR1252 Dual Reader [ACR1252 Dual Reader PICC] 02 00";

describe("PC/SC readers", () => {
  const make = () => {
    const world = simulatedWorld();
    const pcsc = new SimPcsc(world.clock, [ONE, TWO]);
    return { world, pcsc, hub: new PcscHub(world, pcsc.open) };
  };
  let site: ReturnType<typeof make>;
  const started: { reader: ReturnType<typeof pcscReader.create>; heard: ReaderListener }[] = [];

  async function start(name: string) {
    const { world, hub } = site;
    const heard = new ReaderListener();
    const reader = pcscReader.create({ id: name, name, hub }, world, heard);
    const starting = reader.start().then(() => {
      heard.speaking = true;
    });
    await world.clock.advance(4_100);
    await starting;
    const made = { reader, heard };
    started.push(made);
    return made;
  }
  const advance = (ms: number) => site.world.clock.advance(ms);
  /** What readers were told since it was last asked. */
  const sent = () => site.pcsc.commands.splice(0).map(({ bytes }) => bytes);
  const whyDown = (heard: ReaderListener) => heard.states.at(-1);

  beforeEach(() => {
    site = make();
  });

  afterEach(async () => {
    for (const { reader, heard } of started.splice(0)) {
      heard.speaking = false;
      await reader.stop();
      expect(heard.faults).toEqual([]);
    }
    expect(site.pcsc.living).toBe(0);
  });

  it("share one process, two at once, each with its own cards", async () => {
    const one = await start("Interface 00 00");
    const two = await start("Interface 01 00");
    site.pcsc.lay(ONE, uidOf(1));
    site.pcsc.lay(TWO, uidOf(2));
    expect([one, two].map(({ heard }) => heard.cards())).toEqual([[uidOf(1)], [uidOf(2)]]);
    expect(site.pcsc.starts).toBe(1);
    expect(one.heard.states).toEqual(["up"]);
    one.heard.speaking = false;
    await one.reader.stop();
    site.pcsc.present(TWO, uidOf(3));
    expect(two.heard.cards()).toEqual([uidOf(2), uidOf(3)]);
    expect(site.pcsc.living).toBe(1);
  });

  it("are stamped when the card came, not when it answered", async () => {
    const { heard } = await start("Interface 00 00");
    const cameMs = site.world.clock.monotonicMs();
    site.pcsc.say({ kind: "card", reader: ONE, atr: "3B" });
    await advance(700);
    site.pcsc.say({ kind: "answer", reader: ONE, bytes: `${uidOf(1)}9000` });
    expect(heard.told.map(({ stamp }) => stamp.monotonicMs)).toEqual([cameMs]);
  });

  it("tell how far an early removal got", async () => {
    const { heard } = await start("Interface 00 00");
    for (const step of ["unseen", "connect", "ask"] as const) {
      site.pcsc.say({ kind: "card", reader: ONE, atr: "" });
      site.pcsc.say({ kind: "failed", reader: ONE, step, why: "Card was removed." });
      site.pcsc.say({ kind: "left", reader: ONE });
    }
    expect(heard.told.map(({ reading }) => reading)).toEqual([
      { kind: "misread", reason: "removed-early", step: "not connected, it was gone at once" },
      { kind: "misread", reason: "removed-early", step: "connect failed: Card was removed." },
      {
        kind: "misread",
        reason: "removed-early",
        step: "connected, no answer to get-UID: Card was removed.",
      },
    ]);
  });

  it("say what to do when pcscd is not there, and come when it comes", async () => {
    site.pcsc.stop();
    const { heard } = await start("Interface 00 00");
    await advance(60_000);
    expect(heard.states).toEqual(["down: pcscd is not running: sudo systemctl enable --now pcscd.socket"]);
    expect(site.pcsc.starts).toBe(0);
    site.pcsc.run();
    await advance(5_000);
    expect(heard.states.at(-1)).toBe("up");
  });

  it("come back within 5 s of pcscd, and of the reader", async () => {
    const { heard } = await start("Interface 00 00");
    site.pcsc.stop();
    await advance(20_000);
    expect(whyDown(heard)).toMatch(/^down: pcscd has ended/);
    expect(heard.why).toMatch(/^pcscd is not running/);
    site.pcsc.run();
    await advance(5_000);
    site.pcsc.unplug(ONE);
    await advance(100);
    expect(whyDown(heard)).toMatch(/^down: no PC\/SC reader is called "Interface 00 00": there is ACS/);
    await advance(20_000);
    site.pcsc.plug(ONE);
    await advance(5_000);
    site.pcsc.present(ONE, uidOf(1));
    expect(heard.cards()).toEqual([uidOf(1)]);
    expect(heard.states.map((state) => state.slice(0, 4))).toEqual(["up", "down", "up", "down", "up"]);
  });

  it("of a process that misses a re-plug are looked for by a new one", async () => {
    const { heard } = await start("Interface 00 00");
    site.pcsc.unplug(ONE);
    site.pcsc.isSilent = true;
    site.pcsc.plug(ONE);
    site.pcsc.isSilent = false;
    await advance(5_000);
    expect(heard.states.at(-1)).toBe("up");
    expect(site.pcsc.starts).toBe(2);
  });

  it("of a process that is told of others, but not of ours, are looked for by a new one, ever more seldom", async () => {
    const { heard } = await start("ACR1252");
    expect([heard.states.length, site.pcsc.starts]).toEqual([1, 1]);
    site.pcsc.unplug(TWO);
    site.pcsc.isSilent = true;
    site.pcsc.plug(THREE);
    site.pcsc.isSilent = false;
    await advance(5_000);
    expect([heard.states.at(-1), site.pcsc.starts]).toEqual(["up", 2]);
    // It stays away, while another comes and goes.
    site.pcsc.unplug(THREE);
    for (let second = 0; second < 120; second += 1) {
      if (second % 2 === 0) site.pcsc.plug(TWO);
      else site.pcsc.unplug(TWO);
      await advance(1_000);
    }
    expect(site.pcsc.starts).toBeLessThanOrEqual(2 + 6);
  });

  it("wait for a process that a busy board takes long to start, and no longer for one that does not", async () => {
    site.pcsc.startMs = 12_000;
    const heard = new ReaderListener();
    const reader = pcscReader.create({ id: "slow", name: ONE, hub: site.hub }, site.world, heard);
    started.push({ reader, heard });
    const starting = reader.start().then(() => {
      heard.speaking = true;
    });
    await advance(12_200);
    await starting;
    await advance(0);
    expect([heard.states, site.pcsc.starts]).toEqual([["up"], 1]);
    site.pcsc.startMs = 60_000;
    site.pcsc.crash("it ends");
    await advance(15_000);
    expect(site.pcsc.starts).toBe(2);
    await advance(2_000);
    expect(site.pcsc.starts).toBe(3);
  });

  it("go down with a process that hangs, which is killed and started anew", async () => {
    const { heard } = await start("Interface 00 00");
    site.pcsc.isSilent = true;
    await advance(2_100);
    expect(whyDown(heard)).toBe("down: the PC/SC process has said nothing for 2000 ms");
    expect(site.pcsc.living).toBe(0);
    site.pcsc.isSilent = false;
    await advance(2_900);
    expect(heard.states.at(-1)).toBe("up");
  });

  it.each<[string, () => Uint8Array, RegExp]>([
    ["babbles", () => Buffer.from("Segmentation fault\n"), /gone wild: a line that is no message/],
    ["goes on without an end", () => Buffer.alloc(5_000, 0x20), /gone wild: a line of more than 2048 bytes/],
    [
      "floods",
      () => Buffer.from(`{"kind":"answer","reader":"${ONE}","bytes":"04A1B2C39000"}\n`.repeat(5_000)),
      /has gone wild$/,
    ],
    ["ends with a word", () => Buffer.from('{"kind":"fault","why":"no memory"}\n'), /^down: no memory$/],
  ])("go down once with a process that %s, and come back", async (_, wild, why) => {
    const { heard } = await start("Interface 00 00");
    site.pcsc.babble(wild());
    await advance(0);
    expect(whyDown(heard)).toMatch(why);
    expect(heard.told.length).toBeLessThanOrEqual(1);
    await advance(5_000);
    expect(heard.states).toEqual(["up", expect.stringMatching(why), "up"]);
  });

  it("do not take a card for presented again that has lain there all the time", async () => {
    const { heard } = await start("Interface 00 00");
    site.pcsc.lay(ONE, uidOf(1));
    site.pcsc.stop();
    await advance(60_000);
    site.pcsc.run();
    await advance(5_000);
    expect(heard.states.at(-1)).toBe("up");
    expect(heard.cards()).toEqual([uidOf(1)]);
    site.pcsc.take(ONE);
    site.pcsc.present(ONE, uidOf(1));
    expect(heard.cards()).toEqual([uidOf(1), uidOf(1)]);
  });

  it("take a card that is presented while they are away once they are back, the same one too", async () => {
    const { heard } = await start("Interface 00 00");
    site.pcsc.present(ONE, uidOf(1));
    site.pcsc.stop();
    site.pcsc.lay(ONE, uidOf(1));
    site.pcsc.run();
    await advance(5_000);
    expect(heard.cards()).toEqual([uidOf(1), uidOf(1)]);
  });

  it("that cannot be told apart are both down, and say so", async () => {
    const one = await start("ACR122U");
    const two = await start("Interface 01 00");
    expect(whyDown(one.heard)).toMatch(/^down: 2 PC\/SC readers are called "ACR122U"/);
    expect(whyDown(two.heard)).toMatch(/^down: "Interface 01 00" and "ACR122U" both are/);
    site.pcsc.present(TWO, uidOf(1));
    expect(two.heard.told).toEqual([]);
  });

  it("light and beep, and silence the reader's own beep", async () => {
    const tries = ["6300", "9000"];
    site.pcsc.answerCommand = ({ bytes }) => (bytes === "FF00520000" ? (tries.shift() ?? "") : "9003");
    const { reader } = await start("Interface 00 00");
    expect(sent()).toEqual(["FF00520000"]);
    site.pcsc.present(ONE, uidOf(1));
    await advance(100);
    site.pcsc.present(ONE, uidOf(2));
    await advance(100);
    expect(sent()).toEqual(["FF00520000"]);
    reader.signal?.("granted");
    await advance(3_000);
    expect(sent()).toEqual(["FF0040ED0403000101"]);
    reader.signal?.("denied");
    await advance(3_000);
    expect(sent()).toEqual(["FF00405D0401010201"]);
    site.pcsc.unplug(ONE);
    reader.signal?.("granted");
    await advance(100);
    expect(sent()).toEqual([]);
  });

  it("end a light with the next", async () => {
    site.pcsc.plug(THREE);
    site.pcsc.answerCommand = () => "E10000000177";
    const { reader } = await start("ACR1252");
    expect(sent()).toEqual(["E000002100"]);
    reader.signal?.("granted");
    await advance(1_000);
    expect(sent()).toEqual(["E00000290102", "E0000028010A"]);
    reader.signal?.("granted");
    await advance(1_000);
    expect(sent()).toEqual(["E00000290102", "E0000028010A"]);
    await advance(1_000);
    expect(sent()).toEqual(["E00000290100"]);
  });

  it.each([
    [
      ONE,
      "beeps by itself at the first card, and shows and sounds a decision only while the card lies there",
    ],
    [THREE, "shows and sounds no decision, and beeps as it is set"],
  ])("%s says once what is lost where libccid lets no escape command through", async (name, lost) => {
    site.pcsc.plug(THREE);
    site.pcsc.refusal = "SCardControl error: Transaction failed.(0x80100016)";
    const { heard } = await start(name);
    for (const card of [1, 2]) site.pcsc.present(name, uidOf(card));
    site.pcsc.unplug(name);
    site.pcsc.plug(name);
    await advance(100);
    expect(site.world.logged.filter((line) => line.includes("escape") || line.includes("beep"))).toEqual([
      `warn reader ${name} ${lost}`,
    ]);
    expect(heard.cards()).toEqual([uidOf(1), uidOf(2)]);
  });

  it("that went away before they were silenced say nothing of it", async () => {
    site.pcsc.refusal = "SCardConnect error: Unknown reader specified.(0x80100009)";
    await start("Interface 00 00");
    expect(site.world.logged.filter((line) => line.startsWith("warn"))).toEqual([]);
  });

  it("write the setting of an ACR1252U once, and not again when it does not take", async () => {
    site.pcsc.plug(THREE);
    site.pcsc.answerCommand = () => "E1000000017F";
    await start("ACR1252");
    for (let card = 0; card < 5; card += 1) {
      site.pcsc.present(THREE, uidOf(card));
      await advance(100);
    }
    expect(sent()).toEqual(["E000002100", "E00000210177"]);
  });

  it("show a technician what goes over the wire, and the UID", async () => {
    const { reader } = await start("Interface 00 00");
    const seen: Sight[] = [];
    reader.observe?.((sight) => seen.push(sight));
    site.pcsc.lay(ONE, "04A1B2C3", "3B80800101");
    expect(seen).toEqual([
      { kind: "text", text: "ATR 3B80800101" },
      { kind: "bytes", direction: "out", bytes: Buffer.from("FFCA000000", "hex") },
      { kind: "bytes", direction: "in", bytes: Buffer.from("04A1B2C39000", "hex") },
      { kind: "uid", bytes: Buffer.from("04A1B2C3", "hex") },
    ]);
    reader.observe?.(null);
    site.pcsc.present(ONE, uidOf(2));
    expect(seen).toHaveLength(4);
  });

  it("lose no card and keep nothing in 10,000 re-plugs", async () => {
    const { clock } = site.world;
    const timers = new Set<object>();
    const after = clock.after.bind(clock);
    clock.after = (delayMs, fire) => {
      const mark = {};
      timers.add(mark);
      const timer = after(delayMs, () => {
        timers.delete(mark);
        fire();
      });
      return {
        cancel: () => {
          timers.delete(mark);
          timer.cancel();
        },
      };
    };
    const { heard } = await start("Interface 00 00");
    let timersMost = 0;
    let taps = 0;
    let changes = 0;
    const heapBytes: number[] = [];
    for (let cycle = 0; cycle < 11_000; cycle += 1) {
      site.pcsc.present(ONE, uidOf(cycle));
      site.pcsc.unplug(ONE);
      // Mostly a hand that wiggles the plug; now and then so long that the process is started anew.
      await advance(cycle % 100 === 0 ? 3_000 : 10);
      site.pcsc.plug(ONE);
      await advance(cycle % 100 === 0 ? 5_000 : 10);
      timersMost = Math.max(timersMost, timers.size);
      // What the test itself has heard is not to be measured.
      taps += heard.told.splice(0).length;
      changes += heard.states.splice(0, heard.states.length - 1).length;
      site.pcsc.commands.length = 0;
      site.world.logged.length = 0;
      if (cycle % 2_500 === 999) heapBytes.push(heapBytesInUse());
    }
    expect(taps).toBe(11_000);
    expect(changes).toBe(22_000);
    // Less than a number for each of the 2,500 re-plugs between, once at least: what is kept for each grows always, what others in
    // this process take does not.
    const growths = heapBytes.slice(1).map((bytes, index) => bytes - heapBytes[index]!);
    expect(growths).toHaveLength(4);
    expect(Math.min(...growths)).toBeLessThan(2_500 * 16);
    // What watches the process and waits for the reader, and the simulated process's own.
    expect(timersMost).toBeLessThan(10);
    expect(site.pcsc.living).toBe(1);
    expect(site.pcsc.starts).toBe(111);
  });

  it("may be started again after the last was stopped, by one process at a time", async () => {
    for (let round = 0; round < 3; round += 1) {
      const { reader, heard } = await start("Interface 00 00");
      expect(heard.states).toEqual(["up"]);
      heard.speaking = false;
      await reader.stop();
      expect(site.pcsc.living).toBe(0);
    }
  });
});
