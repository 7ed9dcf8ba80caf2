/** An output of a reader, in the order in which a gate starts: relays first, whatever becomes of the readers. */
import { describe, expect, it } from "vitest";
import { KEY, stage } from "./osdp-stage.ts";

describe("an output of a reader that has not been started", () => {
  it("opens, is released first and may be pulsed; cards stay with the reader until it is started", async () => {
    const { world, relay, reader, told, begin, pd, site } = stage([{ address: 1, key: KEY }]);
    expect(await begin(relay, 1_000)).toBeLessThan(500);
    expect(told).toEqual(["relay up"]);
    expect(site.told.get(1)).toContainEqual({ kind: "output", output: 0, energised: false, timed: false });
    pd?.present("BB-1234-567890");
    pd?.tamper(true);
    relay.pulse(800);
    await world.clock.advance(20_000);
    expect(told.splice(0)).toEqual(["relay up", "energised", "released"]);
    expect(pd?.isSecure).toBe(true);
    await begin(reader, 500);
    expect(told.splice(0)).toEqual(["reader up", "tamper", "credential"]);
    await reader.stop();
    pd?.present("BB-1234-567890");
    relay.pulse(100);
    await world.clock.advance(1_000);
    expect(told).toEqual(["energised", "released"]);
  });

  it("says why where the reader does not answer, and so does the reader", async () => {
    const { relay, reader, told, begin } = stage([]);
    expect(await begin(relay, 2_000)).toBeLessThan(500);
    expect(told.splice(0)).toEqual([
      expect.stringMatching(/^relay down its reader is down: it does not answer/),
    ]);
    // What the relay has found out holds for the reader.
    expect(await begin(reader, 100)).toBe(0);
    expect(told).toEqual([expect.stringMatching(/^reader down it does not answer/)]);
  });
});
