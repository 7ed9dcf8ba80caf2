/** What a technician is shown of an OSDP line by `trace` and `identify`. */
import { describe, expect, it } from "vitest";
import { OsdpFramer } from "../../drivers/codec/osdp.ts";
import type { Sight, Stamp } from "../../drivers/driver.ts";
import { KEY, stage } from "./osdp-stage.ts";

const LSTAT = 0x64;
const POLL = 0x60;
const KEYSET = 0x75;

class Eye {
  readonly sights: Sight[] = [];
  readonly stamps: Stamp[] = [];

  observer = (sight: Sight, stamp: Stamp): void => {
    this.sights.push(sight);
    this.stamps.push(stamp);
  };

  /** Codes of the frames that went one way. */
  codes(direction: "in" | "out"): number[] {
    return this.sights.flatMap((sight) =>
      sight.kind === "bytes" && sight.direction === direction
        ? new OsdpFramer().push(sight.bytes).map(({ code }) => code)
        : [],
    );
  }
}

describe("a reader that is looked at", () => {
  it("shows each exchange that brings something, both ways, and the card itself; polls for nothing not", async () => {
    const { world, reader, begin, pd } = stage([{ address: 1, key: null }], { key: null });
    const eye = new Eye();
    reader.observe(eye.observer);
    await begin(reader, 2_000);
    // Who it is, what it can, how it is; and then 40 polls.
    expect(eye.codes("out")).toEqual([0x61, 0x62, LSTAT]);
    expect(eye.codes("in")).toEqual([0x45, 0x46, 0x48]);
    eye.sights.splice(0);
    pd?.present("BB-1234-567890");
    pd?.present("uid:04A1B2C3");
    await world.clock.advance(200);
    expect(eye.codes("out")).toEqual([POLL, POLL]);
    expect(eye.codes("in")).toEqual([0x51, 0x50]);
    expect(eye.sights.filter(({ kind }) => kind !== "bytes")).toEqual([
      { kind: "text", text: "BB-1234-567890" },
      { kind: "bits", countBits: 32, bytes: Uint8Array.of(0x04, 0xa1, 0xb2, 0xc3) },
    ]);
    expect(eye.sights.map(({ kind }) => kind)).toEqual(["bytes", "bytes", "text", "bytes", "bytes", "bits"]);
    const times = eye.stamps.map(({ monotonicMs }) => monotonicMs);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    reader.observe(null);
    pd?.present("BB-1234-567890");
    await world.clock.advance(200);
    expect(eye.codes("out")).toHaveLength(2);
  });

  it("shows what came in place of a reply, however much, up to a bound", async () => {
    const { world, reader, begin, pd, site } = stage([{ address: 1, key: KEY }]);
    await begin(reader, 1_000);
    const eye = new Eye();
    reader.observe(eye.observer);
    if (pd) pd.faults.silent = true;
    for (let times = 0; times < 1_200; times += 1) {
      await world.clock.advance(1);
      site.disturb(new Uint8Array(100).fill(0x53));
    }
    const heard = eye.sights.flatMap((sight) =>
      sight.kind === "bytes" && sight.direction === "in" ? [sight.bytes.length] : [],
    );
    expect(heard.length).toBeGreaterThan(0);
    expect(Math.max(...heard)).toBe(2_880);
  });

  it("shows its key to nobody", async () => {
    const { world, reader, begin, site } = stage([{ address: 1, key: null, installMode: true }]);
    const eye = new Eye();
    reader.observe(eye.observer);
    await begin(reader, 2_000);
    expect(reader.commission(60_000)).toBeNull();
    await world.clock.advance(3_000);
    const sent = site.sent.flatMap(({ bytes }) => new OsdpFramer().push(bytes).map(({ code }) => code));
    expect(sent).toContain(KEYSET);
    expect(eye.codes("out")).toContain(0x76);
    expect(eye.codes("out")).not.toContain(KEYSET);
  });
});
