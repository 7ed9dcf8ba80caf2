/**
 * A relay on a line of a GPIO chip. The tool that energises it times the pulse itself: it lets go though we crash. What a line
 * does that nobody holds is the chip's affair, so a release is a command of its own all the same.
 */
import type { RelayModule } from "./driver.ts";
import {
  finished,
  type GpioLine,
  type GpioVersion,
  type GpioWorld,
  gpioVersion,
  type Holding,
  holding,
  lineWords,
  pulseArgs,
  releaseArgs,
} from "./gpio.ts";
import { type RunProgram, runProgram } from "./program.ts";
import { type Contact, PulseRelay } from "./pulse.ts";

export interface GpioRelayOptions extends GpioLine {
  id: string;
}

export function gpioRelayBy(run: RunProgram): RelayModule<GpioRelayOptions> {
  return {
    type: "gpio",
    kind: "relay",
    create: (options, world, events) => {
      const tools = { clock: world.clock, run };
      const open = async (lost: (why: string) => void): Promise<Contact> =>
        new GpioContact(options, tools, await gpioVersion(tools), lost);
      return new PulseRelay({ name: `relay of ${options.id}`, open }, world, events);
    },
  };
}

export const gpioRelay = gpioRelayBy(runProgram);

class GpioContact implements Contact {
  readonly #line: GpioLine;
  readonly #world: GpioWorld;
  readonly #version: GpioVersion;
  readonly #lost: (why: string) => void;
  /** The tool that has the line or is taking it; null where it could not. */
  #pulse: Promise<Holding | null> = Promise.resolve(null);

  constructor(line: GpioLine, world: GpioWorld, version: GpioVersion, lost: (why: string) => void) {
    this.#line = line;
    this.#world = world;
    this.#version = version;
    this.#lost = lost;
  }

  async energise(durationMs: number): Promise<void> {
    await this.#command(async () => {
      const args = pulseArgs(this.#version, this.#line, durationMs);
      const pulse = holding(this.#world, this.#version, "gpioset", args, () => {});
      this.#pulse = pulse.catch(() => null);
      await pulse;
    });
  }

  async release(): Promise<void> {
    await this.#letGo();
    await this.#command(() => finished(this.#world, "gpioset", releaseArgs(this.#version, this.#line)));
  }

  close(): Promise<void> {
    return this.#letGo();
  }

  /** Only one process has a line at a time: one that is still taking it is waited for. */
  async #letGo(): Promise<void> {
    const pulse = await this.#pulse;
    this.#pulse = Promise.resolve(null);
    pulse?.child.end();
    await pulse?.ended;
  }

  /** A line that takes no command is lost: it is opened again, and released first. */
  async #command(act: () => Promise<unknown>): Promise<void> {
    try {
      await act();
    } catch (error) {
      const words = lineWords(this.#line, error);
      this.#lost(words.message);
      throw words;
    }
  }
}
