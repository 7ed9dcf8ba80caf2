import { once } from "node:events";
import { readdirSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openPcscProcess } from "../../drivers/pcsc-process.ts";
import type { Channel } from "../../drivers/ports.ts";
import { serialReader } from "../../drivers/reader-serial.ts";
import { heapBytesInUse } from "../peers/heap.ts";
import { Pty } from "../peers/pty.ts";
import { TcpDevice } from "../peers/tcp-device.ts";
import { ReaderListener } from "./reader.ts";
import { hurriedWorld, until } from "./world.ts";

const CYCLES = 30;
const TAPS = 10;

interface Cable {
  port: string;
  send(text: string): Promise<void>;
  vanish(): Promise<void>;
  comeBack(): Promise<void>;
}

/** Files and sockets this process holds open. */
const openFiles = () => readdirSync("/proc/self/fd").length;

/** Taps in every cycle while it is up, and a tap cut in half by the pull. */
async function replug(cable: Cable): Promise<void> {
  const world = hurriedWorld(25);
  const heard = new ReaderListener();
  const options = { id: "r", baudRate: 115_200, reads: "card-number" as const, issuers: ["BB"] };
  const reader = serialReader.create({ ...options, port: cable.port }, world, heard);
  await reader.start();
  heard.speaking = true;
  const sent: string[] = [];
  let openAfterFirst = 0;
  for (let cycle = 0; cycle < CYCLES; cycle += 1) {
    await until(world, () => heard.states.at(-1) === "up");
    for (let tap = 0; tap < TAPS; tap += 1) {
      const card = `BB-${String(cycle).padStart(4, "0")}-${String(tap).padStart(6, "0")}`;
      sent.push(card);
      await cable.send(`${card}\r\n`);
    }
    await until(world, () => heard.numbers().length >= sent.length);
    if (cycle === 0) openAfterFirst = openFiles();
    if (cycle % 2 === 1) await cable.send("BB-9999-");
    await cable.vanish();
    await until(world, () => heard.states.at(-1)?.startsWith("down") === true);
    if (cycle % 3 === 0) for (let passes = 0; passes < 10; passes += 1) await world.pass();
    await cable.comeBack();
  }
  await until(world, () => heard.states.at(-1) === "up");
  expect(heard.numbers()).toEqual(sent);
  expect(heard.states).toHaveLength(2 * CYCLES + 1);
  expect(heard.faults).toEqual([]);
  expect(world.logged.filter((line) => !line.endsWith(" is still down"))).toHaveLength(2 * CYCLES + 1);
  await until(world, () => openFiles() <= openAfterFirst);
  heard.speaking = false;
  await reader.stop();
  await until(world, () => openFiles() < openAfterFirst);
}

describe(`${CYCLES} times unplugged and plugged in again, no reading is lost and nothing leaks`, () => {
  it("on a pseudo-terminal", async () => {
    const pty = await Pty.make();
    await pty.plug();
    await replug({
      port: pty.path,
      send: (text) => pty.send(text),
      vanish: () => pty.unplug(),
      comeBack: () => pty.plug(),
    });
    await pty.remove();
  });

  it("on TCP", async () => {
    const device = await TcpDevice.listen();
    await replug({
      port: `tcp://127.0.0.1:${device.port}`,
      send: (text) => device.send(text),
      vanish: () => device.vanish(),
      comeBack: () => device.comeBack(),
    });
    await device.vanish();
  });
});

/** The process beside us starts afresh at every 32nd reader that goes: as often as 1,600 re-plugs make it. */
const LIVES = 50;
/** They leave what is made once and for all. */
const FIRST_LIVES = 10;

it(`${LIVES} lives of the PC/SC process leave no handle, no listener and no memory with us`, {
  timeout: 300_000,
}, async () => {
  const folder = await mkdtemp(join(tmpdir(), "grindvakt-lives-"));
  const child = join(folder, "child.mjs");
  // It says what a real one says last, and is waited for by nobody.
  await writeFile(
    child,
    "import { writeSync } from 'node:fs'; writeSync(3, 'its last words'); process.stdin.resume();",
  );
  const pcscd = createServer((socket) => socket.destroy()).listen(join(folder, "pcscd.comm"));
  await once(pcscd, "listening");
  const listeners = () => process.eventNames().map((name) => [name, process.listenerCount(name)]);
  const held = () => ({
    files: openFiles(),
    resources: process.getActiveResourcesInfo().sort(),
    listeners: listeners(),
  });
  let before: ReturnType<typeof held> | null = null;
  let memoryBytes = 0;
  for (let life = 0; life < LIVES; life += 1) {
    await new Promise<void>((over, fail) => {
      let link: Promise<Channel> | null = null;
      let said = "";
      const events = {
        data: (bytes: Uint8Array) => {
          said += Buffer.from(bytes).toString();
          if (said === "its last words") void link?.then((channel) => channel.close()).then(over, fail);
        },
        closed: (why: string) => fail(new Error(why)),
      };
      link = openPcscProcess(child, join(folder, "pcscd.comm"), events);
      link.catch(fail);
    });
    if (life !== FIRST_LIVES) continue;
    memoryBytes = heapBytesInUse();
    before = held();
  }
  expect(heapBytesInUse() - memoryBytes).toBeLessThan((LIVES - FIRST_LIVES) * 4_096);
  const world = hurriedWorld();
  // When it was looked at first, pipes of a process that had just ended may have been there still: more of them, but no fewer.
  await until(world, () => openFiles() <= (before?.files ?? 0));
  await until(world, () => held().resources.length <= (before?.resources.length ?? 0));
  expect(held().listeners).toEqual(before?.listeners);
  pcscd.close();
  await rm(folder, { recursive: true });
});

it("a MiB of noise over a real line is bounded, and the card after it is read", async () => {
  const pty = await Pty.make();
  await pty.plug();
  const world = hurriedWorld();
  const heard = new ReaderListener();
  const options = {
    id: "r",
    port: pty.path,
    baudRate: 115_200,
    reads: "card-number" as const,
    issuers: ["BB"],
  };
  const reader = serialReader.create(options, world, heard);
  await reader.start();
  heard.speaking = true;
  for (let sent = 0; sent < 1 << 20; sent += 65_536) await pty.send(Buffer.alloc(65_536, 0x55));
  await pty.send("\r\nBB-1234-567890\r\n");
  await until(world, () => heard.numbers().length > 0);
  expect(heard.numbers()).toEqual(["BB-1234-567890"]);
  expect(heard.states).toEqual(["up"]);
  for (const { reading } of heard.told.slice(0, -1)) {
    expect(reading).toMatchObject({ kind: "misread", reason: "unreadable" });
  }
  heard.speaking = false;
  await reader.stop();
  await pty.remove();
});
