import { expect } from "vitest";
import { HidBoards } from "../../drivers/hid-boards.ts";
import { hidRelay } from "../../drivers/relay-hid.ts";
import { serialRelay } from "../../drivers/relay-serial.ts";
import { VirtualRelay } from "../../drivers/virtual.ts";
import { Pty } from "../peers/pty.ts";
import { RelayBoard } from "../peers/relay-board.ts";
import { SimHid } from "../sim/hid.ts";
import { BOARD_IDS, SimHidBoard } from "../sim/hid-board.ts";
import { relayConformance } from "./relay.ts";
import { hurriedWorld, simulatedWorld } from "./world.ts";

relayConformance("virtual", false, async () => {
  const world = simulatedWorld();
  let relay: VirtualRelay | null = null;
  return {
    world,
    create: (events) => {
      relay = new VirtualRelay({ id: "virtual" }, world, events);
      return relay;
    },
    energised: () => relay?.energised ?? false,
    releases: () => relay?.releases ?? 0,
    dispose: async () => {},
  };
});

relayConformance("serial (pseudo-terminal)", true, async () => {
  // Little, so that a long pulse is longer than a busy machine takes to pull the plug.
  const world = hurriedWorld(2);
  const pty = await Pty.make();
  const board = new RelayBoard();
  const channel = 2;
  await pty.plug();
  return {
    world,
    create: (events) =>
      serialRelay.create({ id: "north-in", port: pty.path, baudRate: 9_600, channel }, world, events),
    energised: () => {
      board.take(pty.received);
      return board.states.get(channel) ?? false;
    },
    releases: () => {
      board.take(pty.received);
      return board.releases;
    },
    cable: {
      vanish: async () => {
        board.take(pty.received);
        await pty.unplug();
        board.unplugged();
      },
      comeBack: () => pty.plug(),
    },
    dispose: async () => {
      await pty.remove();
      expect(board.faults).toEqual([]);
    },
  };
});

relayConformance("hid (simulated)", true, async () => {
  const simulated = simulatedWorld();
  const world = { ...simulated, pass: () => simulated.clock.advance(50) };
  const hid = new SimHid();
  const boards = new HidBoards(hid, world.clock);
  const board = new SimHidBoard("BITFT");
  const port = "1-1.2:1.0";
  const channel = 2;
  const plug = async () => hid.plug(port, { ...BOARD_IDS, serial: "", product: "USBRelay2" }, board);
  await plug();
  return {
    world,
    create: (events) => hidRelay.create({ id: "north-in", channel, boards }, world, events),
    energised: () => board.isOn(channel),
    releases: () => board.releases.get(channel) ?? 0,
    cable: { vanish: async () => hid.pull(port), comeBack: plug },
    dispose: async () => {
      expect(board.faults).toEqual([]);
      expect(hid.openHandles).toBe(0);
    },
  };
});
