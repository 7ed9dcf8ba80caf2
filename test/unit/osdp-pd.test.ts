import { describe, expect, it } from "vitest";
import { openDesk } from "../../daemon/commands/osdp-pd-desk.ts";
import { OsdpBus } from "../../drivers/bus-osdp.ts";
import { OsdpReader } from "../../drivers/bus-osdp-reader.ts";
import { openChannel } from "../../drivers/channel.ts";
import { encodeFrame, OsdpFramer, type ReceivedFrame, SECURITY } from "../../drivers/codec/osdp.ts";
import { type Command, commandCode, decodeReply, encodeCommand } from "../../drivers/codec/osdp-messages.ts";
import { parseKey } from "../../drivers/codec/osdp-secure.ts";
import type { ReaderEvents, ReaderNotice } from "../../drivers/driver.ts";
import { OsdpPd, type PdTold } from "../../drivers/osdp-pd.ts";
import { OsdpPdLine } from "../../drivers/osdp-pd-line.ts";
import { hurriedWorld, until } from "../conformance/world.ts";
import { SimClock } from "../sim/clock.ts";
import { SimRandom } from "../sim/random.ts";

const KEY = new Uint8Array(Buffer.from("00112233445566778899AABBCCDDEEFF", "hex"));

function frameOf(bytes: Uint8Array): ReceivedFrame {
  const [frame] = new OsdpFramer().push(bytes);
  if (frame === undefined) throw new Error("that is no frame");
  return frame;
}

/** A reader without a cable: commands in the clear go in, replies come out. */
function bench(key: Uint8Array | null = null) {
  const clock = new SimClock();
  const told: PdTold[] = [];
  const pd = new OsdpPd({ address: 3, key }, { clock, random: new SimRandom(1) }, (what) => told.push(what));
  const say = (sequence: number, command: Command, address = 3) => {
    const data = encodeCommand(command);
    const code = commandCode(command);
    const frame = { address, reply: false, sequence, check: "crc" as const, security: null, code, data };
    return pd.take(frameOf(encodeFrame(frame)));
  };
  const ask = (sequence: number, command: Command) => {
    const bytes = say(sequence, command);
    if (bytes === null) return null;
    const frame = frameOf(bytes);
    const decoded = decodeReply(frame.code, frame.data);
    return decoded.kind === "message" ? decoded.message : decoded;
  };
  return { clock, pd, told, say, ask };
}

describe("a simulated reader", () => {
  it("counts along, says the same again to the same, and refuses any other number", () => {
    const { pd, say, ask } = bench();
    expect(ask(0, { name: "id", form: 0 })).toMatchObject({ name: "id" });
    pd.present("one");
    pd.present("two");
    const first = say(1, { name: "poll" });
    expect(say(1, { name: "poll" })).toEqual(first);
    expect(ask(3, { name: "poll" })).toMatchObject({ name: "nak", reason: 4 });
    expect(ask(2, { name: "poll" })).toMatchObject({ name: "formatted" });
    expect(ask(3, { name: "poll" })).toEqual({ name: "ack" });
    expect(ask(1, { name: "poll" })).toEqual({ name: "ack" });
  });

  it("keeps a card until the next command shows that its reply has come, and gives it once", async () => {
    const { clock, pd, ask } = bench();
    ask(0, { name: "poll" });
    pd.present("one");
    expect(ask(1, { name: "poll" })).toMatchObject({ name: "formatted" });
    // The gateway has heard nothing, and begins anew.
    await clock.advance(1_500);
    expect(ask(0, { name: "id", form: 0 })).toMatchObject({ name: "id" });
    expect(ask(1, { name: "poll" })).toMatchObject({ name: "formatted" });
    expect(ask(2, { name: "poll" })).toEqual({ name: "ack" });
    pd.present("two");
    expect(ask(3, { name: "poll" })).toMatchObject({ name: "formatted" });
    // Whoever it was of has gone.
    await clock.advance(2_001);
    expect(ask(0, { name: "poll" })).toEqual({ name: "ack" });
  });

  it("gives no card for ever to a control panel that begins anew with every command", async () => {
    const { clock, pd, ask } = bench();
    pd.present("one");
    const seen: unknown[] = [];
    for (let polls = 0; polls < 6; polls += 1) {
      seen.push(ask(0, { name: "poll" }));
      await clock.advance(500);
    }
    expect(seen).toMatchObject(
      ["formatted", "formatted", "formatted", "formatted", "formatted", "ack"].map((name) => ({ name })),
    );
  });

  it("hears what is for it and for everybody, and nothing else", () => {
    const { say } = bench();
    expect(say(0, { name: "poll" }, 4)).toBeNull();
    expect(say(0, { name: "poll" }, 127)).not.toBeNull();
  });

  it("forgets where it was after 8 s without a word", async () => {
    const { clock, ask } = bench();
    ask(0, { name: "poll" });
    await clock.advance(7_900);
    expect(ask(1, { name: "poll" })).toEqual({ name: "ack" });
    await clock.advance(8_100);
    expect(ask(2, { name: "poll" })).toMatchObject({ name: "nak", reason: 4 });
  });

  it("with a key says who it is in the clear, and nothing more", () => {
    const { pd, ask } = bench(KEY);
    pd.present("BB-1234-567890");
    expect(ask(0, { name: "id", form: 0 })).toMatchObject({ name: "id" });
    expect(ask(1, { name: "capabilities", form: 0 })).toMatchObject({ name: "capabilities" });
    expect(ask(2, { name: "poll" })).toMatchObject({ name: "nak", reason: 6 });
    expect(ask(3, { name: "keySet", type: 1, key: KEY })).toMatchObject({ name: "nak", reason: 6 });
  });

  it("refuses a server's proof that is none, and a message that was changed", () => {
    const { pd, say, ask } = bench(KEY);
    const frame = { address: 3, reply: false, check: "crc" as const };
    const challenge = { ...frame, sequence: 0, code: 0x76, data: new Uint8Array(8) };
    const security = { type: SECURITY.challenge, data: Uint8Array.of(1) };
    expect(frameOf(pd.take(frameOf(encodeFrame({ ...challenge, security })))!).code).toBe(0x76);
    const refused = frameOf(say(1, { name: "serverCryptogram", cryptogram: new Uint8Array(16) })!);
    expect(refused.security?.data[0]).toBe(0xff);
    expect(pd.isSecure).toBe(false);
    const mac = { type: SECURITY.commandMac, data: new Uint8Array() };
    const sealed = encodeFrame(
      { ...frame, sequence: 2, code: 0x60, data: new Uint8Array(), security: mac },
      () => KEY,
    );
    expect(decodeReply(0x41, frameOf(pd.take(frameOf(sealed))!).data)).toMatchObject({
      message: { reason: 6 },
    });
    expect(ask(3, { name: "poll" })).toMatchObject({ name: "nak", reason: 6 });
  });

  it("times its outputs itself, and lets them fall when it loses its power", async () => {
    const { clock, pd, ask } = bench();
    const switchOn = (timer: number, control: number): Command => ({
      name: "output",
      records: [{ output: 1, control, timer }],
    });
    expect(ask(0, switchOn(8, 5))).toMatchObject({ name: "outputStatus", states: Uint8Array.of(0, 1, 0, 0) });
    await clock.advance(790);
    expect(pd.energised(1)).toBe(true);
    await clock.advance(20);
    expect(pd.energised(1)).toBe(false);
    ask(1, switchOn(0, 2));
    await clock.advance(60_000);
    expect(pd.energised(1)).toBe(true);
    pd.restart();
    expect(pd.energised(1)).toBe(false);
    expect(ask(0, { name: "output", records: [{ output: 9, control: 2, timer: 0 }] })).toMatchObject({
      reason: 9,
    });
  });

  it("keeps 16 cards that nobody asks for, and loses the rest", () => {
    const { pd, ask } = bench();
    for (let card = 0; card < 30; card += 1) pd.present(`card ${card}`);
    const replies = Array.from({ length: 30 }, (_, poll) =>
      ask(poll === 0 ? 0 : ((poll - 1) % 3) + 1, { name: "poll" }),
    );
    const names = replies.map((reply) => (reply !== null && "name" in reply ? reply.name : null));
    expect(names).toEqual([...Array(16).fill("formatted"), ...Array(14).fill("ack")]);
  });

  it("begins anew after a pause in the middle of a frame", async () => {
    const clock = new SimClock();
    const written: Uint8Array[] = [];
    const pd = new OsdpPd({ address: 0, key: null }, { clock, random: new SimRandom(1) });
    const line = new OsdpPdLine([pd], clock, { turnaroundMs: 3, write: (bytes) => written.push(bytes) });
    const poll = Buffer.from("53000900046100C066", "hex");
    line.take(Buffer.from("530040000461", "hex"));
    await clock.advance(30);
    line.take(poll.subarray(0, 4));
    line.take(poll.subarray(4));
    await clock.advance(2);
    expect(written).toEqual([]);
    await clock.advance(2);
    expect(written).toHaveLength(1);
    line.stop();
  });
});

describe("a key", () => {
  it("is 32 hexadecimal digits, and none that anybody could guess", () => {
    expect(parseKey("00112233445566778899aabbccddeeff")).toEqual({ kind: "key", key: KEY });
    expect(parseKey("00112233 44556677-8899AABB:CCDDEEFF\n")).toEqual({ kind: "key", key: KEY });
    for (const text of [
      "",
      "0011",
      `${"0".repeat(31)}g`,
      "303132333435363738393A3B3C3D3E3F",
      "5".repeat(32),
    ]) {
      const parsed = parseKey(text);
      expect(parsed).toMatchObject({ kind: "refused" });
      if (parsed.kind === "refused" && text.length > 4) expect(parsed.why).not.toContain(text);
    }
  });
});

describe("the desk", () => {
  it("serves a gateway over TCP: what is typed is presented, what the gateway does is shown", async () => {
    const world = hurriedWorld(4);
    const shown: string[] = [];
    const desk = await openDesk(
      { place: { kind: "listen", port: 0 }, addresses: [1, 2], key: KEY, installMode: false },
      world,
      (line) => shown.push(line),
      () => {},
    );
    const bus = new OsdpBus({ port: desk.port, baudRate: 115_200 }, { ...world, openChannel });
    const readings: string[] = [];
    const notices: ReaderNotice[] = [];
    const events: ReaderEvents = {
      reading: (reading) => {
        if (reading.kind === "credential" && reading.credential.kind === "number") {
          readings.push(reading.credential.number);
        }
      },
      up: () => {},
      down: () => {},
      notice: (notice) => notices.push(notice),
    };
    const readers = [1, 2].map(
      (address) =>
        new OsdpReader(
          { id: `r${address}`, address, scbk: KEY, reads: "card-number", issuers: ["BB"], bus },
          world,
          events,
        ),
    );
    await Promise.all(readers.map((reader) => reader.start()));
    expect(desk.type("BB-1234-567890")).toBe("");
    expect(desk.type("2: BB-1234-567891")).toBe("");
    expect(desk.type("tamper on")).toBe("");
    await until(world, () => readings.length === 2 && notices.length === 1);
    expect(readings.sort()).toEqual(["BB-1234-567890", "BB-1234-567891"]);
    expect(notices).toEqual([{ kind: "tamper", active: true }]);
    readers[0]?.signal("granted");
    readers[1]?.signal("denied");
    await until(world, () => shown.filter((line) => /light|beep/.test(line)).length === 4);
    expect(shown).toContain("1: secure channel open");
    expect(shown).toContain("1: light green for 2 s");
    expect(shown).toContain("2: light red for 2 s");
    expect(shown).toContain("2: 3 beeps");
    expect(desk.type("7: BB-1234-567890")).toBe("there is no reader 7, only 1, 2");
    expect(desk.type("help")).toContain("presents a card");
    expect(desk.type("")).toBe("");
    await Promise.all(readers.map((reader) => reader.stop()));
    await desk.stop();
  });
});
