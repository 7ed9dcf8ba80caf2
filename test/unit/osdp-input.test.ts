/** An input of an OSDP reader as a contact. */
import { describe, expect, it, onTestFinished } from "vitest";
import { osdpInput } from "../../drivers/bus-osdp-input.ts";
import { KEY, stage } from "./osdp-stage.ts";

async function inputStage(input: number, before: (stage: ReturnType<typeof makeStage>) => void = () => {}) {
  const made = makeStage();
  before(made);
  const { world, bus, reader, begin } = made;
  const told: string[] = [];
  const device = osdpInput.create({ id: "north-in", address: 1, scbk: KEY, input, bus }, world, {
    changed: (active) => told.push(active ? "closed" : "open"),
    up: () => told.push("up"),
    down: (why) => told.push(`down ${why}`),
  });
  onTestFinished(() => device.stop());
  // As a gate starts: inputs before readers.
  await begin(device, 2_000);
  await begin(reader, 500);
  return { ...made, told, device };
}

const makeStage = () => stage([{ address: 1, key: KEY }]);

describe("an input of a reader", () => {
  it("is up, tells each change once, and nothing of the other input", async () => {
    const { world, told, pd } = await inputStage(1);
    expect(told).toEqual(["up"]);
    for (const active of [true, true, false]) {
      pd?.setInput(1, active);
      pd?.setInput(0, active);
      await world.clock.advance(200);
    }
    expect(told).toEqual(["up", "closed", "open"]);
  });

  it("tells that its contact is closed when it starts, and what changed while the reader was away", async () => {
    const { world, told, pd } = await inputStage(0, (made) => made.pd?.setInput(0, true));
    expect(told.splice(0)).toEqual(["up", "closed"]);
    if (pd) pd.faults.silent = true;
    await world.clock.advance(2_000);
    expect(told.splice(0)).toEqual([expect.stringMatching(/^down it does not answer/)]);
    pd?.restart();
    pd?.setInput(0, false);
    pd?.restart();
    if (pd) pd.faults.silent = false;
    await world.clock.advance(5_000);
    expect(told).toEqual(["up", "open"]);
  });

  it("that the reader does not have is down, and says how many there are", async () => {
    const { told, device, world, pd } = await inputStage(2);
    expect(told).toEqual(["down the reader has 2 inputs, from 0"]);
    await device.stop();
    pd?.setInput(0, true);
    await world.clock.advance(1_000);
    expect(told).toHaveLength(1);
  });

  it("whose reader tells nothing of inputs is down with its word", async () => {
    const { told } = await inputStage(0, ({ pd }) => {
      if (pd) pd.faults.nak = 3;
    });
    expect(told).toEqual(["down how it stands is not told: it does not know the command"]);
  });

  it("whose reader was busy when it was asked is asked again, and up when it tells", async () => {
    const { told, world, pd } = await inputStage(0, ({ pd }) => {
      if (pd) pd.faults.nak = 3;
    });
    if (pd) pd.faults.nak = null;
    await world.clock.advance(10_000);
    expect(told.slice(1)).toEqual(["up"]);
  });

  it("that is down says what keeps it down now", async () => {
    const { told, world, pd } = await inputStage(0, ({ pd }) => {
      if (pd) pd.faults.nak = 3;
    });
    if (pd) pd.faults.silent = true;
    await world.clock.advance(20_000);
    if (pd) Object.assign(pd.faults, { silent: false, corrupt: true });
    await world.clock.advance(20_000);
    expect(told.slice(1)).toEqual([
      expect.stringMatching(/^down it does not answer/),
      expect.stringMatching(/^down only noise came/),
    ]);
  });
});
