/** Relays and contacts on lines of the kernel's simulated chip, over whichever of libgpiod's tools come first in PATH. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect } from "vitest";
import { gpioVersion } from "../../../drivers/gpio.ts";
import { gpioInput } from "../../../drivers/input-gpio.ts";
import { type RunProgram, runProgram } from "../../../drivers/program.ts";
import { gpioRelayBy } from "../../../drivers/relay-gpio.ts";
import { inputConformance } from "../../conformance/input.ts";
import { relayConformance } from "../../conformance/relay.ts";
import { hurriedWorld } from "../../conformance/world.ts";

const { RIG_CHIP = "", RIG_CHIP_LINES = "", RIG_GPIO_VERSION = "1" } = process.env;
const RELAY = 4;
const CONTACT = 17;
/**
 * A program takes a tenth of a second to start in a translated guest, and more beside other work: the drivers wait for it four
 * times as long as they do elsewhere. The tool that times a pulse has then ended it before the driver's release comes.
 */
const hurry = 0.25;
const pullOf = (line: number) => join(RIG_CHIP_LINES, `sim_gpio${line}/pull`);

beforeAll(async () => {
  expect(await gpioVersion({ clock: hurriedWorld(hurry).clock, run: runProgram })).toBe(
    Number(RIG_GPIO_VERSION),
  );
});
afterAll(() => {
  for (const line of [RELAY, CONTACT]) writeFileSync(pullOf(line), "pull-down");
});

for (const activeLow of [false, true]) {
  const what = `gpio (tools of version ${RIG_GPIO_VERSION}${activeLow ? ", active low" : ""})`;
  const wayOf = (active: boolean) => (active === activeLow ? "pull-down" : "pull-up");

  relayConformance(what, false, async () => {
    const world = hurriedWorld(hurry);
    // What nobody holds is inactive.
    writeFileSync(pullOf(RELAY), wayOf(false));
    let releases = 0;
    const run: RunProgram = (program, args, events) =>
      runProgram(program, args, {
        ...events,
        ended: (code, why) => {
          if (args.includes(`${RELAY}=0`) && code === 0) releases += 1;
          events.ended(code, why);
        },
      });
    return {
      world,
      pulseMs: 1_000,
      create: (events) =>
        gpioRelayBy(run).create({ id: "north-in", chip: RIG_CHIP, line: RELAY, activeLow }, world, events),
      energised: () =>
        (readFileSync(join(RIG_CHIP_LINES, `sim_gpio${RELAY}/value`), "utf8").trim() === "1") !== activeLow,
      releases: () => releases,
      dispose: async () => {},
    };
  });

  inputConformance(what, false, async () => {
    const world = hurriedWorld(hurry);
    const set = (active: boolean) => writeFileSync(pullOf(CONTACT), wayOf(active));
    set(false);
    return {
      world,
      // A chip's own resistor is what closes this contact: there is none to ask for.
      create: (events) =>
        gpioInput.create(
          { id: "north-in", chip: RIG_CHIP, line: CONTACT, activeLow, bias: "as-is" },
          world,
          events,
        ),
      set: async (active) => set(active),
      bounce: async (levels) => {
        for (const active of levels) set(active);
      },
      dispose: async () => {},
    };
  });
}
