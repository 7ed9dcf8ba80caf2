/**
 * The commands of the control panel (CP) and the replies of the peripheral device (PD), as tables: name, code and
 * layout (IEC 60839-11-5 and SIA OSDP 2.2, 6 and 7). What is not used at a turnstile (files, biometrics, smart
 * cards, the maker's own) is not here and is refused by its code.
 */
import { type AnyOf, type Decoded, decodeData, encodeData, type Layout } from "./osdp-layout.ts";

export const COMMANDS = {
  poll: { code: 0x60, fields: {} },
  id: { code: 0x61, fields: { form: "u8" } },
  capabilities: { code: 0x62, fields: { form: "u8" } },
  localStatus: { code: 0x64, fields: {} },
  inputStatus: { code: 0x65, fields: {} },
  outputStatus: { code: 0x66, fields: {} },
  readerStatus: { code: 0x67, fields: {} },
  /** `timer`: in tenths of a second. */
  output: { code: 0x68, fields: { output: "u8", control: "u8", timer: "u16" }, repeated: true },
  /** Times in tenths of a second. */
  led: {
    code: 0x69,
    fields: {
      reader: "u8",
      led: "u8",
      temporaryControl: "u8",
      temporaryOn: "u8",
      temporaryOff: "u8",
      temporaryOnColour: "u8",
      temporaryOffColour: "u8",
      temporaryTimer: "u16",
      permanentControl: "u8",
      permanentOn: "u8",
      permanentOff: "u8",
      permanentOnColour: "u8",
      permanentOffColour: "u8",
    },
    repeated: true,
  },
  /** Times in tenths of a second. */
  buzzer: { code: 0x6a, fields: { reader: "u8", tone: "u8", on: "u8", off: "u8", count: "u8" } },
  /** `seconds`: how long a temporary text stays. */
  text: {
    code: 0x6b,
    fields: { reader: "u8", control: "u8", seconds: "u8", row: "u8", column: "u8", text: "counted" },
  },
  lineSettings: { code: 0x6e, fields: { address: "u8", baudRate: "u32" } },
  keySet: { code: 0x75, fields: { type: "u8", key: "counted" } },
  challenge: { code: 0x76, fields: { random: 8 } },
  serverCryptogram: { code: 0x77, fields: { cryptogram: 16 } },
  receiveSize: { code: 0x7b, fields: { sizeBytes: "u16" } },
  abort: { code: 0xa2, fields: {} },
  keepActive: { code: 0xa7, fields: { timeMs: "u16" } },
} as const satisfies Record<string, Layout>;

export const REPLIES = {
  ack: { code: 0x40, fields: {} },
  /** `reason`: a key of `NAK_REASONS`. */
  nak: { code: 0x41, fields: { reason: "u8", detail: "rest" } },
  /** `vendor`: the maker's IEEE number (OUI). */
  id: {
    code: 0x45,
    fields: {
      vendor: 3,
      model: "u8",
      version: "u8",
      serial: "u32",
      firmwareMajor: "u8",
      firmwareMinor: "u8",
      firmwareBuild: "u8",
    },
  },
  /** `capability`: one of `CAPABILITY`. */
  capabilities: {
    code: 0x46,
    fields: { capability: "u8", compliance: "u8", count: "u8" },
    repeated: true,
  },
  localStatus: { code: 0x48, fields: { tamper: "u8", power: "u8" } },
  inputStatus: { code: 0x49, fields: { states: "rest" } },
  outputStatus: { code: 0x4a, fields: { states: "rest" } },
  readerStatus: { code: 0x4b, fields: { states: "rest" } },
  /** `format`: 0 not told, 1 with parity bits at both ends (Wiegand). */
  raw: { code: 0x50, fields: { reader: "u8", format: "u8", bits: "bits" } },
  formatted: { code: 0x51, fields: { reader: "u8", direction: "u8", characters: "counted" } },
  keypad: { code: 0x53, fields: { reader: "u8", digits: "counted" } },
  lineSettings: { code: 0x54, fields: { address: "u8", baudRate: "u32" } },
  clientCryptogram: { code: 0x76, fields: { uid: 8, random: 8, cryptogram: 16 } },
  initialMac: { code: 0x78, fields: { mac: 16 } },
  busy: { code: 0x79, fields: {} },
} as const satisfies Record<string, Layout>;

export type Command = AnyOf<typeof COMMANDS>;
export type Reply = AnyOf<typeof REPLIES>;

/** What a PD may say of itself (annex B). */
export const CAPABILITY = {
  inputs: 1,
  outputs: 2,
  cardFormat: 3,
  leds: 4,
  buzzer: 5,
  check: 8,
  security: 9,
  readers: 13,
  version: 16,
} as const;

/** Why a PD took no command (7.3, table 47), in words for a person. */
export const NAK_REASONS: Readonly<Record<number, string>> = {
  1: "it received the command damaged",
  2: "it finds the command's length wrong",
  3: "it does not know the command",
  4: "it expected another sequence number",
  5: "it has no secure channel of this kind",
  6: "it demands a secure channel",
  7: "it has no such biometrics",
  8: "it has no such biometric format",
  9: "it cannot do what the command says",
};

/** What `output` commands do (6.9, table 17). */
export const OUTPUT = { off: 1, on: 2, onForTime: 5 } as const;
/** Colours of a light (6.10, table 22). */
export const COLOUR = { black: 0, red: 1, green: 2, amber: 3, blue: 4 } as const;
/** Tones of a buzzer (6.11, table 24). */
export const TONE = { standard: 2 } as const;

export function commandCode(command: Command): number {
  return COMMANDS[command.name].code;
}

export function replyCode(reply: Reply): number {
  return REPLIES[reply.name].code;
}

export function encodeCommand(command: Command): Uint8Array {
  return encodeData(COMMANDS[command.name], command);
}

export function encodeReply(reply: Reply): Uint8Array {
  return encodeData(REPLIES[reply.name], reply);
}

/** `data`: as it stands in the clear. */
export function decodeCommand(code: number, data: Uint8Array): Decoded<Command> {
  return decode(COMMANDS, "command", code, data) as Decoded<Command>;
}

export function decodeReply(code: number, data: Uint8Array): Decoded<Reply> {
  return decode(REPLIES, "reply", code, data) as Decoded<Reply>;
}

function decode(
  table: Readonly<Record<string, Layout>>,
  what: string,
  code: number,
  data: Uint8Array,
): Decoded<object> {
  for (const [name, layout] of Object.entries(table)) {
    if (layout.code !== code) continue;
    const decoded = decodeData(layout, data);
    if (decoded.kind === "refused") return { kind: "refused", why: `${what} ${name}: ${decoded.why}` };
    return { kind: "message", message: { name, ...decoded.message } };
  }
  return { kind: "refused", why: `${what} ${code} is not known here` };
}
