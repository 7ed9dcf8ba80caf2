/** What only a real pcscd and the real process can show: cards torn away, hangs and deaths. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Reader } from "../../drivers/driver.ts";
import { PcscHub } from "../../drivers/pcsc-hub.ts";
import { openPcscProcess } from "../../drivers/pcsc-process.ts";
import { pcscReader } from "../../drivers/reader-pcsc.ts";
import { makePcscd, type Pcscd, PROCESSOR_ATR, STORAGE_ATR, VirtualCard } from "../peers/pcscd.ts";
import { ReaderListener } from "./reader.ts";
import { hurriedWorld, type TestWorld, until } from "./world.ts";

/** Some seconds: pcscd looks for cards a few times a second. */
const WAVE_PASSES = 600;
const CHILD = new URL("../../dist/drivers/pcsc-child.js", import.meta.url).pathname;
const PROCESS = new URL("../../dist/drivers/pcsc-process.js", import.meta.url).href;

/** The living PC/SC processes for this pcscd, by their ids: those whose environment names its socket. */
function processesOf({ socketPath }: Pcscd): number[] {
  return readdirSync("/proc").flatMap((name) => {
    try {
      const isOurs =
        readFileSync(`/proc/${name}/cmdline`, "utf8").includes("pcsc-child") &&
        readFileSync(`/proc/${name}/environ`, "utf8").includes(socketPath);
      return isOurs ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}

describe("PC/SC readers on a real pcscd", () => {
  let pcscd: Pcscd;
  const started: { reader: Reader; heard: ReaderListener }[] = [];

  async function start(world: TestWorld, hub: PcscHub, name: string): Promise<ReaderListener> {
    const heard = new ReaderListener();
    const reader = pcscReader.create({ id: name, name, hub }, world, heard);
    await reader.start();
    heard.speaking = true;
    started.push({ reader, heard });
    return heard;
  }
  const hubOf = (world: TestWorld) =>
    new PcscHub(world, (events) => openPcscProcess(CHILD, pcscd.socketPath, events));
  async function startOne(name = "Virtual PCD 00 00", hurry = 1) {
    const world = hurriedWorld(hurry);
    const heard = await start(world, hubOf(world), name);
    await until(world, () => heard.states.at(-1) === "up");
    return { world, heard };
  }
  const firstReading = async (world: TestWorld, heard: ReaderListener) => {
    await until(world, () => heard.told.length > 0);
    return heard.told[0]?.reading;
  };

  const countOf = (words: string) => pcscd.log().split(words).length;
  const removals = () => countOf("Card Removed");
  const insertions = () => countOf("Card inserted");
  const isEmpty = () => removals() === insertions();

  beforeAll(async () => {
    pcscd = await makePcscd();
    await pcscd.start();
  });

  afterEach(async () => {
    for (const { reader, heard } of started.splice(0)) {
      heard.speaking = false;
      await reader.stop();
      expect(heard.faults).toEqual([]);
    }
    expect(processesOf(pcscd)).toEqual([]);
    // vpcd takes a card only once it has found the one before gone.
    await until(hurriedWorld(1), isEmpty);
  });

  afterAll(() => pcscd.dispose());

  it.each([
    ["ISO 14443-3", STORAGE_ATR],
    ["ISO 14443-4", PROCESSOR_ATR],
  ])("read the UID of a card of %s, with one command", async (_, atr) => {
    const { world, heard } = await startOne();
    const card = await VirtualCard.withUid(pcscd.ports[0]!, "04A1B2C3D4E5F6", atr);
    expect(await firstReading(world, heard)).toMatchObject({ credential: { uid: "04A1B2C3D4E5F6" } });
    card.take();
    expect(card.asked).toEqual(["FFCA000000"]);
  });

  it("say of a card without a UID that it is of the wrong type", async () => {
    const { world, heard } = await startOne();
    const card = await VirtualCard.present(pcscd.ports[0]!, PROCESSOR_ATR, () => Buffer.from("6A81", "hex"));
    expect(await firstReading(world, heard)).toEqual({
      kind: "misread",
      reason: "wrong-type",
      step: `connected, it has no UID to give (6A 81, ATR ${PROCESSOR_ATR})`,
    });
    card.take();
  });

  it("say of a card that is waved how far it got, and read the next one", async () => {
    const { world, heard } = await startOne();
    const waved = await VirtualCard.present(pcscd.ports[0]!, STORAGE_ATR, () => null);
    expect(await firstReading(world, heard)).toMatchObject({
      reason: "removed-early",
      step: expect.stringMatching(/^connected, no answer to get-UID/),
    });
    expect(waved.asked).toEqual(["FFCA000000"]);
    await until(world, isEmpty);
    const card = await VirtualCard.withUid(pcscd.ports[0]!, "04A1B2C3");
    await until(world, () => heard.cards().length > 0);
    expect(heard.cards()).toEqual(["04A1B2C3"]);
    expect(heard.told).toHaveLength(2);
    card.take();
  });

  it("tell of a card that was gone before it could be connected to", async () => {
    const { world, heard } = await startOne();
    // Now and then pcscd does not see so short a visit at all: then the card is waved once more, as people do.
    for (let wave = 0; wave < 5 && heard.told.length === 0; wave += 1) {
      const waved = await VirtualCard.present(pcscd.ports[0]!, STORAGE_ATR, () => null);
      waved.atrsLeft = 1;
      for (let passes = 0; passes < WAVE_PASSES && heard.told.length === 0; passes += 1) await world.pass();
    }
    expect(heard.told[0]?.reading).toMatchObject({
      reason: "removed-early",
      step: expect.stringMatching(/^(connect failed: |not connected, )/),
    });
  });

  it("are two at once, each with its own cards", async () => {
    const world = hurriedWorld(1);
    const hub = hubOf(world);
    const one = await start(world, hub, "Virtual PCD 00 00");
    const two = await start(world, hub, "Virtual PCD 00 01");
    await until(world, () => one.states.length > 0 && two.states.length > 0);
    expect(processesOf(pcscd)).toHaveLength(1);
    const cards = await Promise.all([
      VirtualCard.withUid(pcscd.ports[0]!, "04A1B2C3"),
      VirtualCard.withUid(pcscd.ports[1]!, "04A1B2C4"),
    ]);
    await until(world, () => one.told.length > 0 && two.told.length > 0);
    expect([one.cards(), two.cards()]).toEqual([["04A1B2C3"], ["04A1B2C4"]]);
    for (const card of cards) card.take();
  });

  it("read a card that was changed for another while the process stood still", async () => {
    // In slow time, so that its heartbeat is not missed.
    const { world, heard } = await startOne("Virtual PCD 00 00", 0.05);
    const first = await VirtualCard.withUid(pcscd.ports[0]!, "04A1B2C3");
    await until(world, () => heard.told.length > 0);
    const [pid] = processesOf(pcscd);
    process.kill(pid!, "SIGSTOP");
    const before = [removals(), insertions()];
    first.take();
    await until(world, () => removals() > before[0]!);
    const second = await VirtualCard.withUid(pcscd.ports[0]!, "04A1B2C4");
    await until(world, () => insertions() > before[1]!);
    process.kill(pid!, "SIGCONT");
    await until(world, () => heard.told.length > 1);
    expect(heard.cards()).toEqual(["04A1B2C3", "04A1B2C4"]);
    second.take();
  });

  it("outlive a process that stands still: it is killed, and a new one speaks", async () => {
    const { world, heard } = await startOne();
    const [pid] = processesOf(pcscd);
    process.kill(pid!, "SIGSTOP");
    await until(world, () => heard.states.length > 2);
    expect(heard.states).toEqual(["up", "down: the PC/SC process has said nothing for 2000 ms", "up"]);
    expect(processesOf(pcscd)).not.toContain(pid);
    const card = await VirtualCard.withUid(pcscd.ports[0]!, "04A1B2C3");
    expect(await firstReading(world, heard)).toMatchObject({ credential: { uid: "04A1B2C3" } });
    card.take();
  });

  it("outlive a pcscd that stands still", async () => {
    pcscd.freeze();
    const world = hurriedWorld(1);
    const heard = await start(world, hubOf(world), "Virtual PCD 00 00");
    await until(world, () => heard.states.length > 0);
    expect(heard.states).toEqual([expect.stringMatching(/^down: pcscd lets nobody in, or does not answer/)]);
    pcscd.thaw();
    await until(world, () => heard.states.length > 1);
    expect(heard.states.at(-1)).toBe("up");
  });

  it("leave no process behind when the gateway is killed, and none goes before it", async () => {
    const script = `
      const { openPcscProcess } = await import(${JSON.stringify(PROCESS)});
      await openPcscProcess(${JSON.stringify(CHILD)}, ${JSON.stringify(pcscd.socketPath)}, {
        data: (bytes) => process.stdout.write(bytes),
        closed: () => {},
      });`;
    const gateway = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    gateway.stdout.on("data", (text: Buffer) => {
      said += text;
    });
    const world = hurriedWorld(1);
    await until(world, () => said.includes('"ready"'));
    const [pid] = processesOf(pcscd);
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.kill(pid!, signal);
    const beats = said.split("beat").length;
    await until(world, () => said.split("beat").length > beats);
    gateway.kill("SIGKILL");
    await once(gateway, "exit");
    await until(world, () => processesOf(pcscd).length === 0);
    expect(processesOf(pcscd)).toEqual([]);
  });

  it("start no process where there is no pcscd, and say what to do", async () => {
    const events = { data: () => {}, closed: () => {} };
    await expect(openPcscProcess(CHILD, "/nowhere/pcscd.comm", events)).rejects.toThrow(
      "pcscd is not running: sudo systemctl enable --now pcscd.socket",
    );
    await pcscd.kill9();
    await expect(openPcscProcess(CHILD, pcscd.socketPath, events)).rejects.toThrow("pcscd is not running");
    expect(processesOf(pcscd)).toEqual([]);
    await pcscd.start();
  });
});
