/** A contact on a line of a GPIO chip. */
import { Debounce } from "./debounce.ts";
import type { DriverWorld, Input, InputEvents, InputModule } from "./driver.ts";
import {
  type Bias,
  edgesArgs,
  finished,
  type GpioLine,
  type GpioWorld,
  gpioVersion,
  holding,
  levelArgs,
  lineWords,
} from "./gpio.ts";
import { type RunProgram, runProgram } from "./program.ts";
import { stampOf } from "./stamp.ts";
import { type Device, Supervisor } from "./supervise.ts";

/** `bias`: the chip's own resistor. */
export interface GpioInputOptions extends GpioLine {
  id: string;
  bias: Bias;
}

export function gpioInputBy(run: RunProgram): InputModule<GpioInputOptions> {
  return {
    type: "gpio",
    kind: "input",
    create: (options, world, events) => new GpioInput(options, { ...world, run }, events),
  };
}

export const gpioInput = gpioInputBy(runProgram);

/** `active`: how the line stands now. `isUp`: somebody wants to know. */
interface Watch extends Device {
  active: boolean;
  isUp: boolean;
}

class GpioInput implements Input {
  readonly #options: GpioInputOptions;
  readonly #world: DriverWorld & GpioWorld;
  readonly #supervisor: Supervisor<Watch>;
  readonly #debounce: Debounce;
  #stopping = false;

  constructor(options: GpioInputOptions, world: DriverWorld & GpioWorld, events: InputEvents) {
    this.#options = options;
    this.#world = world;
    this.#debounce = new Debounce(world.clock, (active, stamp) => events.changed(active, stamp));
    this.#supervisor = new Supervisor(
      {
        name: `input at line ${options.line} of ${options.id}`,
        open: (lost) => this.#open(lost),
        up: (watch) => {
          events.up({});
          watch.isUp = true;
          // As it stood when it was opened, or has moved to since.
          this.#take(watch.active);
        },
        down: (why) => {
          this.#debounce.stop();
          events.down(why);
        },
      },
      world,
    );
  }

  start(): Promise<void> {
    return this.#supervisor.start();
  }

  stop(): Promise<void> {
    this.#stopping = true;
    this.#debounce.stop();
    return this.#supervisor.stop();
  }

  /** Asked for its level first: while the tool watches a line, nobody else can. */
  async #open(lost: (why: string) => void): Promise<Watch> {
    const { bias, ...line } = this.#options;
    const watch: Watch = { active: false, isUp: false, close: async () => {} };
    try {
      const version = await gpioVersion(this.#world);
      const [level] = await finished(this.#world, "gpioget", levelArgs(version, line, bias));
      if (level !== "0" && level !== "1")
        throw new Error(`gpioget gives no level: ${level ?? "it says nothing"}`);
      watch.active = level === "1";
      const { child, ended } = await holding(
        this.#world,
        version,
        "gpiomon",
        edgesArgs(version, line, bias),
        (edge) => {
          // Inactive is 0 in version 1 and 2 in version 2; whatever else is said is not of a contact.
          if (!/^[012]$/.test(edge)) return lost(`gpiomon tells of no edge: ${edge}`);
          watch.active = edge === "1";
          if (watch.isUp) this.#take(watch.active);
        },
      );
      ended.then((why) => lost(why === null ? "gpiomon has ended" : lineWords(line, why).message));
      watch.close = async () => {
        watch.isUp = false;
        child.end();
        await ended;
      };
      return watch;
    } catch (error) {
      throw lineWords(line, error);
    }
  }

  #take(active: boolean): void {
    if (!this.#stopping) this.#debounce.take(active, stampOf(this.#world.clock));
  }
}
