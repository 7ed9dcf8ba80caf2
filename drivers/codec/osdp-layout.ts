/**
 * How messages are laid out in bytes, as data: a layout is a table of fields in their order, and one function each
 * way serves them all. Numbers are little-endian, as everywhere in OSDP.
 */
import type { Bits } from "./wiegand.ts";

/**
 * `u8`, `u16`, `u32`: numbers. A number: that many bytes. `counted`: a length byte, then so many bytes. `bits`: a
 * 16-bit count of bits, then the bytes that hold them, the first bit uppermost. `rest`: whatever is left.
 */
type Field = "u8" | "u16" | "u32" | "counted" | "bits" | "rest" | number;

export type Fields = Readonly<Record<string, Field>>;

/** `repeated`: the fields come again and again, as often as there are bytes, and stand as `records`. */
export interface Layout {
  readonly code: number;
  readonly fields: Fields;
  readonly repeated?: true;
}

type ValueOf<F extends Field> = F extends "u8" | "u16" | "u32"
  ? number
  : F extends "bits"
    ? Bits
    : Uint8Array;
type Values<F extends Fields> = { -readonly [Name in keyof F]: ValueOf<F[Name]> };

/** What a layout's message holds, beside its name. */
export type MessageOf<L extends Layout> = L extends { repeated: true }
  ? { records: Values<L["fields"]>[] }
  : Values<L["fields"]>;

/** Any message of a table. */
export type AnyOf<Table extends Readonly<Record<string, Layout>>> = {
  [Name in keyof Table & string]: { name: Name } & MessageOf<Table[Name]>;
}[keyof Table & string];

export type Decoded<Message> = { kind: "message"; message: Message } | { kind: "refused"; why: string };

type AnyValues = Record<string, number | Uint8Array | Bits>;

/** The data bytes of a message; the caller's types say that they fit the layout. */
export function encodeData(layout: Layout, message: object): Uint8Array {
  const bytes: number[] = [];
  const all = layout.repeated ? (message as { records: AnyValues[] }).records : [message as AnyValues];
  for (const values of all) {
    for (const [name, field] of Object.entries(layout.fields)) append(bytes, field, values[name]!);
  }
  return Uint8Array.from(bytes);
}

function append(bytes: number[], field: Field, value: number | Uint8Array | Bits): void {
  if (typeof value === "number") {
    const countBytes = field === "u32" ? 4 : field === "u16" ? 2 : 1;
    for (let index = 0; index < countBytes; index++) bytes.push((value >>> (8 * index)) & 0xff);
  } else if ("countBits" in value) {
    bytes.push(value.countBits & 0xff, value.countBits >> 8, ...value.bytes);
  } else {
    if (field === "counted") bytes.push(value.length);
    bytes.push(...value);
  }
}

/** The values in `data`, or what does not fit, in words without the data. */
export function decodeData(layout: Layout, data: Uint8Array): Decoded<object> {
  const source = new Source(data);
  const records: AnyValues[] = [];
  while (layout.repeated ? source.left > 0 && !source.short : records.length === 0) {
    records.push(takeRecord(source, layout.fields));
  }
  if (source.short) return { kind: "refused", why: `${data.length} bytes are too few` };
  if (source.left > 0) return { kind: "refused", why: `${source.left} of ${data.length} bytes are too many` };
  return { kind: "message", message: layout.repeated ? { records } : records[0]! };
}

function takeRecord(source: Source, fields: Fields): AnyValues {
  const values: AnyValues = {};
  for (const [name, field] of Object.entries(fields)) values[name] = takeField(source, field);
  return values;
}

function takeField(source: Source, field: Field): number | Uint8Array | Bits {
  switch (field) {
    case "u8":
      return source.number(1);
    case "u16":
      return source.number(2);
    case "u32":
      return source.number(4);
    case "counted":
      return source.bytes(source.number(1));
    case "bits": {
      const countBits = source.number(2);
      return { countBits, bytes: source.bytes(Math.ceil(countBits / 8)) };
    }
    case "rest":
      return source.bytes(source.left);
    default:
      return source.bytes(field);
  }
}

/** Gives zeros past the end, and remembers that it did. */
class Source {
  readonly #data: Uint8Array;
  #at = 0;
  short = false;

  constructor(data: Uint8Array) {
    this.#data = data;
  }

  get left(): number {
    return Math.max(this.#data.length - this.#at, 0);
  }

  number(countBytes: number): number {
    let value = 0;
    for (const [index, byte] of this.bytes(countBytes).entries()) value += byte * 256 ** index;
    return value;
  }

  bytes(countBytes: number): Uint8Array {
    this.short ||= countBytes > this.left;
    const bytes = this.#data.slice(this.#at, this.#at + countBytes);
    this.#at += countBytes;
    return bytes;
  }
}
