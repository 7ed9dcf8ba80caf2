/** The devices of a gate together: what stops whom, and who waits for nobody. */
import { expect, it } from "vitest";
import { Devices } from "../../daemon/gate/devices.ts";
import type { Gateway } from "../../daemon/gate/gateway.ts";
import type { Reader } from "../../drivers/driver.ts";
import { createRelay } from "../../drivers/registry.ts";
import { RelayListener } from "../conformance/relay.ts";
import { simulatedWorld, until } from "../conformance/world.ts";

const POINT = {
  id: "north-in",
  direction: "entry",
  readers: ["north-in-1"],
  pulseMs: 10_000,
  repeatSeconds: 0,
  whenJournalFails: "deny",
  inputs: {},
  passback: { mode: "off", resetMinutes: 720 },
  hours: [],
} as const;

const NOBODY = { reading: () => {}, up: () => {}, down: () => {} };

it("that stop release a relay in mid-pulse, though a reader takes its time to go", async () => {
  const world = simulatedWorld();
  const relays = new RelayListener();
  let go: () => void = () => {};
  const gone = new Promise<void>((resolve) => {
    go = resolve;
  });
  const gateway: Pick<Gateway, "readerEvents" | "relayEvents" | "inputEvents" | "attach"> = {
    readerEvents: () => NOBODY,
    relayEvents: () => relays,
    inputEvents: () => ({ changed: () => {}, up: () => {}, down: () => {} }),
    attach: () => {},
  };
  const devices = new Devices();
  const ports = {
    createReader: async (): Promise<Reader> => ({ start: async () => {}, stop: () => gone }),
    createRelay: (id: string) => createRelay({ driver: "virtual", id }, world, relays),
    createInput: () => Promise.reject(new Error("there is none")),
  };
  await devices.create([POINT], ports, gateway as Gateway);
  await devices.startRelays();
  relays.started = true;
  await devices.startReaders();
  await until(world, () => relays.states.includes("up"));
  devices.relays.get(POINT.id)?.pulse(POINT.pulseMs);
  await until(world, () => relays.outcomes.includes("energised"));
  const toldMs = world.clock.monotonicMs();
  const stopped = devices.stop();
  await until(world, () => relays.outcomes.includes("released"));
  expect(world.clock.monotonicMs() - toldMs).toBeLessThan(POINT.pulseMs / 10);
  go();
  await stopped;
});
