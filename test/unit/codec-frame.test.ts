import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FRAME_BYTES_MAX, type Frame, Framer, OVERLONG_BYTES_MAX } from "../../drivers/codec/frame.ts";

const text = (frame: Frame) =>
  frame.kind === "frame" ? Buffer.from(frame.bytes).toString("latin1") : `${frame.kind} ${frame.countBytes}`;

function frames(...chunks: (string | Uint8Array)[]): string[] {
  const framer = new Framer();
  return chunks.flatMap((chunk) =>
    framer.push(typeof chunk === "string" ? Buffer.from(chunk, "latin1") : chunk).map(text),
  );
}

describe("a frame ends", () => {
  it.each([
    ["with CR", "one\rtwo\r"],
    ["with LF", "one\ntwo\n"],
    ["with CR LF", "one\r\ntwo\r\n"],
    ["with ETX", "\x02one\x03\x02two\x03"],
    ["with ETX CR LF", "\x02one\x03\r\n\x02two\x03\r\n"],
    ["with CR LF ETX", "\x02one\r\n\x03\x02two\r\n\x03"],
    ["with CR LF around which there are empty lines", "\r\n\r\none\r\n\r\n\n\rtwo\r\n"],
    ["with CR after a break on the line", "\0\0one\r\0two\r"],
    ["with CR where the ETX got lost", "\x02one\r\n\x02two\r\n"],
  ])("%s", (_, bytes) => {
    expect(frames(bytes)).toEqual(["one", "two"]);
  });

  it("not with an ETX that no STX opened, which would cut a number short", () => {
    expect(frames("12\x0334\r")).toEqual(["12\x0334"]);
  });

  it("and keeps the control bytes inside", () => {
    expect(frames("a\0b\x07c\r")).toEqual(["a\0b\x07c"]);
  });
});

describe("a frame that does not end well", () => {
  it("is partial when an STX breaks into it", () => {
    expect(frames("12345\x0267\x03")).toEqual(["partial 5", "67"]);
  });

  it("is partial when the line goes quiet, and the next one is whole", () => {
    const framer = new Framer();
    expect(framer.push(Buffer.from("BB-12"))).toEqual([]);
    expect(framer.pending).toBe(true);
    expect(framer.idle()).toEqual({ kind: "partial", countBytes: 5 });
    expect(framer.pending).toBe(false);
    expect(framer.idle()).toBeNull();
    expect(framer.push(Buffer.from("34\r")).map(text)).toEqual(["34"]);
  });

  it("is nothing to tell of when only its STX came", () => {
    const framer = new Framer();
    framer.push(Buffer.from("\x02"));
    expect(framer.pending).toBe(true);
    expect(framer.idle()).toBeNull();
    expect(framer.pending).toBe(false);
  });

  it("may be as long as the bound and not a byte longer", () => {
    expect(frames(`${"x".repeat(FRAME_BYTES_MAX)}\r`)).toEqual(["x".repeat(FRAME_BYTES_MAX)]);
    expect(frames(`${"x".repeat(FRAME_BYTES_MAX + 1)}\rgood\r`)).toEqual([
      `overlong ${FRAME_BYTES_MAX + 1}`,
      "good",
    ]);
  });

  it("is overlong once, with all its bytes, and the next one is whole", () => {
    expect(frames("x".repeat(1_000), "y".repeat(2_000), "\r\ngood\r\n")).toEqual(["overlong 3000", "good"]);
    expect(frames("x".repeat(1_000), "\x02good\x03")).toEqual(["overlong 1000", "good"]);
  });

  it("is told of in pieces when it never ends, and no byte is kept", () => {
    const told = frames(Buffer.alloc(1 << 20, "x"), "yz\rgood\r");
    expect(told).toEqual([
      ...Array((1 << 20) / OVERLONG_BYTES_MAX).fill(`overlong ${OVERLONG_BYTES_MAX}`),
      "overlong 2",
      "good",
    ]);
  });

  it("takes time in proportion to its bytes: a framer that looks back would not end here within the hour", () => {
    const noise = new Uint8Array(1_024).fill(0x41);
    const framer = new Framer();
    let countBytes = 0;
    for (let chunk = 0; chunk < 16_384; chunk += 1) {
      for (const frame of framer.push(noise)) if (frame.kind === "overlong") countBytes += frame.countBytes;
    }
    expect(countBytes).toBe(16_384 * 1_024);
  });
});

describe("any bytes", () => {
  const lively = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(0x00, 0x02, 0x03, 0x0a, 0x0d) },
    { weight: 5, arbitrary: fc.integer({ min: 0, max: 255 }) },
  );
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 400 }),
    fc.array(lively, { maxLength: 200 }).map((list) => Uint8Array.from(list)),
  );
  const cuts = fc.array(fc.nat({ max: 400 }), { maxLength: 12 });

  function chunks(whole: Uint8Array, at: number[]): Uint8Array[] {
    const edges = [0, ...at.filter((cut) => cut < whole.length).sort((a, b) => a - b), whole.length];
    return edges.slice(1).map((edge, i) => whole.subarray(edges[i], edge));
  }

  it("give the same frames in any chunks, none of them empty or too long", () => {
    fc.assert(
      fc.property(bytes, cuts, (whole, at) => {
        const once = frames(whole);
        expect(frames(...chunks(whole, at))).toEqual(once);
        for (const frame of new Framer().push(whole)) {
          if (frame.kind === "frame") {
            expect(frame.bytes.length).toBeGreaterThan(0);
            expect(frame.bytes.length).toBeLessThanOrEqual(FRAME_BYTES_MAX);
          }
        }
      }),
      { numRuns: 10_000 },
    );
  });

  it("are followed by a good frame as soon as a line ends", () => {
    fc.assert(
      fc.property(bytes, fc.constantFrom("BB-1234-567890\r\n", "\x02BB-1234-567890\x03"), (noise, good) => {
        const ended = new Framer();
        ended.push(noise);
        const told = ended.push(Buffer.from(`\r${good}`, "latin1"));
        expect(text(told.at(-1)!)).toBe("BB-1234-567890");
      }),
      { numRuns: 10_000 },
    );
  });

  it("that are no marks are each accounted for", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 4, max: 9 }), { maxLength: 600 }), (list) => {
        const told = new Framer().push(Uint8Array.from([...list, 0x0d]));
        const counted = told.reduce(
          (sum, frame) => sum + (frame.kind === "frame" ? frame.bytes.length : frame.countBytes),
          0,
        );
        expect(counted).toBe(list.length);
      }),
    );
  });
});
