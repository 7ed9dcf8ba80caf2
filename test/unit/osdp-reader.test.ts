/** What a reader tells and is told, whatever its key: cards, keypad, tamper, power, lights, its address. */
import { describe, expect, it } from "vitest";
import { OsdpBus } from "../../drivers/bus-osdp.ts";
import { OsdpReader } from "../../drivers/bus-osdp-reader.ts";
import { COLOUR } from "../../drivers/codec/osdp-messages.ts";
import { makeSite } from "../conformance/osdp-site.ts";
import { simulatedWorld } from "../conformance/world.ts";
import { Ear, KEY, line, MODEL, one } from "./osdp-line.ts";

describe("a reader", () => {
  it("that is busy is asked again with the same words, and is down when it stays so", async () => {
    const { world, ear, pd } = await line(one());
    pd.present("BB-1234-567890");
    pd.faults.busyCount = 20;
    await world.clock.advance(2_000);
    expect(ear.readings).toEqual(["BB-1234-567890"]);
    pd.faults.busyCount = 10_000;
    await world.clock.advance(8_500);
    expect(ear.states.slice(1)).toEqual(["down it has said busy for 8 s"]);
  });

  it("without a key, on a site that says so, speaks in the clear", async () => {
    const { world, ear, pd } = await line(one({ key: null }), { key: null });
    pd.present("bb 1234 567890");
    await world.clock.advance(100);
    expect(ear.readings).toEqual(["BB-1234-567890"]);
  });

  it("that demands a key, on a site that gives none, is down and says so", async () => {
    const { ear } = await line(one(), { key: null });
    expect(ear.states).toEqual(["down it demands a secure channel: give its key as scbk"]);
  });

  it("hands over raw bits as the site reads them, and refuses what is no whole UID", async () => {
    const { world, ear, pd } = await line(one(), { reads: "uid" });
    pd.present("uid:04A1B2C3D4E5F6");
    pd.present("uid:04A1B2C3");
    pd.presentBits({ countBits: 26, bytes: Uint8Array.of(1, 2, 3, 4) });
    await world.clock.advance(300);
    expect(ear.readings).toEqual([
      "04A1B2C3D4E5F6 whole",
      "04A1B2C3 whole",
      "malformed: 26 bits are no whole bytes: reads may have to be { wiegand: 26 }",
    ]);
    const cut = await line(one(), { reads: { uid: "dec", order: "lsb", bytes: 4, cut: "first" } });
    cut.pd.present("uid:C3B2A104");
    await cut.world.clock.advance(100);
    expect(cut.ear.readings).toEqual(["04A1B2C3 first"]);
    const text = await line(one());
    text.pd.present("uid:04A1B2C3");
    await text.world.clock.advance(100);
    expect(text.ear.readings).toEqual([
      "malformed: 32 bits came where text was expected: reads may have to be uid",
    ]);
  });

  it("stamps a card when its first byte came, not when it was asked", async () => {
    const { world, ear, pd } = await line(one());
    const presentedMs = world.clock.monotonicMs();
    pd.present("BB-1234-567890");
    await world.clock.advance(200);
    expect(ear.stamps[0]! - presentedMs).toBeGreaterThan(0);
    expect(ear.stamps[0]! - presentedMs).toBeLessThan(100);
  });

  it("tells of keys, tamper and power, each change once", async () => {
    const { world, ear, pd } = await line(one());
    pd.press("12*#");
    pd.tamper(true);
    pd.tamper(true);
    pd.failPower(true);
    await world.clock.advance(400);
    pd.tamper(false);
    await world.clock.advance(100);
    expect(ear.notices).toEqual([
      { kind: "keys", digits: "12*#" },
      { kind: "tamper", active: true },
      { kind: "power", failed: true },
      { kind: "tamper", active: false },
    ]);
  });

  it("that was opened before the gateway came says so when it is up", async () => {
    const made = await line([]);
    const site = makeSite(made.world.clock, 9_600, one());
    site.pds[0]!.tamper(true);
    const world = simulatedWorld((address, events) => site.openChannel(address, events));
    const ear = new Ear();
    const bus = new OsdpBus({ port: "/dev/ttyUSB0", baudRate: 9_600 }, { ...world, clock: made.world.clock });
    const reader = new OsdpReader(
      { id: "r", address: 1, scbk: KEY, reads: "uid", issuers: [], bus },
      { ...world, clock: made.world.clock },
      ear,
    );
    const started = reader.start();
    await made.world.clock.advance(1_000);
    await started;
    expect(ear.notices).toEqual([{ kind: "tamper", active: true }]);
    await reader.stop();
  });

  it("shows green and red, and beeps", async () => {
    const { world, reader, site } = await line(one());
    reader.signal("granted");
    await world.clock.advance(200);
    expect(site.told.get(1)!.splice(0).slice(1)).toEqual([
      { kind: "light", colour: COLOUR.green, tenths: 20 },
      { kind: "beep", count: 1 },
    ]);
    reader.signal("denied");
    await world.clock.advance(200);
    expect(site.told.get(1)).toEqual([
      { kind: "light", colour: COLOUR.red, tenths: 20 },
      { kind: "beep", count: 3 },
    ]);
  });

  it("that refuses a command stays up", async () => {
    const { world, reader, pd, ear } = await line(one());
    pd.faults.nak = 3;
    reader.signal("granted");
    await world.clock.advance(1_000);
    pd.faults.nak = null;
    pd.present("BB-1234-567890");
    await world.clock.advance(100);
    expect(ear.readings).toEqual(["BB-1234-567890"]);
    expect(ear.states).toEqual([MODEL]);
  });

  it("is given another address, and answers at that one from then on", async () => {
    const { world, reader, pd, ear } = await line(one());
    await expect(reader.setLine(127, 9_600)).rejects.toThrow(/no place on a line/);
    await expect(reader.setLine(Number.NaN, 9_600)).rejects.toThrow(/no place on a line/);
    for (const speed of [0, 9_600.5, 2 ** 32 + 9_600, Number.NaN])
      await expect(reader.setLine(7, speed)).rejects.toThrow(/no place on a line/);
    const answered = reader.setLine(7, 38_400);
    await world.clock.advance(200);
    expect(await answered).toEqual({ address: 7, baudRate: 38_400 });
    expect(pd.address).toBe(7);
    await world.clock.advance(2_000);
    expect(ear.states.at(-1)).toMatch(/^down it does not answer/);
  });
});
