import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  encodeFrame,
  FRAME_BYTES_MAX,
  type Frame,
  OsdpFramer,
  type ReceivedFrame,
  SECURITY,
} from "../../drivers/codec/osdp.ts";
import { checksumOf, crcOf, PartChecks } from "../../drivers/codec/osdp-check.ts";
import type { Layout } from "../../drivers/codec/osdp-layout.ts";
import {
  COMMANDS,
  type Command,
  commandCode,
  decodeCommand,
  decodeReply,
  encodeCommand,
  encodeReply,
  REPLIES,
  type Reply,
  replyCode,
} from "../../drivers/codec/osdp-messages.ts";

const FUZZ_RUNS = 10_000;
const bytesOf = (hex: string) => new Uint8Array(Buffer.from(hex.replace(/[^0-9a-f]/gi, ""), "hex"));
const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

/**
 * Origin: E: SIA OSDP 2.2, annex E (CRC and checksum examples). N: messages that OSDP.Net (Apache 2.0) is tested with;
 * the bytes only. T: the trace of a reader in its documentation.
 */
const VECTORS: readonly [origin: string, hex: string, message: object][] = [
  [
    "E 1, CRC",
    "53 7F 0D 00 04 6E 00 80 25 00 00 6E 38",
    { name: "lineSettings", address: 0, baudRate: 9600 },
  ],
  ["E 1, sum", "53 7F 0C 00 00 6E 00 80 25 00 00 0F", { name: "lineSettings", address: 0, baudRate: 9600 }],
  ["E 2, CRC", "53 00 09 00 04 61 00 C0 66", { name: "id", form: 0 }],
  ["E 2, sum", "53 00 08 00 00 61 00 44", { name: "id", form: 0 }],
  ["N, CRC", "53 00 09 00 06 62 00 F3 5D", { name: "capabilities", form: 0 }],
  ["N, sum", "53 00 08 00 02 62 00 41", { name: "capabilities", form: 0 }],
  ["N, CRC", "53 00 0D 00 06 6E 01 80 25 00 00 EC 7B", { name: "lineSettings", address: 1, baudRate: 9600 }],
  [
    "N, CRC",
    "53 00 1A 00 06 75 01 10 00 01 02 03 04 05 06 07 00 01 02 03 04 05 06 07 CF A3",
    { name: "keySet", type: 1, key: bytesOf("0001020304050607 0001020304050607") },
  ],
  [
    "T, CRC",
    "53 00 0D 00 06 6A 00 02 02 02 01 59 92",
    { name: "buzzer", reader: 0, tone: 2, on: 2, off: 2, count: 1 },
  ],
  [
    "T, CRC",
    "53 80 14 00 06 45 00 0E E3 10 10 00 00 74 97 23 06 06 1B 88",
    {
      name: "id",
      vendor: bytesOf("000EE3"),
      model: 16,
      version: 16,
      serial: 0x97740000,
      firmwareMajor: 35,
      firmwareMinor: 6,
      firmwareBuild: 6,
    },
  ],
];

/** Data alone, likewise from OSDP.Net's tests. */
const DATA: readonly [hex: string, message: Command | Reply][] = [
  [
    "03 01 C4 09 05 04 10 27",
    {
      name: "output",
      records: [
        { output: 3, control: 1, timer: 2_500 },
        { output: 5, control: 4, timer: 10_000 },
      ],
    },
  ],
  [
    "02 03 02 01 02 06 00 04 00 01 02 06 04 03",
    {
      name: "led",
      records: [
        {
          reader: 2,
          led: 3,
          temporaryControl: 2,
          temporaryOn: 1,
          temporaryOff: 2,
          temporaryOnColour: 6,
          temporaryOffColour: 0,
          temporaryTimer: 4,
          permanentControl: 1,
          permanentOn: 2,
          permanentOff: 6,
          permanentOnColour: 4,
          permanentOffColour: 3,
        },
      ],
    },
  ],
  [
    "00 02 00 01 01 03 2A 2A 2A",
    { name: "text", reader: 0, control: 2, seconds: 0, row: 1, column: 1, text: bytesOf("2A2A2A") },
  ],
  [
    "05 00 10 00 12 AB",
    { name: "raw", reader: 5, format: 0, bits: { countBits: 16, bytes: bytesOf("12AB") } },
  ],
  [
    "05 00 09 74 65 73 74 69 6E 70 75 74",
    { name: "formatted", reader: 5, direction: 0, characters: bytesOf("74657374696E707574") },
  ],
  ["01 05 00 01 02 03 04", { name: "keypad", reader: 1, digits: bytesOf("0001020304") }],
];

function frames(...chunks: Uint8Array[]): ReceivedFrame[] {
  const framer = new OsdpFramer();
  return chunks.flatMap((chunk) => framer.push(chunk));
}

const isCommand = (name: string): name is Command["name"] => name in COMMANDS;

describe("published messages", () => {
  it.each(VECTORS)("%s: %s", (_, hex, message) => {
    const bytes = bytesOf(hex);
    const [frame, ...more] = frames(bytes);
    expect(more).toEqual([]);
    const decoded = (frame!.reply ? decodeReply : decodeCommand)(frame!.code, frame!.data);
    expect(decoded).toEqual({ kind: "message", message });
    expect(hexOf(encodeFrame(frame!))).toBe(hexOf(bytes));
  });

  it.each(DATA)("data %s", (hex, message) => {
    const data = bytesOf(hex);
    const layout: Layout =
      isCommand(message.name) && message.name !== "id"
        ? COMMANDS[message.name]
        : REPLIES[message.name as Reply["name"]];
    const isReply = !isCommand(message.name);
    expect((isReply ? decodeReply : decodeCommand)(layout.code, data)).toEqual({ kind: "message", message });
    expect(hexOf(isReply ? encodeReply(message as Reply) : encodeCommand(message as Command))).toBe(
      hexOf(data),
    );
  });

  it("their checks are what annex E says", () => {
    expect(crcOf(bytesOf("53 7F 0D 00 04 6E 00 80 25 00 00"))).toBe(0x386e);
    expect(crcOf(bytesOf("53 00 09 00 04 61 00"))).toBe(0x66c0);
    expect(checksumOf(bytesOf("53 7F 0C 00 00 6E 00 80 25 00 00"))).toBe(0x0f);
    expect(checksumOf(bytesOf("53 00 08 00 00 61 00"))).toBe(0x44);
  });
});

it("a part of a stream is checked as if it stood alone, after a move too", () => {
  const stream = fc.uint8Array({ minLength: 1, maxLength: 400 });
  fc.assert(
    fc.property(stream, fc.nat(), fc.nat(), fc.nat(), (bytes, one, other, cut) => {
      const checks = new PartChecks(bytes.length);
      for (const [at, byte] of bytes.entries()) checks.note(at, byte);
      const [start, end] = [one % (bytes.length + 1), other % (bytes.length + 1)].sort((a, b) => a - b);
      const moved = cut % (start! + 1);
      checks.shift(moved, bytes.length);
      const part = bytes.subarray(start, end);
      expect(checks.crc(start! - moved, end! - moved)).toBe(crcOf(part));
      expect(checks.checksum(start! - moved, end! - moved)).toBe(checksumOf(part));
    }),
  );
});

// ---------------------------------------------------------------- any message, both ways

const u8 = fc.integer({ min: 0, max: 0xff });
function anyOf(field: Layout["fields"][string]): fc.Arbitrary<unknown> {
  switch (field) {
    case "u8":
      return u8;
    case "u16":
      return fc.integer({ min: 0, max: 0xffff });
    case "u32":
      return fc.integer({ min: 0, max: 0xffffffff });
    case "counted":
    case "rest":
      return fc.uint8Array({ maxLength: 64 });
    case "bits":
      return fc
        .uint8Array({ maxLength: 40 })
        .chain((bytes) =>
          fc
            .integer({ min: Math.max(bytes.length * 8 - 7, 0), max: bytes.length * 8 })
            .map((countBits) => ({ countBits, bytes })),
        );
    default:
      return fc.uint8Array({ minLength: field, maxLength: field });
  }
}

function messageOf(table: Readonly<Record<string, Layout>>): fc.Arbitrary<object> {
  const messages = Object.entries(table).map(([name, { fields, repeated }]) => {
    const values = fc.record(
      Object.fromEntries(Object.entries(fields).map(([key, field]) => [key, anyOf(field)])),
      { noNullPrototype: true },
    );
    return (repeated ? fc.array(values, { maxLength: 6 }).map((records) => ({ records })) : values).map(
      (held) => ({ name, ...held }),
    );
  });
  return fc.oneof(...messages);
}

const frameOf: fc.Arbitrary<Frame> = fc
  .record({
    address: fc.integer({ min: 0, max: 127 }),
    reply: fc.boolean(),
    sequence: fc.integer({ min: 0, max: 3 }),
    check: fc.constantFrom("crc" as const, "checksum" as const),
    security: fc.option(
      fc.record({
        type: fc.constantFrom(SECURITY.challenge, SECURITY.commandMac, SECURITY.replySealed),
        data: fc.uint8Array({ maxLength: 2 }),
      }),
    ),
    code: u8,
    data: fc.uint8Array({ maxLength: 200 }),
  })
  .map((frame) => frame);

const bare = ({ covered: _, mac: __, ...frame }: ReceivedFrame): Frame => frame;
const mac = () => Uint8Array.of(1, 2, 3, 4, 5);

describe("any message", () => {
  it("of the CP comes back as it went", () => {
    fc.assert(
      fc.property(messageOf(COMMANDS), (message) => {
        const command = message as Command;
        expect(decodeCommand(commandCode(command), encodeCommand(command))).toEqual({
          kind: "message",
          message,
        });
      }),
      { numRuns: 2_000 },
    );
  });

  it("of the PD comes back as it went", () => {
    fc.assert(
      fc.property(messageOf(REPLIES), (message) => {
        const reply = message as Reply;
        expect(decodeReply(replyCode(reply), encodeReply(reply))).toEqual({ kind: "message", message });
      }),
      { numRuns: 2_000 },
    );
  });

  it("comes out of a stream between marks and noise, however that is cut into chunks", () => {
    // Noise without the start byte: what a false start may hide is asked for below.
    const noise = fc.uint8Array({ maxLength: 30 }).map((bytes) => bytes.filter((byte) => byte !== 0x53));
    const parts = fc.array(fc.tuple(noise, frameOf), { maxLength: 6 });
    fc.assert(
      fc.property(parts, fc.array(fc.nat({ max: 60 }), { maxLength: 30 }), (given, cuts) => {
        const stream = Buffer.concat(
          given.flatMap(([before, frame]) => [before, Uint8Array.of(0xff), encodeFrame(frame, mac)]),
        );
        const chunks: Uint8Array[] = [];
        let at = 0;
        for (const cut of cuts) {
          chunks.push(stream.subarray(at, at + cut));
          at += cut;
        }
        chunks.push(stream.subarray(at));
        expect(frames(...chunks).map(bare)).toEqual(given.map(([, frame]) => frame));
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("hostile bytes", () => {
  const good = bytesOf("53 00 09 00 04 61 00 C0 66");

  it("never throw, and give the same however they are cut; the next good frame is found", () => {
    const likely = fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom(0x53, 0x00, 0x08, 0x04, 0x0c, 0x15, 0xff, 0x80) },
      { weight: 1, arbitrary: u8 },
    );
    const streams = fc.array(likely, { maxLength: 300 }).map((bytes) => Uint8Array.from(bytes));
    fc.assert(
      fc.property(streams, fc.nat({ max: 300 }), (stream, cut) => {
        const whole = new OsdpFramer();
        const pieces = new OsdpFramer();
        const found = [...whole.push(stream), ...whole.idle()];
        const again = [
          ...pieces.push(stream.subarray(0, cut)),
          ...pieces.push(stream.subarray(cut)),
          ...pieces.idle(),
        ];
        expect(again).toEqual(found);
        expect(whole.pending).toBe(false);
        expect(whole.push(good).map(({ code }) => code)).toEqual([0x61]);
      }),
      { numRuns: FUZZ_RUNS },
    );
  });

  it("that were changed after the control byte are no frame any more", () => {
    fc.assert(
      fc.property(frameOf, fc.nat(), fc.integer({ min: 1, max: 255 }), (frame, at, flip) => {
        const bytes = encodeFrame(frame, mac);
        const changed = 5 + (at % (bytes.length - 5));
        bytes[changed] = bytes[changed]! ^ flip;
        const framer = new OsdpFramer();
        const starts = [...framer.push(bytes), ...framer.idle()].map(({ covered }) =>
          hexOf(covered.slice(0, 5)),
        );
        expect(starts).not.toContain(hexOf(bytes.slice(0, 5)));
        expect(framer.push(good).map(({ code }) => code)).toEqual([0x61]);
      }),
      { numRuns: FUZZ_RUNS },
    );
  });

  it("as data of a message give a message or a refusal that names neither the bytes nor throws", () => {
    const codes = [...Object.values(COMMANDS), ...Object.values(REPLIES)].map(({ code }) => code);
    fc.assert(
      fc.property(
        fc.oneof(u8, fc.constantFrom(...codes)),
        fc.uint8Array({ maxLength: 100 }),
        (code, data) => {
          for (const decode of [decodeCommand, decodeReply]) {
            const decoded = decode(code, data);
            if (decoded.kind === "refused" && !/^(command|reply) \w+/.test(decoded.why))
              expect.fail(decoded.why);
          }
        },
      ),
      { numRuns: FUZZ_RUNS },
    );
  });

  it("a false start hides a frame only until the line is quiet", () => {
    const framer = new OsdpFramer();
    expect(framer.push(bytesOf("53 00 40 00 04"))).toEqual([]);
    expect(framer.push(good)).toEqual([]);
    expect(framer.idle().map(({ code }) => code)).toEqual([0x61]);
    expect(framer.takeNoise()).toBe(5);
    expect(framer.takeNoise()).toBe(0);
  });

  it("a frame within another's data is never taken for one", () => {
    const card: Frame = {
      address: 1,
      reply: true,
      sequence: 1,
      check: "crc",
      security: null,
      code: 0x51,
      data: good,
    };
    expect(frames(encodeFrame(card)).map(({ code }) => code)).toEqual([0x51]);
  });

  it("a start at every place costs no more than any other byte, and nothing is kept", () => {
    // Each claims the longest frame there is; a framer that checks each from its start would take minutes.
    const claim = bytesOf("53 00 A0 05 04");
    const noise = new Uint8Array(5 * 400_000).map((_, at) => claim[at % 5]!);
    const framer = new OsdpFramer();
    expect(framer.push(noise)).toEqual([]);
    expect(framer.idle()).toEqual([]);
    expect(framer.takeNoise()).toBe(noise.length);
    expect(framer.push(good)).toHaveLength(1);
  });

  it("takes the longest frame there is, and none that claims more", () => {
    const data = new Uint8Array(FRAME_BYTES_MAX - 8).fill(0x53);
    const longest: Frame = {
      address: 1,
      reply: true,
      sequence: 2,
      check: "crc",
      security: null,
      code: 0x51,
      data,
    };
    expect(frames(encodeFrame(longest)).map(bare)).toEqual([longest]);
    const more = encodeFrame({ ...longest, data: new Uint8Array(FRAME_BYTES_MAX - 7) });
    expect(frames(more, good).map(({ code }) => code)).toEqual([0x61]);
  });

  it.each([
    ["a security block that is longer than the frame", { type: 0x15, data: new Uint8Array(0) }, 3, 0x40],
    ["a security block without a type", { type: 0x11, data: new Uint8Array(0) }, 5, 0x01],
  ])("drops %s, whose check is right", (_, security, __, length) => {
    const bytes = encodeFrame(
      {
        address: 1,
        reply: true,
        sequence: 0,
        check: "checksum",
        security,
        code: 0x40,
        data: new Uint8Array(4),
      },
      mac,
    );
    bytes[5] = length;
    bytes[bytes.length - 1] = checksumOf(bytes.subarray(0, -1));
    const framer = new OsdpFramer();
    expect(framer.push(bytes)).toEqual([]);
    expect(framer.takeNoise()).toBe(bytes.length);
    expect(framer.push(good)).toHaveLength(1);
  });
});
