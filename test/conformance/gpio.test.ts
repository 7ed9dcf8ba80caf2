/** Relays and contacts on GPIO lines: over tools of both versions, simulated; and what the real ones say without a chip. */
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { gpioVersion } from "../../drivers/gpio.ts";
import { gpioInputBy } from "../../drivers/input-gpio.ts";
import type { Clock } from "../../drivers/ports.ts";
import { type RunProgram, runProgram } from "../../drivers/program.ts";
import { gpioRelay, gpioRelayBy } from "../../drivers/relay-gpio.ts";
import { GpioTools } from "../peers/gpio-tools.ts";
import { InputListener, inputConformance } from "./input.ts";
import { RelayListener, relayConformance } from "./relay.ts";
import { hurriedWorld, until } from "./world.ts";

const LINE = { id: "north-in", chip: "gpiochip0", line: 17, activeLow: false };
const VERSIONS = ["1.6.3", "2.2.1"] as const;

for (const version of VERSIONS) {
  for (const activeLow of [false, true]) {
    const what = `gpio (tools ${version}, simulated${activeLow ? ", active low" : ""})`;
    const active = activeLow ? 0 : 1;

    relayConformance(what, false, async () => {
      const world = hurriedWorld();
      const tools = new GpioTools(world.clock, version);
      tools.drive(LINE.line, activeLow ? 1 : 0);
      return {
        world,
        create: (events) => gpioRelayBy(tools.run).create({ ...LINE, activeLow }, world, events),
        energised: () => tools.level(LINE.line) === active,
        releases: () => tools.releases,
        dispose: async () => {
          await until(world, () => tools.running === 0);
        },
      };
    });

    inputConformance(what, true, async () => {
      const world = hurriedWorld();
      const tools = new GpioTools(world.clock, version);
      const drive = (closed: boolean) => tools.drive(LINE.line, closed ? active : activeLow ? 1 : 0);
      drive(false);
      return {
        world,
        create: (events) =>
          gpioInputBy(tools.run).create(
            { ...LINE, activeLow, bias: activeLow ? "pull-up" : "as-is" },
            world,
            events,
          ),
        set: async (closed) => drive(closed),
        bounce: async (levels) => {
          for (const closed of levels) drive(closed);
        },
        cable: { vanish: async () => tools.vanish(), comeBack: async () => tools.comeBack() },
        dispose: async () => {
          await until(world, () => tools.running === 0);
        },
      };
    });
  }
}

describe.each(VERSIONS)("a line, with tools %s", (version) => {
  function stage() {
    const world = hurriedWorld();
    const tools = new GpioTools(world.clock, version);
    const heard = new RelayListener();
    heard.started = true;
    return { world, tools, heard, relay: gpioRelayBy(tools.run).create(LINE, world, heard) };
  }

  it("that another program has is down in words, and taken when it is free", async () => {
    const { world, tools, heard, relay } = stage();
    tools.occupy(LINE.line, "lcd");
    await relay.start();
    await until(world, () => heard.states.length > 0);
    expect(heard.states).toEqual([
      "down: it opened, but did not take the release: line 17 of gpiochip0 is in use by another program: gpioinfo says by which",
    ]);
    tools.occupy(LINE.line, null);
    await until(world, () => heard.states.at(-1) === "up");
    await relay.stop();
  });

  it("that is taken away between two pulses fails the next one, and comes back", async () => {
    const { world, tools, heard, relay } = stage();
    await relay.start();
    await until(world, () => heard.states.at(-1) === "up");
    tools.occupy(LINE.line, "lcd");
    relay.pulse(400);
    await until(world, () => heard.states.at(-1)?.startsWith("down") ?? false);
    expect(heard.outcomes).toEqual([expect.stringMatching(/^failed: line 17 of gpiochip0 is in use/)]);
    tools.occupy(LINE.line, null);
    await until(world, () => heard.states.at(-1) === "up");
    await relay.stop();
  });

  it("is released by a stop that comes while the tool is still taking it", async () => {
    const { world, tools, heard, relay } = stage();
    await relay.start();
    await until(world, () => heard.states.at(-1) === "up");
    relay.pulse(10_000);
    while (tools.level(LINE.line) === 0) await turn();
    await relay.stop();
    expect(heard.outcomes).toEqual(["energised", "released"]);
    expect(tools.level(LINE.line)).toBe(0);
    expect(tools.running).toBe(0);
  });

  it("is let go by the tool's own timer where we are no more; what it does then is the chip's affair in version 1", async () => {
    const { world, tools } = stage();
    // The timers of a process that is gone do not fire.
    const life = { isOver: false };
    const after: Clock["after"] = (delayMs, fire) => world.clock.after(delayMs, () => life.isOver || fire());
    const heard = new RelayListener();
    heard.started = true;
    const ours = { ...world, clock: { ...world.clock, after } };
    const relay = gpioRelayBy(tools.run).create(LINE, ours, heard);
    await relay.start();
    await until(world, () => heard.states.at(-1) === "up");
    relay.pulse(400);
    await until(world, () => heard.outcomes.length > 0);
    life.isOver = true;
    await until(world, () => tools.running === 0);
    expect(heard.outcomes).toEqual(["energised"]);
    expect(tools.level(LINE.line)).toBe(version === "2.2.1" ? 0 : 1);
  });

  it("without the tools says what to install", async () => {
    const { world, tools, heard, relay } = stage();
    tools.installed = false;
    await relay.start();
    await until(world, () => heard.states.length > 0);
    expect(heard.states).toEqual(["down: gpioset is not installed: sudo apt-get install gpiod"]);
    await relay.stop();
  });
});

describe.each([
  ["gpioget", "it is 1, I think", "gpioget gives no level: it is 1, I think"],
  ["gpiomon", "\u0000ÿ1", "gpiomon tells of no edge: \u0000ÿ1"],
])("a contact of which %s talks nonsense", (program, nonsense, why) => {
  it("is down in words, not open", async () => {
    const world = hurriedWorld();
    const tools = new GpioTools(world.clock, "1.6.3");
    const run: RunProgram = (name, args, events) => {
      const heard = name === program && args[0] !== "--version";
      if (heard && name === "gpiomon") world.clock.after(200, () => events.line(nonsense));
      return tools.run(name, args, heard ? { ...events, line: () => events.line(nonsense) } : events);
    };
    const contact = new InputListener();
    const input = gpioInputBy(run).create({ ...LINE, bias: "pull-up" }, world, contact);
    await input.start();
    contact.speaking = true;
    await until(world, () => contact.states.some((state) => state.startsWith("down")));
    contact.speaking = false;
    await input.stop();
    expect(contact.states.find((state) => state.startsWith("down"))).toBe(`down: ${why}`);
    expect(tools.running).toBe(0);
  });
});

describe("the real tools", () => {
  it("are of a version that is known, and take every option that they are given", async () => {
    const world = hurriedWorld(1);
    expect([1, 2]).toContain(await gpioVersion({ clock: world.clock, run: runProgram }));
    const heard = new RelayListener();
    const relay = gpioRelay.create({ ...LINE, chip: "gpiochip99" }, world, heard);
    await relay.start();
    heard.started = true;
    await until(world, () => heard.states.length > 0);
    await relay.stop();
    expect(heard.states[0]).toMatch(/there is no gpiochip99: gpiodetect says which there are/);
    const contact = new InputListener();
    const input = gpioInputBy(runProgram).create(
      { ...LINE, chip: "gpiochip99", bias: "pull-up" },
      world,
      contact,
    );
    await input.start();
    contact.speaking = true;
    await until(world, () => contact.states.length > 0);
    contact.speaking = false;
    await input.stop();
    expect(contact.states[0]).toMatch(/there is no gpiochip99/);
  });
});
