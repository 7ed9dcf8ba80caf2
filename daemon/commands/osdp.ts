/** `grindvakt osdp`: what a technician does once with an OSDP reader, through the running gateway. */
import { Command, InvalidArgumentError } from "commander";
import type { Configuration } from "../../config/schema.ts";
import { COMMISSION_MS_MAX } from "../../drivers/bus-osdp-reader.ts";
import { ADDRESS_MAX } from "../../drivers/codec/osdp.ts";
import { askControl } from "../control.ts";
import { pathsOf } from "../data-paths.ts";
import type { Status } from "../report/status.ts";
import { Exit } from "./exit.ts";
import { CONFIGURATION_OPTION, paint, print, printJson, withSite } from "./terms.ts";
import { whoAsks } from "./who.ts";

const MINUTES_MAX = COMMISSION_MS_MAX / 60_000;
/** Those of the standard (SIA OSDP 2.2, 5.1). */
const BAUD_RATES = [9_600, 19_200, 38_400, 57_600, 115_200, 230_400];
const LOOK_MS = 500;

type OsdpReader = Extract<Configuration["readers"][number], { driver: "osdp" }>;

interface Options {
  config: string;
  reader: string;
  json?: true;
}

export function osdpCommand(): Command {
  const osdp = new Command("osdp").description("give an OSDP reader its key, or another place on its line");
  osdp
    .command("commission")
    .description("let a reader in install mode be given its scbk, and wait until it has it")
    .requiredOption(...CONFIGURATION_OPTION)
    .requiredOption("--reader <id>", "which reader")
    .option("--minutes <n>", `how long it may be given, up to ${MINUTES_MAX}`, minutesOf, 5)
    .option("--json", "facts for a program")
    .action(commission);
  osdp
    .command("comset")
    .description("give a reader another address or speed; its configuration has to be changed after it")
    .requiredOption(...CONFIGURATION_OPTION)
    .requiredOption("--reader <id>", "which reader")
    .requiredOption("--address <n>", `its new address, 0 to ${ADDRESS_MAX}`, addressOf)
    .requiredOption("--baud <n>", `its new speed: ${BAUD_RATES.join(", ")}`, baudRateOf)
    .option("--json", "facts for a program")
    .action(comset);
  return osdp;
}

// ---------------------------------------------------------------- commission

function commission({ config, reader, minutes, json }: Options & { minutes: number }): Promise<void> {
  return withSite(config, async (configuration, { clock }) => {
    const { scbk } = readerOf(configuration, reader);
    if (scbk === undefined) throw new Exit(2, `${reader} has no scbk in ${config} that it could be given`);
    await ask(configuration, "osdp-commission", { reader, minutes, name: whoAsks() });
    if (json !== true) print(`${reader} may be given its key for ${minutes} min; put it into install mode`);
    const untilMs = clock.monotonicMs() + minutes * 60_000;
    for (;;) {
      const { readers } = (await ask(configuration, "status", {})) as Status;
      const { state, why } = readers[reader] ?? { state: "down", why: "it is gone" };
      if (state === "up") break;
      if (clock.monotonicMs() >= untilMs) throw new Exit(1, `${reader} has not been given its key: ${why}`);
      await new Promise<void>((done) => clock.after(LOOK_MS, done));
    }
    if (json === true) printJson({ reader, commissioned: true });
    else print(paint(`${reader} has its key and is up; take it out of install mode`, "green"));
  });
}

// ---------------------------------------------------------------- comset

function comset(options: Options & { address: number; baud: number }): Promise<void> {
  const { config, reader, address, baud, json } = options;
  return withSite(config, async (configuration) => {
    const { port } = readerOf(configuration, reader);
    const neighbours = configuration.readers.filter(
      (other): other is OsdpReader => other.driver === "osdp" && other.port === port && other.id !== reader,
    );
    const taken = neighbours.find((other) => other.address === address);
    if (taken !== undefined) throw new Exit(2, `${taken.id} has address ${address} of that line already`);
    const params = { reader, address, baudRate: baud, name: whoAsks() };
    const set = (await ask(configuration, "osdp-comset", params)) as { address: number; baudRate: number };
    if (json === true) return printJson({ reader, ...set });
    print(`${reader} says it is at address ${set.address} with ${set.baudRate} baud from now on`);
    print(`write address: ${set.address}, baudRate: ${set.baudRate} into ${config} and restart the gateway`);
    const slower = neighbours.filter((other) => other.baudRate !== set.baudRate).map(({ id }) => id);
    if (slower.length > 0)
      process.stderr.write(`warning: all on a line have one speed: ${slower.join(", ")} need the same\n`);
  });
}

// ---------------------------------------------------------------- shared

function readerOf({ readers }: Configuration, id: string): OsdpReader {
  const known = readers.filter((reader): reader is OsdpReader => reader.driver === "osdp");
  const found = known.find((reader) => reader.id === id);
  if (found !== undefined) return found;
  const allowed = known.length === 0 ? "there is none" : `allowed: ${known.map((one) => one.id).join(", ")}`;
  throw new Exit(2, `${id} is no OSDP reader of this configuration, ${allowed}`);
}

async function ask({ dataDir }: Configuration, method: string, params: object): Promise<unknown> {
  const answer = await askControl(pathsOf(dataDir).control, method, params);
  if (answer.kind === "result") return answer.result;
  if (answer.kind === "error") throw new Exit(1, answer.why);
  throw new Exit(1, "no gateway runs on this dataDir: start it, as it holds the line to the reader");
}

function wholeNumber(text: string, allowed: string, isAllowed: (value: number) => boolean): number {
  const value = /^[0-9]{1,7}$/.test(text) ? Number(text) : Number.NaN;
  if (!isAllowed(value)) throw new InvalidArgumentError(`Allowed: ${allowed}.`);
  return value;
}

function minutesOf(text: string): number {
  return wholeNumber(text, `1 to ${MINUTES_MAX}`, (value) => value >= 1 && value <= MINUTES_MAX);
}

function addressOf(text: string): number {
  return wholeNumber(text, `0 to ${ADDRESS_MAX}`, (value) => value <= ADDRESS_MAX);
}

function baudRateOf(text: string): number {
  return wholeNumber(text, BAUD_RATES.join(", "), (value) => BAUD_RATES.includes(value));
}
