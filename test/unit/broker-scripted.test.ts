import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { FIVE_AGAIN_MS } from "../../drivers/broker.ts";
import {
  PAUSE_MS_FIRST,
  TAKEN_OVER_PAUSE_MS_FIRST,
  WORDLESS_LOSSES_MAX,
} from "../../drivers/broker-backoff.ts";
import { PACKET_BYTES_MAX, RECEIVED_BYTES_MAX } from "../../drivers/broker-guard.ts";
import { KEEPALIVE_SECONDS, RECEIVED_AT_ONCE_MAX } from "../../drivers/broker-session.ts";
import {
  CONNACK_4,
  CONNACK_5,
  HurriedClock,
  type Link,
  puback,
  type ScriptedBroker,
  startScriptedBroker,
  TAP,
  until,
  type Watched,
  WILL,
  watch,
} from "./broker-watch.ts";

let server: ScriptedBroker;
let client: Watched;

afterEach(async () => {
  // No script answers the last message, and it is waited for.
  client.clock.hurry(20);
  await client.broker.stop(WILL);
  expect(client.clock.owedMs).toEqual([]);
  await until(() => server.open() === 0, "no connection is left");
  await server.stop();
});

/** Sends these bytes for an answer to each CONNECT. */
const answer =
  (...bytes: number[]) =>
  ({ socket }: Link) =>
    void socket.write(Uint8Array.from(bytes));

/** As brokers of 3.1.1 answer. */
const NO_FIVE = Uint8Array.of(0x20, 0x02, 0x00, 0x01);

/** A PUBLISH of QoS 0 to topic `t`, on 3.1.1. */
function publishTo4(payloadBytes: number): Buffer {
  const length = 3 + payloadBytes;
  const lengths: number[] = [];
  for (let rest = length; ; rest >>= 7) {
    lengths.push((rest & 0x7f) | (rest > 127 ? 0x80 : 0));
    if (rest <= 127) break;
  }
  return Buffer.concat([Buffer.from([0x30, ...lengths, 0, 1, 0x74]), Buffer.alloc(payloadBytes)]);
}

describe("the version of MQTT", () => {
  /** And what is asked for until 3.1.1 is spoken: what is said in words is believed at once. */
  const refusals: [string, (link: Link) => void, number[]][] = [
    ["CONNACK 0x84", answer(0x20, 0x03, 0x00, 0x84, 0x00), [5, 4]],
    ["CONNACK 1, as brokers of 3.1.1 answer", answer(...NO_FIVE), [5, 4]],
    ["a closed connection", ({ socket }) => void socket.end(), [5, 4, 5, 4]],
    ["a reset connection", ({ socket }) => void socket.resetAndDestroy(), [5, 4, 5, 4]],
  ];

  test.each(refusals)(
    "falls back to 3.1.1 after %s, remembers it, and tries 5 again later",
    async (_, refuse, asked) => {
      server = await startScriptedBroker((link) => (link.level === 5 ? refuse : answer(...CONNACK_4))(link));
      client = watch({ urls: [server.url] });
      await client.up();
      expect(client.sessions[0]).toMatchObject({ protocol: "3.1.1", receiveMaximum: 100 });
      server.links.at(-1)?.socket.destroy();
      await client.up(2);
      client.clock.skippedMs += FIVE_AGAIN_MS;
      server.links.at(-1)?.socket.destroy();
      await client.up(3);
      expect(server.links.map(({ level }) => level)).toEqual([...asked, 4, ...asked]);
      expect(client.downs).toHaveLength(2);
    },
  );

  // Found by the long run (test/rig/soak.test.ts): a broker that came back between the two tries was spoken to in 3.1.1 from then on.
  test.each(refusals.slice(2))("is 5 where a broker that has it begins with %s", async (_, refuse) => {
    let isThere = false;
    server = await startScriptedBroker((link) => {
      if (link.level === 4) isThere = true;
      if (!isThere) return refuse(link);
      return answer(...(link.level === 5 ? CONNACK_5 : CONNACK_4))(link);
    });
    client = watch({ urls: [server.url] });
    await client.up();
    expect(client.sessions[0]).toMatchObject({ protocol: "5.0" });
    expect(server.links.map(({ level }) => level)).toEqual([5, 4, 5]);
    // A clean end: the will is not for this.
    expect(server.links[1]?.packetTypes().at(-1)).toBe(0xe0);
    isThere = false;
    server.links.at(-1)?.socket.destroy();
    await client.up(2);
    expect(client.sessions[1]).toMatchObject({ protocol: "5.0" });
    expect(client.downs).toHaveLength(1);
  });

  test.each(refusals)("is 3.1.1 where a broker that had 5 says %s", async (_, refuse, asked) => {
    let hasFive = true;
    server = await startScriptedBroker((link) => {
      if (link.level === 4) return answer(...CONNACK_4)(link);
      return (hasFive ? answer(...CONNACK_5) : refuse)(link);
    });
    client = watch({ urls: [server.url] });
    await client.up();
    hasFive = false;
    server.links.at(-1)?.socket.destroy();
    await client.up(2);
    expect(server.links.map(({ level }) => level)).toEqual([5, ...asked]);
  });

  test("nothing is heard on a connection that is left to ask for 5 once more", async () => {
    server = await startScriptedBroker(
      (link) => (link.level === 5 ? void link.socket.end() : answer(...CONNACK_4)(link)),
      ({ packetTypes, socket }) => {
        // What was under way to it: whoever asked could not be answered.
        if (packetTypes().at(-1) === 0xe0) socket.write(publishTo4(2));
      },
    );
    client = watch({ urls: [server.url] });
    await client.up();
    expect(client.received).toEqual([]);
    server.links.at(-1)?.socket.write(publishTo4(3));
    await until(() => client.received.length > 0, "it is heard");
    expect(client.received.map(({ payload }) => payload.length)).toEqual([3]);
  });

  test("is 3.1.1 where a broker lets in no more than three connections at once", async () => {
    let count = 0;
    server = await startScriptedBroker((link) => {
      count += 1;
      if (link.level === 5 || count % 4 === 0) return void link.socket.end();
      return answer(...CONNACK_4)(link);
    });
    client = watch({ urls: [server.url] }, new HurriedClock(10));
    await client.up();
    expect(server.links.map(({ level }) => level)).toEqual([5, 4, 5, 4, 4]);
  });

  test("stays 5 when the password is refused", async () => {
    server = await startScriptedBroker(answer(0x20, 0x03, 0x00, 0x86, 0x00));
    client = watch({ urls: [server.url] });
    await client.down();
    expect(client.downs).toEqual([
      `127.0.0.1:${server.port}: the broker refuses the user name or password: check mqtt.username and mqtt.password`,
    ]);
    expect(server.links.map(({ level }) => level)).toEqual([5]);
  });
});

test("the will is of QoS 1 and retained, and the session ends with the connection, on 5 and on 3.1.1", async () => {
  server = await startScriptedBroker(
    ({ level, socket }) => void socket.write(level === 5 ? NO_FIVE : Uint8Array.from(CONNACK_4)),
  );
  client = watch({ urls: [server.url] });
  await client.up();
  // Flags of CONNECT (MQTT 5, section 3.1.2.3), after the protocol's name and its level.
  const flags = server.links.map((link) => link.bytes()[link.bytes().indexOf("MQTT") + 5]);
  expect(flags).toEqual([0b0010_1110, 0b0010_1110]);
});

describe("publishing", () => {
  const answered = (reason: number) => (link: Link) => {
    if (link.packetTypes().at(-1)! >> 4 === 3) link.socket.write(puback(link.lastPublishId(), reason));
  };

  test.each([
    [0x97, "quota exceeded"],
    [0x99, "payload format invalid"],
    [0x87, "not authorized"],
    [0x90, "topic name invalid"],
  ])("reason %i is refused by its name", async (reason, why) => {
    server = await startScriptedBroker(answer(...CONNACK_5), answered(reason));
    client = watch({ urls: [server.url] });
    await client.up();
    expect(await client.broker.publish(TAP)).toEqual({ kind: "refused", why });
  });

  test("no matching subscribers is an acknowledgement", async () => {
    server = await startScriptedBroker(answer(...CONNACK_5), answered(0x10));
    client = watch({ urls: [server.url] });
    await client.up();
    expect(await client.broker.publish(TAP)).toEqual({ kind: "acknowledged" });
  });

  test("never sends more at once than the broker takes", async () => {
    server = await startScriptedBroker(answer(0x20, 0x06, 0, 0, 3, 0x21, 0, 1));
    client = watch({ urls: [server.url] });
    await client.up();
    expect(client.sessions[0]?.receiveMaximum).toBe(1);
    const first = client.broker.publish(TAP);
    expect(await client.broker.publish(TAP)).toEqual({
      kind: "lost",
      why: "not sent: 1 messages already wait for the broker's answer",
    });
    await until(() => server.links[0]!.packetTypes().includes(0x32), "the first is sent");
    server.links[0]?.socket.write(puback(server.links[0].lastPublishId()));
    expect(await first).toEqual({ kind: "acknowledged" });
    expect(server.links[0]?.packetTypes().filter((type) => type === 0x32)).toHaveLength(1);
  });

  test("does not send what the broker would not take", async () => {
    server = await startScriptedBroker(answer(0x20, 0x08, 0, 0, 5, 0x27, 0, 0, 0, 100), answered(0));
    client = watch({ urls: [server.url] });
    await client.up();
    expect(client.sessions[0]?.maximumPacketSizeBytes).toBe(100);
    const tooLong = await client.broker.publish({ ...TAP, payload: "å".repeat(40) });
    expect(tooLong).toMatchObject({
      kind: "refused",
      why: expect.stringMatching(/^packet too large: \d+ bytes/),
    });
    for (const topic of ["", "p/#", "p/+/x", "p/\0", "p".repeat(65_536)]) {
      expect(await client.broker.publish({ ...TAP, topic })).toMatchObject({ kind: "refused" });
    }
    expect(await client.broker.publish({ ...TAP, payload: "x".repeat(40) })).toEqual({
      kind: "acknowledged",
    });
    expect(server.links[0]?.packetTypes().filter((type) => type === 0x32)).toHaveLength(1);
  });

  test("gives up a connection on which a message is not acknowledged", async () => {
    server = await startScriptedBroker(answer(...CONNACK_5));
    client = watch({ urls: [server.url] }, new HurriedClock(20));
    await client.up();
    const why = "the broker has not acknowledged a message within 10 s";
    const outcomes = await Promise.all([client.broker.publish(TAP), client.broker.publish(TAP)]);
    expect(outcomes).toEqual([
      { kind: "lost", why },
      { kind: "lost", why },
    ]);
    await client.up(2);
    expect(client.downs).toEqual([why]);
  });

  test("tells each other reason for which it stays out of reach, and none twice", async () => {
    let refusals = 0;
    server = await startScriptedBroker((link) => {
      refusals += 1;
      answer(0x20, 0x03, 0x00, refusals <= 2 ? 0x86 : 0x89, 0x00)(link);
    });
    client = watch({ urls: [server.url] });
    await client.down(2);
    expect(refusals).toBeGreaterThan(2);
    expect(client.downs.map((why) => why.replace(/^[^ ]+ /, ""))).toEqual([
      "the broker refuses the user name or password: check mqtt.username and mqtt.password",
      expect.stringMatching(/busy/),
    ]);
  });

  test("leaves the content type out on 3.1.1, which has none", async () => {
    server = await startScriptedBroker(
      ({ level, socket }) => void socket.write(level === 5 ? NO_FIVE : Uint8Array.from(CONNACK_4)),
      answered(0),
    );
    client = watch({ urls: [server.url] });
    await client.up();
    expect(await client.broker.publish(TAP)).toEqual({ kind: "acknowledged" });
    expect(server.links[1]?.bytes().includes(TAP.topic)).toBe(true);
    expect(server.links[1]?.bytes().includes(TAP.contentType!)).toBe(false);
  });
});

describe("a connection that goes wrong", () => {
  test("a broker that says nothing is left after 10 s", async () => {
    server = await startScriptedBroker(() => {});
    client = watch({ urls: [server.url] }, new HurriedClock(20));
    await client.down();
    expect(client.downs).toEqual([`127.0.0.1:${server.port}: no answer within 10 s`]);
    expect(server.links.map(({ level }) => level)).toEqual([5]);
  });

  test("the broker's own, longer keepalive does not hide that it froze", async () => {
    server = await startScriptedBroker(answer(0x20, 0x06, 0, 0, 3, 0x13, 0xff, 0xff));
    client = watch({ urls: [server.url] }, new HurriedClock(20));
    await client.up();
    await client.down();
    expect(client.downs).toEqual(["the broker no longer answers"]);
    expect(server.links[0]?.packetTypes().at(-1)).toBe(0xc0);
    expect(Math.max(...client.clock.delaysMs)).toBeLessThanOrEqual(KEEPALIVE_SECONDS * 1000);
  });

  test("being taken over keeps away for long", async () => {
    server = await startScriptedBroker((link) => answer(...CONNACK_5, 0xe0, 0x02, 0x8e, 0x00)(link));
    client = watch({ urls: [server.url] });
    await client.down();
    expect(client.downs).toEqual([
      "the broker ended the connection: session taken over: another client uses the same client id",
    ]);
    await until(() => client.clock.delaysMs.includes(TAKEN_OVER_PAUSE_MS_FIRST * 0.75), "the long pause");
    // At once, and not as the last of the growing pauses after any other loss.
    expect(client.clock.delaysMs).not.toContain(PAUSE_MS_FIRST * 0.75);
    expect(server.links).toHaveLength(1);
  });

  test("so do short connections in a row that the broker ends without a word", async () => {
    server = await startScriptedBroker(({ socket }) => void socket.end(Uint8Array.from(CONNACK_5)));
    client = watch({ urls: [server.url] }, new HurriedClock(10));
    await until(() => client.clock.delaysMs.includes(TAKEN_OVER_PAUSE_MS_FIRST * 0.75), "the long pause");
    const closed = "the broker closed the connection";
    expect(client.downs).toEqual([
      ...Array(WORDLESS_LOSSES_MAX - 1).fill(closed),
      `${closed}: does another client use the same client id?`,
    ]);
  });

  test("a message that is too long is dropped with a word, the next one is heard", async () => {
    server = await startScriptedBroker(({ level, socket }) => {
      if (level === 5) return void socket.write(NO_FIVE);
      socket.write(Uint8Array.from(CONNACK_4));
      for (const bytes of [RECEIVED_BYTES_MAX + 1, RECEIVED_BYTES_MAX]) socket.write(publishTo4(bytes));
    });
    client = watch({ urls: [server.url] });
    await until(() => client.received.length > 0, "the second is heard");
    expect(client.received.map(({ payload }) => payload.length)).toEqual([RECEIVED_BYTES_MAX]);
    expect(client.warnings).toEqual(["a message is dropped: it is too long"]);
    expect(client.downs).toEqual([]);
  });

  test("a packet without end is not kept", async () => {
    server = await startScriptedBroker(({ level, socket }) => {
      if (level === 5) return void socket.write(NO_FIVE);
      socket.write(Uint8Array.from(CONNACK_4));
      socket.write(publishTo4(PACKET_BYTES_MAX * 4).subarray(0, PACKET_BYTES_MAX * 2));
    });
    client = watch({ urls: [server.url] });
    await client.down();
    expect(client.downs).toEqual(["the broker sent a packet that is too long"]);
  });

  test("messages without end are not listened to, and a broker that has calmed down is", async () => {
    let connections = 0;
    server = await startScriptedBroker(({ level, socket }) => {
      if (level === 5) return void socket.write(NO_FIVE);
      socket.write(Uint8Array.from(CONNACK_4));
      connections += 1;
      const count = connections === 1 ? 20 * RECEIVED_AT_ONCE_MAX : RECEIVED_AT_ONCE_MAX;
      socket.write(Buffer.concat(Array(count).fill(publishTo4(2))));
    });
    client = watch({ urls: [server.url] });
    await client.down();
    const flood = client.received.length;
    expect(flood).toBeGreaterThanOrEqual(RECEIVED_AT_ONCE_MAX);
    expect(flood).toBeLessThan(19 * RECEIVED_AT_ONCE_MAX);
    expect(client.downs).toEqual(["more than 100 messages a second came to what this gateway listens to"]);
    await until(() => client.received.length === flood + RECEIVED_AT_ONCE_MAX, "all are heard");
    expect(client.downs).toHaveLength(1);
  });

  test("a subscription that is refused is said, and the connection stays", async () => {
    server = await startScriptedBroker(answer(...CONNACK_5), ({ packetTypes, bytes, socket }) => {
      if (packetTypes().at(-1) !== 0x82) return;
      const id = bytes().subarray(-"p/command/+".length - 6);
      socket.write(Uint8Array.from([0x90, 4, id[0]!, id[1]!, 0, 0x87]));
    });
    client = watch({ urls: [server.url], subscriptions: ["p/command/+"] });
    await until(() => client.warnings.length > 0, "the warning");
    expect(client.warnings).toEqual(["the broker refuses a subscription"]);
    expect(client.subscribed).toEqual([["p/command/+", "not authorized"]]);
    expect(client.downs).toEqual([]);
  });

  test.each([
    ["5.0", 5, CONNACK_5, 1],
    ["3.1.1", 4, CONNACK_4, 0],
  ])(
    "on %s a subscription asks for a quality that ends with the connection",
    async (_, level, connack, qos) => {
      const refusing = answer(0x20, 0x02, 0x00, 0x01);
      server = await startScriptedBroker((link) =>
        (link.level === level ? answer(...connack) : refusing)(link),
      );
      client = watch({ urls: [server.url], subscriptions: ["p/command/+"] });
      await until(() => server.links.at(-1)?.packetTypes().includes(0x82) === true, "the SUBSCRIBE");
      // Its last byte: the options of the subscription, whose lowest two bits are the quality (MQTT 5, section 3.8.3.1).
      expect(Number(server.links.at(-1)?.bytes().at(-1)) & 0b11).toBe(qos);
    },
  );
});

describe("stopping", () => {
  test("in the middle of connecting", async () => {
    server = await startScriptedBroker(() => {});
    client = watch({ urls: [server.url] });
    await until(() => server.links.length > 0, "the CONNECT");
    await client.broker.stop(WILL);
    expect([client.sessions, client.downs]).toEqual([[], []]);
  });

  test("is done within 2 s, and leaves it to the will, when the last message is not acknowledged", async () => {
    server = await startScriptedBroker(answer(...CONNACK_5));
    client = watch({ urls: [server.url] });
    await client.up();
    const before = client.clock.delaysMs.length;
    const pending = client.broker.publish(TAP);
    await client.broker.stop(WILL);
    expect((await pending).kind).toBe("lost");
    expect(server.links[0]?.packetTypes()).toEqual([0x10, 0x32, 0x33]);
    expect(Math.max(...client.clock.delaysMs.slice(before + 1))).toBeLessThan(2_000);
  });

  test("says DISCONNECT when it is", async () => {
    server = await startScriptedBroker(answer(...CONNACK_5), (link) => {
      if (link.packetTypes().at(-1) === 0x33) link.socket.write(puback(link.lastPublishId()));
    });
    client = watch({ urls: [server.url] });
    await client.up();
    await client.broker.stop(WILL);
    expect(server.links[0]?.packetTypes()).toEqual([0x10, 0x33, 0xe0]);
  });
});

test("hostile bytes end a connection or do nothing, and never more", async () => {
  let hostile: Uint8Array = new Uint8Array();
  let greet = true;
  server = await startScriptedBroker(({ level, socket }) => {
    if (greet) socket.write(Uint8Array.from(level === 5 ? CONNACK_5 : CONNACK_4));
    socket.end(hostile);
  });
  client = watch({ urls: [server.url], subscriptions: ["p/command/+"] }, new HurriedClock(100_000));
  const types = [0x20, 0x30, 0x32, 0x34, 0x40, 0x50, 0x62, 0x70, 0x90, 0xb0, 0xd0, 0xe0, 0xf0];
  const packet = fc
    .tuple(fc.constantFrom(...types), fc.uint8Array({ maxLength: 24 }))
    .map(([type, body]) => [type, body.length, ...body]);
  const stream = fc.array(fc.oneof(packet, fc.array(fc.nat(255), { maxLength: 12 })), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(fc.boolean(), stream, async (greets, chunks) => {
      greet = greets;
      hostile = Uint8Array.from(chunks.flat());
      const count = server.links.length;
      await until(() => server.links.length > count + 1, "the next connection");
      expect((await client.broker.publish(TAP)).kind).not.toBe("acknowledged");
    }),
    { numRuns: 200 },
  );
});
