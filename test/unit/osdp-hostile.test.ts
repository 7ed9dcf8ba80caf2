/**
 * Somebody sits on the cable between the gateway and one of two readers, and changes what that one says. Whatever it is
 * changed into: no card of his is believed, nothing goes over the line in the clear that must not, the neighbour's cards
 * come, and he fills no journal.
 */
import { describe, expect, it, onTestFinished } from "vitest";
import { OsdpBus } from "../../drivers/bus-osdp.ts";
import { OsdpReader } from "../../drivers/bus-osdp-reader.ts";
import { encodeFrame, FRAME_BYTES_MAX, OsdpFramer, type ReceivedFrame } from "../../drivers/codec/osdp.ts";
import { encodeReply, REPLIES, type Reply } from "../../drivers/codec/osdp-messages.ts";
import { makeSite, type OsdpSite } from "../conformance/osdp-site.ts";
import { simulatedWorld } from "../conformance/world.ts";
import { SimRandom } from "../sim/random.ts";

const KEYS = [1, 2].map((address) => new Uint8Array(16).map((_, index) => index * 3 + address));
const baudRate = 38_400;
const HIS = "BB-6666-666666";
const MINUTE_MS = 60_000;
/** What goes over the line in the clear before the channel is open: ID, CAP, CHLNG, SCRYPT. */
const CLEAR = [0x61, 0x62, 0x76, 0x77];

/** What becomes of a reply, told with all that went before it. */
type Attack = (reply: ReceivedFrame, whole: Uint8Array, before: readonly Uint8Array[]) => Uint8Array;

const random = new SimRandom("hostile");

function inClear({ address, sequence }: ReceivedFrame, reply: Reply): Uint8Array {
  const { code } = REPLIES[reply.name];
  return encodeFrame({
    address,
    reply: true,
    sequence,
    check: "crc",
    security: null,
    code,
    data: encodeReply(reply),
  });
}

function nak(reply: ReceivedFrame, reason: number): Uint8Array {
  return inClear(reply, { name: "nak", reason, detail: new Uint8Array() });
}

const card = (reply: ReceivedFrame): Uint8Array =>
  inClear(reply, {
    name: "formatted",
    reader: 0,
    direction: 0,
    characters: new Uint8Array(Buffer.from(HIS)),
  });

const ATTACKS: Readonly<Record<string, Attack>> = {
  "a card in the clear, once the channel is open": (reply, whole) => (reply.mac ? card(reply) : whole),
  "a card in the clear in place of everything": (reply) => card(reply),
  "a MAC that is wrong": ({ mac, security, ...reply }, whole) =>
    mac ? encodeFrame({ ...reply, security }, () => mac.map((byte) => ~byte)) : whole,
  "a card from before, again and again": ({ mac }, whole, before) =>
    mac ? (before.findLast((bytes) => bytes.length > whole.length) ?? whole) : whole,
  "whatever was said before": (_, whole, before) =>
    before[random.bytes(1)[0]! % Math.max(1, before.length)] ?? whole,
  "that it has left the channel": (reply, whole) => (reply.mac ? nak(reply, 6) : whole),
  "that it has left the channel, each time after a word in it": (reply, whole, before) =>
    reply.mac && new OsdpFramer().push(before.at(-1) ?? whole)[0]?.mac ? nak(reply, 6) : whole,
  "that it has lost count": (reply) => nak(reply, 4),
  "that it has no secure channel": (reply) => nak(reply, 5),
  "that it received nothing sound": (reply) => nak(reply, 1),
  "that it is busy": (reply) => inClear({ ...reply, sequence: 0 }, { name: "busy" }),
  noise: () => random.bytes(FRAME_BYTES_MAX),
  "starts of frames": () => new Uint8Array(FRAME_BYTES_MAX).fill(0x53),
  "a frame that has no end": ({ address }) =>
    Uint8Array.of(0x53, 0x80 | address, FRAME_BYTES_MAX & 0xff, FRAME_BYTES_MAX >> 8, 4, 0x40),
  nothing: () => new Uint8Array(),
};

function stage(attack: { now: Attack | null }) {
  let site: OsdpSite | null = null;
  const before: Uint8Array[] = [];
  // What he hears comes whole, a frame at a time.
  const framer = new OsdpFramer();
  const world = simulatedWorld((address, events) =>
    site!.openChannel(address, {
      ...events,
      data: (bytes) => {
        const [reply] = framer.push(bytes);
        if (reply?.address !== 1) return events.data(bytes);
        const changed = attack.now?.(reply, bytes, before) ?? bytes;
        before.push(bytes);
        if (changed.length > 0) events.data(changed);
      },
    }),
  );
  const given = KEYS.map((key, index) => ({ address: index + 1, key }));
  site = makeSite(world.clock, baudRate, given);
  const bus = new OsdpBus({ port: "/dev/ttyUSB0", baudRate }, world);
  const told = given.map(() => [] as string[]);
  const readers = given.map(({ address, key }, index) => {
    const options = {
      id: `r${address}`,
      address,
      scbk: key,
      reads: "card-number" as const,
      issuers: ["BB"],
      bus,
    };
    return new OsdpReader(options, world, {
      reading: (reading) =>
        told[index]!.push(
          reading.kind === "credential" && reading.credential.kind === "number"
            ? reading.credential.number
            : "misread",
        ),
      up: () => told[index]!.push("up"),
      down: () => told[index]!.push("down"),
      notice: ({ kind }) => told[index]!.push(kind),
    });
  });
  onTestFinished(async () => {
    await Promise.all(readers.map((reader) => reader.stop()));
    await world.clock.runUntilIdle();
  });
  return { world, site, readers, victim: told[0]!, neighbour: told[1]! };
}

describe("a reader whose replies are changed into", () => {
  it.each(Object.entries(ATTACKS))("%s", async (_, evil) => {
    const attack: { now: Attack | null } = { now: null };
    const { world, site, readers, victim, neighbour } = stage(attack);
    void Promise.all(readers.map((reader) => reader.start()));
    await world.clock.advance(2_000);
    site.pds[0]!.present("BB-1111-111111");
    await world.clock.advance(1_000);
    expect(victim).toEqual(["up", "BB-1111-111111"]);
    site.sent.splice(0);
    victim.splice(0);

    attack.now = evil;
    for (let second = 0; second < MINUTE_MS / 1_000; second += 1) {
      site.pds[0]!.present("BB-1111-111111");
      site.pds[1]!.present("BB-2222-222222");
      await world.clock.advance(1_000);
      // None of the neighbour's waits for another second.
      expect(neighbour.splice(0).filter((what) => what !== "up")).toEqual(["BB-2222-222222"]);
    }
    expect(victim).not.toContain(HIS);
    expect(victim).not.toContain("misread");
    expect(victim.filter((what) => what === "alarm").length).toBeLessThanOrEqual(1);
    // However often it could be up again, it is tried ever more seldom.
    expect(victim.filter((what) => what === "up" || what === "down").length).toBeLessThanOrEqual(40);
    const framer = new OsdpFramer();
    const frames = site.sent.flatMap(({ bytes }) => framer.push(bytes));
    expect(frames).toHaveLength(site.sent.length);
    for (const frame of frames) if (frame.mac === null) expect(CLEAR).toContain(frame.code);

    // He goes away, and it is as it was.
    attack.now = null;
    await world.clock.advance(15_000);
    victim.splice(0);
    site.pds[0]!.present("BB-3333-333333");
    await world.clock.advance(1_000);
    expect(victim.at(-1)).toBe("BB-3333-333333");
  });
});
