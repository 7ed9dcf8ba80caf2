import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import type { Reader, Reading, Stamp } from "../../drivers/driver.ts";
import type { ChannelAddress, ChannelEvents } from "../../drivers/ports.ts";
import { type SerialReaderOptions, serialReader } from "../../drivers/reader-serial.ts";
import { simulatedWorld } from "../conformance/world.ts";

/** A serial reader whose cable is in our hands. */
class Bench {
  line: ChannelEvents = { data: () => {}, closed: () => {} };
  opened: ChannelAddress[] = [];
  fault: string | null = null;
  closedCount = 0;
  readonly told: { reading: Reading; stamp: Stamp }[] = [];
  readonly states: string[] = [];
  readonly world = simulatedWorld(async (address, events) => {
    if (this.fault !== null) throw new Error(this.fault);
    this.opened.push(address);
    this.line = events;
    return {
      write: async () => {},
      close: async () => {
        this.closedCount += 1;
      },
    };
  });
  readonly reader: Reader;

  constructor(options: Partial<SerialReaderOptions> = {}) {
    const given = {
      id: "r",
      port: "/dev/ttyUSB0",
      baudRate: 9_600,
      reads: "card-number" as const,
      issuers: ["BB"],
    };
    this.reader = serialReader.create({ ...given, ...options }, this.world, {
      reading: (reading, stamp) => this.told.push({ reading, stamp }),
      up: () => this.states.push("up"),
      down: (why) => this.states.push(`down: ${why}`),
    });
  }

  async start(): Promise<this> {
    await this.reader.start();
    await this.advance(0);
    return this;
  }

  advance(ms: number): Promise<void> {
    return this.world.clock.advance(ms);
  }

  send(text: string | Uint8Array): void {
    this.line.data(typeof text === "string" ? Buffer.from(text, "latin1") : text);
  }

  get readings(): Reading[] {
    return this.told.map(({ reading }) => reading);
  }
}

const open: Bench[] = [];
async function start(options: Partial<SerialReaderOptions> = {}): Promise<Bench> {
  const bench = new Bench(options);
  open.push(bench);
  return bench.start();
}
afterEach(async () => {
  for (const bench of open.splice(0)) await bench.reader.stop();
});

const card = (number: string) => ({
  kind: "credential",
  credential: { kind: "number", number },
  assurance: "number",
});
const misread = (reason: string, step: unknown) => ({ kind: "misread", reason, step });

describe("what a reader sends", () => {
  it("is a card number in any spelling and framing", async () => {
    const bench = await start();
    bench.send("BB-1234-567890\rbb 1234 567891\n\r\n\x02BB1234567892\x03\r\nBB\x961234\x96567893\r\n");
    bench.send(Buffer.from("BB\u20131234\u2013567894\n"));
    expect(bench.readings).toEqual(["0", "1", "2", "3", "4"].map((last) => card(`BB-1234-56789${last}`)));
  });

  it.each([
    ["uid" as const, "04:a1:b2:c3:d4:e5:f6", { kind: "token", uid: "04A1B2C3D4E5F6", part: "whole" }, "uid"],
    [
      { uid: "dec" as const, order: "lsb" as const, bytes: 4 as const, cut: "last" as const },
      "0000000260",
      { kind: "token", uid: "04010000", part: "last" },
      "uid-cut",
    ],
  ])("is a token by %j", async (reads, text, credential, assurance) => {
    const bench = await start({ reads });
    bench.send(`${text}\r\n`);
    expect(bench.readings).toEqual([{ kind: "credential", credential, assurance }]);
  });

  it("that is no card number is malformed, with a word that does not repeat it", async () => {
    const bench = await start();
    bench.send("04A1B2C3D4E5F6\rLL-1234-567890\r");
    expect(bench.readings).toEqual([
      misread("malformed", expect.stringMatching(/UID/)),
      misread("malformed", "card maker LL is not accepted here, only BB"),
    ]);
    expect(JSON.stringify(bench.told)).not.toContain("A1B2");
  });

  it("without an end is unreadable once half a second of silence has passed", async () => {
    const bench = await start();
    bench.send("BB-1234-");
    await bench.advance(499);
    expect(bench.told).toEqual([]);
    await bench.advance(1);
    expect(bench.readings).toEqual([misread("unreadable", "broken off after 8 bytes")]);
    bench.send("BB-1234-567890\r");
    expect(bench.readings.at(-1)).toEqual(card("BB-1234-567890"));
    await bench.advance(5_000);
    expect(bench.told).toHaveLength(2);
  });

  it("slowly, byte by byte, is one reading stamped at its first byte", async () => {
    const bench = await start();
    await bench.advance(1_000);
    for (const byte of "BB-1234-567890\r\n") {
      bench.send(byte);
      await bench.advance(400);
    }
    expect(bench.readings).toEqual([card("BB-1234-567890")]);
    expect(bench.told[0]?.stamp.monotonicMs).toBe(1_000);
    await bench.advance(5_000);
    expect(bench.told).toHaveLength(1);
  });

  it("in one chunk is stamped by what began when", async () => {
    const bench = await start();
    await bench.advance(1_000);
    bench.send("BB-1234-5");
    await bench.advance(100);
    bench.send("67890\rBB-1234-567891\rBB");
    await bench.advance(100);
    bench.send("-1234-567892\r");
    expect(bench.told.map(({ stamp }) => stamp.monotonicMs)).toEqual([1_000, 1_100, 1_100]);
    const wallMs = bench.world.clock.wallMs();
    expect(bench.told.map(({ stamp }) => stamp.wallMs - wallMs)).toEqual([-200, -100, -100]);
  });

  it("of a MiB without an end is unreadable a few times, and the next card is read", async () => {
    const bench = await start();
    for (let sent = 0; sent < 1 << 20; sent += 4_096) bench.send(Buffer.alloc(4_096, "x"));
    bench.send("\rBB-1234-567890\r");
    expect(bench.readings.at(-1)).toEqual(card("BB-1234-567890"));
    expect(bench.told.length).toBeLessThan(100);
    for (const reading of bench.readings.slice(0, -1)) {
      expect(reading).toEqual(misread("unreadable", expect.stringMatching(/bytes without an end.*baudRate/)));
    }
  });

  it("as a flood of lines is told of once, not listened to for its second, and no end of a line is taken for one", async () => {
    const bench = await start({ reads: "uid" });
    const taps = 4_096;
    bench.send("1A2B3C4D\r".repeat(taps));
    expect(bench.told).toHaveLength(taps);
    for (let chunk = 0; chunk < 32; chunk += 1) bench.send("x\r".repeat(32_768));
    expect(bench.told.length).toBeLessThan(2 * taps + 4_096);
    expect(bench.readings.at(-1)).toEqual(
      misread("unreadable", expect.stringMatching(/4096 lines in a second/)),
    );
    const floods = bench.told.length;
    await bench.advance(999);
    bench.send("04A1B2");
    expect(bench.told).toHaveLength(floods);
    await bench.advance(1);
    bench.send("C3D4E5F6\r1A2B3C4D\r");
    expect(bench.readings.slice(floods)).toEqual([
      {
        kind: "credential",
        credential: { kind: "token", uid: "1A2B3C4D", part: "whole" },
        assurance: "uid",
      },
    ]);
  });

  it("in any bytes at any time never throws, and a card after it is read", async () => {
    const burst = fc.tuple(fc.uint8Array({ maxLength: 300 }), fc.nat({ max: 700 }));
    await fc.assert(
      fc.asyncProperty(fc.array(burst, { maxLength: 6 }), async (bursts) => {
        const bench = await new Bench().start();
        for (const [bytes, ms] of bursts) {
          bench.send(bytes);
          await bench.advance(ms);
        }
        bench.send("\rBB-1234-567890\r");
        expect(bench.readings.at(-1)).toEqual(card("BB-1234-567890"));
        let lastMs = 0;
        for (const { stamp } of bench.told) {
          expect(stamp.monotonicMs).toBeGreaterThanOrEqual(lastMs);
          lastMs = stamp.monotonicMs;
        }
        await bench.reader.stop();
        await bench.world.clock.runUntilIdle(0);
      }),
      { numRuns: 300 },
    );
  });
});

describe("its line", () => {
  it("is opened as configured", async () => {
    expect((await start({ baudRate: 19_200 })).opened).toEqual([
      { kind: "serial", path: "/dev/ttyUSB0", baudRate: 19_200 },
    ]);
    expect((await start({ port: "tcp://10.0.0.7:4001" })).opened).toEqual([
      { kind: "tcp", host: "10.0.0.7", port: 4_001 },
    ]);
  });

  it("by a name that is none is down, with a word", async () => {
    const bench = await start({ port: "COM3" });
    expect(bench.states).toEqual([expect.stringMatching(/^down: COM3 is neither tcp:\/\/host:port nor/)]);
  });

  it("takes what had begun with it when it is lost", async () => {
    const bench = await start();
    bench.send("BB-1234-");
    bench.line.closed("/dev/ttyUSB0 was unplugged");
    await bench.advance(2_000);
    expect(bench.states).toEqual(["up", "down: /dev/ttyUSB0 was unplugged", "up"]);
    bench.send("567890\r");
    expect(bench.readings).toEqual([misread("malformed", expect.anything())]);
    expect(bench.closedCount).toBe(1);
  });

  it("is heard no more once the reader is being stopped, and leaves no timer", async () => {
    const bench = await start();
    bench.send("BB-1234-");
    const stopping = bench.reader.stop();
    bench.send("567890\r");
    await stopping;
    expect(bench.told).toEqual([]);
    expect(bench.closedCount).toBe(1);
    await bench.world.clock.runUntilIdle(0);
  });
});
