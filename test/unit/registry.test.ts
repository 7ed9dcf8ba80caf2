import { expect, it } from "vitest";
import { createReader, createRelay, READER_TYPES, RELAY_TYPES } from "../../drivers/registry.ts";
import { VirtualReader, VirtualRelay } from "../../drivers/virtual.ts";
import { ReaderListener } from "../conformance/reader.ts";
import { RelayListener } from "../conformance/relay.ts";
import { simulatedWorld } from "../conformance/world.ts";

it("lists what there is, and creates each by its type", async () => {
  const world = simulatedWorld();
  expect(READER_TYPES).toEqual(["hid", "osdp", "pcsc", "serial", "virtual"]);
  expect(RELAY_TYPES).toEqual(["gpio", "hid-relay", "osdp-output", "serial-relay", "virtual"]);
  const heard = new ReaderListener();
  const reader = await createReader({ driver: "virtual", id: "v", issuers: ["BB"] }, world, heard);
  expect(reader).toBeInstanceOf(VirtualReader);
  await createReader(
    { driver: "serial", id: "s", port: "/dev/null", baudRate: 9_600, reads: "uid", issuers: [] },
    world,
    heard,
  );
  expect(await createRelay({ driver: "virtual", id: "v" }, world, new RelayListener())).toBeInstanceOf(
    VirtualRelay,
  );
  await createRelay(
    { driver: "serial-relay", id: "s", port: "/dev/null", baudRate: 9_600, channel: 1 },
    world,
    new RelayListener(),
  );
  expect(heard.states).toEqual([]);
});

it("a virtual reader takes numbers and tokens while it is up, and only then", async () => {
  const world = simulatedWorld();
  const heard = new ReaderListener();
  const reader = new VirtualReader({ id: "v", issuers: ["BB"] }, world, heard);
  expect(reader.present("BB-1234-567890")).toBe(false);
  await reader.start();
  heard.speaking = true;
  expect(reader.present(" bb1234567890 ")).toBe(true);
  expect(reader.present("uid:04a1b2c3d4e5f6")).toBe(true);
  expect(reader.present("UID: 08A1B2C3")).toBe(true);
  expect(reader.present("nonsense")).toBe(true);
  heard.speaking = false;
  await reader.stop();
  expect(reader.present("BB-1234-567890")).toBe(false);
  expect(heard.told.map(({ reading }) => reading)).toEqual([
    { kind: "credential", credential: { kind: "number", number: "BB-1234-567890" }, assurance: "number" },
    {
      kind: "credential",
      credential: { kind: "token", uid: "04A1B2C3D4E5F6", part: "whole" },
      assurance: "uid",
    },
    { kind: "misread", reason: "malformed", step: "a random UID, which is another at every reading" },
    { kind: "misread", reason: "malformed", step: expect.stringMatching(/2 letters and 10 digits/) },
  ]);
  expect(heard.faults).toEqual([]);
});
