import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { HidBoards } from "../../drivers/hid-boards.ts";
import { hidRelay } from "../../drivers/relay-hid.ts";
import { RelayListener } from "../conformance/relay.ts";
import { simulatedWorld, until } from "../conformance/world.ts";
import { SimHid } from "../sim/hid.ts";
import { BOARD_IDS, SimHidBoard } from "../sim/hid-board.ts";

let world: ReturnType<typeof simulatedWorld>;
let hid: SimHid;
let boards: HidBoards;
const first = "1-1.2:1.0";
const second = "1-1.3:1.0";

beforeEach(() => {
  world = simulatedWorld();
  hid = new SimHid();
  boards = new HidBoards(hid, world.clock);
});

function plug(port: string, serial: string, product = "USBRelay2"): SimHidBoard {
  const board = new SimHidBoard(serial);
  hid.plug(port, { ...BOARD_IDS, serial: "", product }, board);
  return board;
}

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all([...stops.splice(0).map((stop) => stop()), world.clock.advance(5_000)]);
  expect(hid.openHandles).toBe(0);
});

async function start(options: { channel: number; serial?: string; path?: string }) {
  const heard = new RelayListener();
  const relay = hidRelay.create({ id: "north-in", boards, ...options }, world, heard);
  await relay.start();
  heard.started = true;
  await until(world, () => heard.states.length > 0);
  stops.push(() => relay.stop());
  return { relay, heard };
}

describe("two relays of one board", () => {
  it("share it, and each moves its own", async () => {
    const board = plug(first, "BITFT");
    const one = await start({ channel: 1 });
    const two = await start({ channel: 2, serial: "BITFT" });
    expect(hid.openHandles).toBe(1);
    one.relay.pulse(400);
    two.relay.pulse(800);
    await world.clock.advance(100);
    expect(board.state).toBe(0b11);
    await world.clock.advance(400);
    expect(board.state).toBe(0b10);
    await one.relay.stop();
    expect(hid.openHandles).toBe(1);
    await world.clock.advance(400);
    expect(board.state).toBe(0);
    expect(two.heard.outcomes).toEqual(["energised", "released"]);
    expect(board.faults).toEqual([]);
  });

  it("go down together, once, and come back together, released first", async () => {
    const board = plug(first, "BITFT");
    const one = await start({ channel: 1 });
    const two = await start({ channel: 2 });
    hid.pull(first);
    await world.clock.advance(10_000);
    expect(one.heard.states).toEqual(["up", "down: the device was unplugged"]);
    expect(two.heard.states).toEqual(["up", "down: the device was unplugged"]);
    board.state = 0b11;
    hid.plug(first, { ...BOARD_IDS, serial: "", product: "USBRelay2" }, board);
    await world.clock.advance(5_000);
    expect(one.heard.states.at(-1)).toBe("up");
    expect(two.heard.states.at(-1)).toBe("up");
    expect(board.state).toBe(0);
  });
});

describe("a board is found", () => {
  it("by the serial number it tells itself, also while the other one is open", async () => {
    plug(first, "AAAAA");
    const meant = plug(second, "BBBBB");
    const other = await start({ channel: 1, serial: "AAAAA" });
    const { relay, heard } = await start({ channel: 1, serial: "BBBBB" });
    relay.pulse(400);
    await world.clock.advance(100);
    expect(meant.isOn(1)).toBe(true);
    expect([heard.states, other.heard.states]).toEqual([["up"], ["up"]]);
    expect(hid.openHandles).toBe(2);
  });

  it("by its port", async () => {
    plug(first, "AAAAA");
    const meant = plug(second, "AAAAA");
    const { relay } = await start({ channel: 1, path: "1-1.3" });
    relay.pulse(400);
    await world.clock.advance(100);
    expect(meant.isOn(1)).toBe(true);
  });

  it("or it is said what is there instead", async () => {
    expect((await start({ channel: 1 })).heard.states).toEqual(["down: no USB relay board is plugged in"]);
    plug(first, "AAAAA");
    expect((await start({ channel: 1, serial: "CCCCC" })).heard.states).toEqual([
      "down: no USB relay board has the serial CCCCC; there is AAAAA",
    ]);
    expect((await start({ channel: 1, path: "2-1" })).heard.states).toEqual([
      "down: no USB relay board is at 2-1; there is port 1-1.2",
    ]);
    expect((await start({ channel: 3 })).heard.states).toEqual([
      "down: the board has 2 relays, and no relay 3",
    ]);
    plug(second, "BBBBB");
    expect((await start({ channel: 1 })).heard.states).toEqual([
      "down: 2 USB relay boards are plugged in: say serial or path; there is port 1-1.2, port 1-1.3",
    ]);
  });

  it("among devices that share its numbers and are no boards", async () => {
    hid.plug(second, { ...BOARD_IDS, serial: "", product: "Thermometer" }, new SimHidBoard("NO"));
    plug(first, "AAAAA");
    expect((await start({ channel: 1 })).heard.states).toEqual(["up"]);
  });
});

describe("a board that does not show what it was told", () => {
  it("has failed to energise", async () => {
    const board = plug(first, "AAAAA");
    const { relay, heard } = await start({ channel: 1 });
    board.isStuck = true;
    relay.pulse(400);
    await world.clock.advance(1_000);
    expect(heard.outcomes).toEqual([
      "failed: the board was told to energise relay 1, and shows that it has not",
    ]);
    expect(heard.states).toEqual(["up"]);
  });

  it("may be stuck energised, and is told to release until it does", async () => {
    const board = plug(first, "AAAAA");
    const { relay, heard } = await start({ channel: 1 });
    relay.pulse(400);
    await world.clock.advance(100);
    board.isStuck = true;
    await world.clock.advance(5_000);
    expect(heard.outcomes).toEqual([
      "energised",
      "failed: it may be stuck energised, the release was not taken: the board was told to release relay 1, and shows that it has not",
    ]);
    board.isStuck = false;
    await world.clock.advance(1_000);
    expect(board.state).toBe(0);
  });

  it("is not up when it shows so at the start", async () => {
    const board = plug(first, "AAAAA");
    board.state = 1;
    board.isStuck = true;
    const { heard } = await start({ channel: 1 });
    expect(heard.states).toEqual([expect.stringMatching(/^down: it opened, but did not take the release: /)]);
    board.isStuck = false;
    await world.clock.advance(5_000);
    expect(heard.states.at(-1)).toBe("up");
  });
});

it("a board that answers too little is none", async () => {
  hid.plug(first, { ...BOARD_IDS, serial: "", product: "" }, { set: () => {}, get: () => new Uint8Array(3) });
  expect((await start({ channel: 1 })).heard.states).toEqual([
    "down: the board answers 4 bytes, where relay boards answer 9",
  ]);
});

it("a board that does not answer is opened anew", async () => {
  const board = plug(first, "AAAAA");
  const { relay, heard } = await start({ channel: 1 });
  hid.isMute = true;
  relay.pulse(400);
  await world.clock.advance(3_000);
  expect(heard.outcomes).toEqual(["failed: the board does not answer"]);
  expect(heard.states).toEqual(["up", "down: the board does not answer"]);
  hid.isMute = false;
  await world.clock.advance(10_000);
  expect(heard.states.at(-1)).toBe("up");
  expect(board.state).toBe(0);
});

it("survives 10,000 re-plugs in mid-pulse, and keeps no handle", async () => {
  const board = plug(first, "AAAAA");
  const { relay, heard } = await start({ channel: 1 });
  // A backoff is seconds long: looked at every 10 ms, these would be three million looks.
  const patience = { pass: () => world.clock.advance(500) };
  for (let cycle = 0; cycle < 10_000; cycle += 1) {
    await until(patience, () => heard.states.at(-1) === "up");
    relay.pulse(100);
    await until(world, () => board.isOn(1));
    hid.pull(first);
    await until(world, () => heard.states.at(-1) !== "up");
    hid.plug(first, { ...BOARD_IDS, serial: "", product: "USBRelay2" }, board);
    // The pulse before tries its release on for half a second; only then may another begin.
    await until(patience, () => heard.outcomes.length === 2 && !board.isOn(1));
    await world.clock.advance(500);
    heard.outcomes.length = 0;
    heard.states.splice(0, heard.states.length - 1);
    world.logged.length = 0;
  }
  expect(heard.faults).toEqual([]);
  await until(world, () => heard.states.at(-1) === "up");
  expect(hid.openHandles).toBe(1);
});
