/** The desk of `grindvakt osdp-pd`: simulated readers on a line, what a person may do to them, and what they show. */
import { type AddressInfo, createServer, type Socket } from "node:net";
import { openChannel, parseChannelAddress } from "../../drivers/channel.ts";
import { COLOUR } from "../../drivers/codec/osdp-messages.ts";
import { OsdpPd, type PdTold } from "../../drivers/osdp-pd.ts";
import { OsdpPdLine } from "../../drivers/osdp-pd-line.ts";
import type { Clock, Random } from "../../drivers/ports.ts";

/** As quick as a good reader. */
const TURNAROUND_MS = 3;
/** A card number has 14 characters; no reader gives more than this. */
const LINE_CHARACTERS_MAX = 128;

/** `place`: the line they are on, or the port of this machine's loopback at which a gateway finds them. */
export interface DeskOptions {
  place: { kind: "line"; port: string; baudRate: number } | { kind: "listen"; port: number };
  addresses: readonly number[];
  key: Uint8Array | null;
  installMode: boolean;
}

export interface Desk {
  /** For the gateway's configuration. */
  port: string;
  /** Does what was typed. Gives what to answer; empty: nothing. */
  type(line: string): string;
  stop(): Promise<void>;
}

/** Rejects with words why the line cannot be opened. `show`: a line for a person; `lost`: the line is gone. */
export async function openDesk(
  options: DeskOptions,
  world: { clock: Clock; random: Random },
  show: (line: string) => void,
  lost: (why: string) => void,
): Promise<Desk> {
  const { addresses, key, installMode, place } = options;
  const pds = addresses.map(
    (address) =>
      new OsdpPd({ address, key, installMode }, world, (told) => show(`${address}: ${wordsFor(told)}`)),
  );
  let send: (bytes: Uint8Array) => void = () => {};
  const line = new OsdpPdLine(pds, world.clock, {
    turnaroundMs: TURNAROUND_MS,
    write: (bytes) => send(bytes),
  });
  const wire =
    place.kind === "line"
      ? await openWire(place.port, place.baudRate, line, lost)
      : await listenFor(place.port, line);
  send = wire.send;
  return {
    port: wire.port,
    type: (typed) => obey(pds, typed),
    stop: async () => {
      line.stop();
      await wire.close();
    },
  };
}

// ---------------------------------------------------------------- the line

interface Wire {
  port: string;
  send(bytes: Uint8Array): void;
  close(): Promise<void>;
}

async function openWire(
  port: string,
  baudRate: number,
  line: OsdpPdLine,
  lost: (why: string) => void,
): Promise<Wire> {
  const parsed = parseChannelAddress(port, baudRate);
  if (parsed.kind === "refused") throw new Error(parsed.why);
  const channel = await openChannel(parsed.address, { data: (bytes) => line.take(bytes), closed: lost });
  return {
    port,
    // A channel that takes no bytes ends, and its end is told of by itself.
    send: (bytes) => void channel.write(bytes).catch(() => undefined),
    close: () => channel.close(),
  };
}

/** One gateway at a time, as on a cable: a new one takes the place of the one before. */
async function listenFor(port: number, line: OsdpPdLine): Promise<Wire> {
  let gateway: Socket | null = null;
  const server = createServer({ noDelay: true }, (socket) => {
    gateway?.destroy();
    gateway = socket;
    socket.on("data", (bytes) => line.take(bytes));
    socket.on("error", () => socket.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) =>
      reject(new Error(`port ${port} cannot be listened to: ${error.message}`)),
    );
    server.listen(port, "127.0.0.1", resolve);
  });
  return {
    port: `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`,
    send: (bytes) => void gateway?.write(bytes),
    close: () => {
      gateway?.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

// ---------------------------------------------------------------- what is typed

export const HELP: readonly string[] = [
  "BB-1234-567890        presents a card that gives this text",
  "uid:04A1B2C3D4E5F6    presents a card with this UID, as raw bits",
  "keys 1234#            presses keys",
  "tamper on|off         opens and closes the housing",
  "input 0 on|off        closes and opens the contact at an input, 0 or 1",
  "power on|off          takes and gives its power: off is reported as failing",
  "restart               is without power for a moment: session and outputs are lost",
  "silent on|off         answers nothing, as with its cable cut",
  "plaintext on|off      answers in the clear inside a secure channel, as an intruder would",
  "2: …                  the same for the reader with address 2; without it, for the first",
];

function obey(pds: readonly OsdpPd[], typed: string): string {
  const parts = /^(?:(\d{1,3}):)?\s*(.*)$/.exec(typed.slice(0, LINE_CHARACTERS_MAX).trim());
  const text = parts?.[2] ?? "";
  const pd = parts?.[1] === undefined ? pds[0] : pds.find(({ address }) => address === Number(parts[1]));
  if (text === "") return "";
  if (text === "help") return HELP.join("\n");
  if (pd === undefined)
    return `there is no reader ${parts?.[1]}, only ${pds.map((one) => one.address).join(", ")}`;
  const [word, value] = text.split(/\s+/, 2);
  const isSwitch = value === "on" || value === "off";
  const contact = /^input ([0-9]) (on|off)$/.exec(text);
  if (contact !== null)
    return pd.setInput(Number(contact[1]), contact[2] === "on") ? "" : "it has inputs 0 and 1";
  if (text === "restart") pd.restart();
  else if (word === "keys" && value !== undefined) pd.press(value);
  else if (word === "tamper" && isSwitch) pd.tamper(value === "on");
  else if (word === "power" && isSwitch) pd.failPower(value === "off");
  else if (word === "silent" && isSwitch) pd.faults.silent = value === "on";
  else if (word === "plaintext" && isSwitch) pd.faults.plaintext = value === "on";
  else pd.present(text);
  return "";
}

// ---------------------------------------------------------------- what is shown

const COLOURS = Object.keys(COLOUR);

function wordsFor(told: PdTold): string {
  switch (told.kind) {
    case "light":
      return `light ${COLOURS[told.colour] ?? `colour ${told.colour}`} for ${told.tenths / 10} s`;
    case "beep":
      return told.count === 1 ? "beep" : `${told.count} beeps`;
    case "text":
      return `text "${told.text.replace(/[^\x20-\x7e]/g, "?")}"`;
    case "output":
      return `output ${told.output} ${told.energised ? "energised" : "released"}${told.timed ? ", on its own timer" : ""}`;
    case "key":
      return "has been given a key of its own, which it keeps until it ends";
    case "line":
      return `address ${told.address} and ${told.baudRate} baud from now on`;
    case "session":
      return told.secure ? "secure channel open" : "secure channel gone";
  }
}
