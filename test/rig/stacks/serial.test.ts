/** A reader and a relay board on a USB serial adapter, QEMU's FTDI. */
import { expect } from "vitest";
import { serialReader } from "../../../drivers/reader-serial.ts";
import { serialRelay } from "../../../drivers/relay-serial.ts";
import { readerConformance } from "../../conformance/reader.ts";
import { relayConformance } from "../../conformance/relay.ts";
import { hurriedWorld } from "../../conformance/world.ts";
import { RelayBoard } from "../../peers/relay-board.ts";
import { makeAdapter } from "./adapter.ts";

const baudRate = 9_600;

readerConformance("serial (USB adapter)", true, async () => {
  const world = hurriedWorld(1);
  const { adapter, plug, pull } = await makeAdapter(world);
  const options = { id: "usb", port: adapter.byId, baudRate, reads: "card-number" as const, issuers: ["BB"] };
  return {
    world,
    create: (events) => serialReader.create(options, world, events),
    present: async (text) => adapter.send(`${text}\r\n`),
    cable: { vanish: pull, comeBack: plug },
    dispose: () => adapter.remove(),
  };
});

relayConformance("serial (USB adapter)", true, async () => {
  const world = hurriedWorld(1);
  const { adapter, plug, pull } = await makeAdapter(world);
  const board = new RelayBoard();
  const channel = 2;
  const look = () => board.take(adapter.received);
  return {
    world,
    create: (events) =>
      serialRelay.create({ id: "north-in", port: adapter.byId, baudRate, channel }, world, events),
    pulseMs: 2_000,
    energised: () => {
      look();
      return board.states.get(channel) ?? false;
    },
    releases: () => {
      look();
      return board.releases;
    },
    cable: {
      vanish: async () => {
        look();
        await pull();
        board.unplugged();
      },
      comeBack: plug,
    },
    dispose: async () => {
      await adapter.remove();
      expect(board.faults).toEqual([]);
    },
  };
});
