/** `grindvakt osdp-pd`: OSDP readers without the readers, to learn and to try a gateway with. */
import { createInterface } from "node:readline";
import { Command, InvalidArgumentError } from "commander";
import { readSecret } from "../../config/secrets.ts";
import { ADDRESS_MAX } from "../../drivers/codec/osdp.ts";
import { parseKey } from "../../drivers/codec/osdp-secure.ts";
import { readSecretFile } from "../../drivers/secret-file.ts";
import { createSystemClock, systemRandom } from "../../drivers/system.ts";
import { Exit } from "./exit.ts";
import { type DeskOptions, HELP, openDesk } from "./osdp-pd-desk.ts";
import { untilTold } from "./run.ts";
import { print, wholeNumber } from "./terms.ts";

/** What a line can electrically bear without repeaters (TIA-485). */
const PDS_MAX = 32;

interface Options {
  port?: string;
  listen?: number;
  baudRate: number;
  address?: number[];
  scbkFile?: string;
  install?: true;
}

export function osdpPdCommand(): Command {
  return new Command("osdp-pd")
    .description("OSDP readers without the readers: type a card number to present it")
    .option("--port <device>", "the RS-485 line: /dev/ttyUSB0, or tcp://HOST:PORT of a device server")
    .option(
      "--listen <port>",
      "or a port of this machine, which the gateway names as tcp://127.0.0.1:PORT",
      tcpPort,
    )
    .option("--baud-rate <number>", "speed of the line", wholeNumber, 9_600)
    .option("--address <number>", "of a reader; again for each further one (default: 1)", oneMore)
    .option("--scbk-file <file>", "its key, 32 hexadecimal digits; without one it speaks in the clear")
    .option("--install", "takes the key that everybody knows, to be given one of its own")
    .addHelpText("after", `\nWhat can be typed:\n${HELP.map((line) => `  ${line}`).join("\n")}`)
    .action(async (options: Options) => {
      const deskOptions = await deskOptionsOf(options);
      const clock = createSystemClock();
      await clock.start();
      const why = await serve(deskOptions, clock);
      clock.stop();
      if (why !== null) throw new Exit(1, why);
      process.exit(0);
    });
}

/** Until it is told to stop, or the line is gone: then why. */
async function serve(
  options: DeskOptions,
  clock: ReturnType<typeof createSystemClock>,
): Promise<string | null> {
  let lose: (why: string) => void = () => {};
  const lost = new Promise<string>((resolve) => {
    lose = resolve;
  });
  const told = untilTold((error) => process.stderr.write(`grindvakt: ${String(error)}\n`));
  const desk = await openDesk(options, { clock, random: systemRandom }, print, lose).catch((error: Error) => {
    throw new Exit(1, error.message);
  });
  print(
    `readers ${options.addresses.join(", ")} at ${desk.port}; help says what can be typed, Ctrl-C ends it`,
  );
  const lines = createInterface({ input: process.stdin });
  lines.on("line", (line) => {
    const answer = desk.type(line);
    if (answer !== "") print(answer);
  });
  const why = await Promise.race([told.then(() => null), lost]);
  lines.close();
  await desk.stop();
  return why;
}

async function deskOptionsOf({ port, listen, ...options }: Options): Promise<DeskOptions> {
  if ((port === undefined) === (listen === undefined)) throw new Exit(2, "say one of --port and --listen");
  return {
    place:
      port === undefined
        ? { kind: "listen", port: listen ?? 0 }
        : { kind: "line", port, baudRate: options.baudRate },
    addresses: options.address ?? [1],
    key: options.scbkFile === undefined ? null : await keyOf(options.scbkFile),
    installMode: options.install ?? false,
  };
}

async function keyOf(file: string): Promise<Uint8Array> {
  const secret = await readSecret({ file }, {}, readSecretFile);
  if (secret.kind === "refused") throw new Exit(2, secret.why);
  const parsed = parseKey(secret.value);
  if (parsed.kind === "refused") throw new Exit(2, `${file}: ${parsed.why}`);
  return parsed.key;
}

// ---------------------------------------------------------------- arguments

function tcpPort(text: string): number {
  const port = wholeNumber(text);
  if (port > 65_535) throw new InvalidArgumentError("A port is at most 65535.");
  return port;
}

function oneMore(text: string, before: number[] = []): number[] {
  const address = wholeNumber(text);
  if (address > ADDRESS_MAX) throw new InvalidArgumentError(`An address is at most ${ADDRESS_MAX}.`);
  if (before.includes(address)) throw new InvalidArgumentError("Each address is named once.");
  if (before.length === PDS_MAX) throw new InvalidArgumentError(`A line bears ${PDS_MAX} readers.`);
  return [...before, address];
}
