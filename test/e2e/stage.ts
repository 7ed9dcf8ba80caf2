/** A gate with everything real around it: broker, reader's line, relay board and a centre that listens; gone after the test. */
import type { IClientOptions } from "mqtt";
import { onTestFinished } from "vitest";
import { type Mosquitto, type MosquittoOptions, startMosquitto } from "../peers/mosquitto.ts";
import { Pty } from "../peers/pty.ts";
import { type Ear, listen } from "./ear.ts";
import { type Configuration, makeSite, type Site } from "./site.ts";

export interface Stage {
  broker: Mosquitto;
  /** The cable of reader `north-in-1`. */
  line: Pty;
  /** The relay board that opens `north-in`, on channel 1. */
  board: Pty;
  ear: Ear;
  site: Site;
}

/** `feedDir`: from `makeFeedDir`. `configure` has the last word on the configuration. */
export async function setStage(
  feedDir: string,
  configure: (configuration: Configuration) => Promise<void> | void = () => undefined,
  options: MosquittoOptions & { centre?: IClientOptions } = {},
): Promise<Stage> {
  const broker = await startMosquitto(options);
  onTestFinished(() => broker.dispose());
  const [line, board] = [await pluggedPty(), await pluggedPty()];
  const ear = await listen(broker, options.centre);
  onTestFinished(() => ear.stop());
  const site = await makeSite(feedDir, line.path, async (configuration) => {
    configuration.mqtt = { urls: [broker.url] };
    configuration.accessPoints[0].relay = {
      driver: "serial-relay",
      port: board.path,
      channel: 1,
      pulseMs: 50,
    };
    await configure(configuration);
  });
  onTestFinished(() => site.dispose());
  return { broker, line, board, ear, site };
}

export async function pluggedPty(): Promise<Pty> {
  const pty = await Pty.make();
  onTestFinished(() => pty.remove());
  await pty.plug();
  return pty;
}
