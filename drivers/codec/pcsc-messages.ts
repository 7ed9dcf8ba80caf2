/**
 * What the gateway and its PC/SC process say to each other: one JSON object a line. The process holds native code that has
 * been seen to spin and to crash, so what comes from it is as little trusted as what comes over a cable.
 */

/** Longest line either way: a reader's name, an answer, and the words around them. */
export const LINE_BYTES_MAX = 2_048;
/** A reader's name is at most 128 bytes (pcsclite.h, `MAX_READERNAME`), an error of the library a sentence. */
const TEXT_CHARS_MAX = 512;
/** A short APDU's answer: 256 bytes and two of status (ISO/IEC 7816-4, 5.1). */
export const ANSWER_BYTES_MAX = 258;

/** How far a presentation got that led to no answer. `unseen`: it was over before the process had heard of it. */
const STEPS = ["unseen", "connect", "ask"] as const;
export type PcscStep = (typeof STEPS)[number];

/** From the process. Bytes are hex. A presentation is `card`, `asked`, then `answer` or `failed`, and `left` in the end. */
export type FromPcsc =
  | { kind: "beat" }
  /** The readers that are there have been told of. */
  | { kind: "ready" }
  | { kind: "reader"; reader: string }
  | { kind: "gone"; reader: string }
  | { kind: "card"; reader: string; atr: string }
  | { kind: "asked"; reader: string; bytes: string }
  | { kind: "answer"; reader: string; bytes: string }
  | { kind: "failed"; reader: string; step: PcscStep; why: string }
  | { kind: "left"; reader: string }
  /** Of a command: what the reader answered, or `why` it could not be told; one of them is empty. */
  | { kind: "done"; reader: string; id: number; bytes: string; why: string }
  /** The last word: the process ends. */
  | { kind: "fault"; why: string };

/** To the process. `apdu`: through the card that lies there, and as an escape where that cannot be; `escape`: to the reader itself. */
export interface ToPcsc {
  kind: "command";
  reader: string;
  id: number;
  via: PcscVia;
  bytes: string;
}
export type PcscVia = "apdu" | "escape";

export function encodeMessage(message: FromPcsc | ToPcsc): Uint8Array {
  return Buffer.from(`${JSON.stringify(message)}\n`);
}

/** As messages hold bytes. */
export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex").toUpperCase();
}

/** Room in a message for words from elsewhere. */
export function cutText(text: string): string {
  return text.slice(0, TEXT_CHARS_MAX);
}

// ---------------------------------------------------------------- what a message must look like

type Check = (value: unknown) => boolean;
type Shape<Message> = { [Key in Exclude<keyof Message, "kind">]: Check };
type Shapes<Message extends { kind: string }> = {
  [Kind in Message["kind"]]: Shape<Extract<Message, { kind: Kind }>>;
};

const isText: Check = (value) => typeof value === "string" && value.length <= TEXT_CHARS_MAX;
const isHex: Check = (value) =>
  typeof value === "string" && value.length <= 2 * ANSWER_BYTES_MAX && /^(?:[0-9A-F]{2})*$/.test(value);
const isId: Check = (value) => Number.isSafeInteger(value);
const isOneOf =
  (values: readonly string[]): Check =>
  (value) =>
    values.includes(value as string);

const FROM_PCSC: Shapes<FromPcsc> = {
  beat: {},
  ready: {},
  reader: { reader: isText },
  gone: { reader: isText },
  card: { reader: isText, atr: isHex },
  asked: { reader: isText, bytes: isHex },
  answer: { reader: isText, bytes: isHex },
  failed: { reader: isText, step: isOneOf(STEPS), why: isText },
  left: { reader: isText },
  done: { reader: isText, id: isId, bytes: isHex, why: isText },
  fault: { why: isText },
};

const TO_PCSC: Shapes<ToPcsc> = {
  command: { reader: isText, id: isId, via: isOneOf(["apdu", "escape"]), bytes: isHex },
};

// ---------------------------------------------------------------- lines

/** `refused`: what came is no message, and nothing that follows it can be trusted either. */
export interface Taken<Message> {
  messages: Message[];
  refused: string | null;
}

/** Bytes in pieces of any size to messages. After a refusal it takes nothing more. */
export class MessageReader<Message extends { kind: string }> {
  readonly #shapes: Shapes<Message>;
  #rest: Buffer = Buffer.alloc(0);
  #refused: string | null = null;

  constructor(shapes: Shapes<Message>) {
    this.#shapes = shapes;
  }

  take(bytes: Uint8Array): Taken<Message> {
    const messages: Message[] = [];
    let from = 0;
    while (this.#refused === null && from < bytes.length) {
      const end = bytes.indexOf(0x0a, from);
      const piece = bytes.subarray(from, end < 0 ? bytes.length : end);
      if (this.#rest.length + piece.length > LINE_BYTES_MAX) {
        this.#refused = `a line of more than ${LINE_BYTES_MAX} bytes`;
        break;
      }
      const line = Buffer.concat([this.#rest, piece]);
      this.#rest = end < 0 ? line : Buffer.alloc(0);
      if (end < 0) break;
      from = end + 1;
      const message = this.#parse(line.toString("utf8"));
      if (message === null) this.#refused = "a line that is no message";
      else messages.push(message);
    }
    return { messages, refused: this.#refused };
  }

  #parse(line: string): Message | null {
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      return null;
    }
    if (typeof value !== "object" || value === null) return null;
    const { kind, ...fields } = value as Record<string, unknown>;
    if (typeof kind !== "string" || !Object.hasOwn(this.#shapes, kind)) return null;
    const shape = this.#shapes[kind as Message["kind"]] as Record<string, Check>;
    const keys = Object.keys(shape);
    if (Object.keys(fields).length !== keys.length) return null;
    return keys.every((key) => shape[key]?.(fields[key]) === true) ? (value as Message) : null;
  }
}

export function fromPcscReader(): MessageReader<FromPcsc> {
  return new MessageReader(FROM_PCSC);
}

export function toPcscReader(): MessageReader<ToPcsc> {
  return new MessageReader(TO_PCSC);
}
