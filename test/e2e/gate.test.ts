/** The whole way of a tap, by the built program over a pseudo-terminal, to a real broker and a relay board. */
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { type Mosquitto, startSubscriber } from "../peers/mosquitto.ts";
import type { Pty } from "../peers/pty.ts";
import { P } from "./ear.ts";
import { CARDS, type Configuration, relayCommands, relayTold, sharedFeed, until } from "./site.ts";
import { pluggedPty, setStage } from "./stage.ts";

const feedDir = await sharedFeed();

describe("the gate", () => {
  test("all eight outcomes come out of the broker, in sequence, chained to the journal, as documented", async () => {
    const { broker, line, board, ear, site } = await setStage(feedDir);
    const daemon = await (await site.run()).healthy();
    await ear.hear("state", ({ state }) => state === "online");

    for (const card of Object.values(CARDS)) await line.send(`${card}\r\n`);
    const taps = await ear.hearTaps("eight taps", ({ length }) => length === 8);

    expect(taps.map(({ data }) => [data.card, data.reason, data.granted])).toEqual(
      Object.entries(CARDS).map(([reason, card]) => [card, reason, reason === "granted"]),
    );
    await ear.hear("passage", ({ data }) => data.event === "opened" && data.tap === taps[0]?.id);
    expect(moves(await relayTold(board, "one pulse", ({ length }) => length >= 3))).toEqual([
      "1 off",
      "1 on",
      "1 off",
    ]);

    const running = JSON.parse((await site.command("journal", "verify", "--json")).stdout);
    expect(running).toMatchObject({ ok: true, faults: [] });
    await until("the state that all is sent", async () => {
      const { state, unsent } = await retained(broker, `${P}/state`);
      return state === "online" && unsent === 0 ? true : null;
    });

    const before = relayCommands(board);
    expect(moves(before)).toHaveLength(3);
    expect(await daemon.end("SIGTERM")).toEqual({ code: 0, signal: null });
    expect(await retained(broker, `${P}/state`)).toMatchObject({ state: "offline" });
    // Released once more, whatever went before.
    await relayTold(board, "the last release", ({ length }) => length > before.length);
    expect(relayCommands(board).slice(before.length)).toEqual(["1 off"]);
    const stopped = JSON.parse((await site.command("journal", "verify", "--json")).stdout);
    expect(stopped).toMatchObject({ ok: true, faults: [], ignoredBytes: 0 });

    const journal = await site.journal();
    const events = await ear.hearUpTo(journal.length);
    expect(events.map(({ id, data }) => [id, data.seq, data.chain])).toEqual(
      journal.map(({ chain }, index) => [`gate-07/${index + 1}`, index + 1, chain]),
    );
    expect(stopped.head).toEqual({ seq: journal.length, chain: journal.at(-1)?.chain });
    expect(events.at(-1)?.data.event).toBe("stopped");
    const centre = join(site.dir, "centre.ndjson");
    await writeFile(centre, events.map((event) => `${JSON.stringify(event)}\n`).join(""));
    const proven = await site.command("journal", "verify", "--against", centre);
    expect(proven.stdout).toContain(
      `${journal.length} events of the centre, ${journal.length} as in the journal`,
    );
    await writeFile(centre, JSON.stringify({ ...events[0], time: "2026-11-22T00:00:00.000Z" }));
    const differing = await site.command("journal", "verify", "--against", centre, "--json");
    expect(differing.code).toBe(1);
    expect(JSON.parse(differing.stdout)).toMatchObject({
      ok: false,
      against: { differences: [{ id: "gate-07/1" }] },
    });
    await writeFile(centre, "");
    const compared = await site.command("journal", "verify", "--against", centre, "--json");
    expect([compared.code, JSON.parse(compared.stdout).ok]).toEqual([1, false]);
    expect(ear.faults()).toEqual([]);
    const types = new Set(
      ear.heard.map(({ topic, contentType }) => [topic.startsWith(`${P}/state`), contentType].join()),
    );
    expect([...types].sort()).toEqual(["false,application/cloudevents+json", "true,application/json"]);
  });

  test("after kill -9 the will says offline; the next start, without its feed, releases the relay, has the list in force and goes on; a block at the centre then refuses", async () => {
    const { line, board, ear, site } = await setStage(feedDir);
    const first = await (await site.run()).healthy();
    await line.send(`${CARDS.granted}\r\n`);
    await ear.hear("passage");
    await relayTold(board, "one pulse", ({ length }) => length >= 3);
    const { boot } = await first.status();
    await first.end("SIGKILL");
    expect(await ear.hear("state", ({ state }) => state === "offline")).toMatchObject({ boot });
    await rename(join(site.dir, "feed"), join(site.dir, "away"));

    const before = relayCommands(board);
    expect(moves(before)).toEqual(["1 off", "1 on", "1 off"]);
    const second = await (await site.run()).healthy();
    await relayTold(board, "the release at the start", ({ length }) => length > before.length);
    expect(relayCommands(board).slice(before.length)).toEqual(["1 off"]);
    await line.send(`${CARDS.granted}\r\n`);
    const [, tap] = await ear.hearTaps("a tap without the feed", ({ length }) => length === 2);
    expect(tap?.data).toMatchObject({ reason: "granted", list: { revision: 1 } });
    expect(await ear.hear("list", ({ data }) => data.source === "disk")).toMatchObject({ data: { to: 1 } });
    expect(await ear.hear("list", ({ data }) => data.event === "refused")).toMatchObject({
      data: { why: expect.stringContaining(join(site.dir, "feed")) },
    });

    await rename(join(site.dir, "away"), join(site.dir, "feed"));
    expect((await site.command("feed", "set", "feed", CARDS.granted, "blocked")).code).toBe(0);
    await ear.hear("list", ({ data }) => data.event === "in-force" && data.to === 2);
    await line.send(`${CARDS.granted}\r\n`);
    const taps = await ear.hearTaps("a tap after the block", ({ length }) => length === 3);
    expect(taps[2]?.data).toMatchObject({ reason: "blocked", list: { revision: 2, freshness: "fresh" } });
    await second.end();
    const journal = await site.journal();
    expect((await ear.hearUpTo(journal.length)).map(({ data }) => data.seq)).toEqual(
      journal.map((_, index) => index + 1),
    );
    expect(ear.faults()).toEqual([]);
  });

  test("speaks where its configuration says, and names its workplace", async () => {
    const { broker, line, site } = await setStage(feedDir, (configuration) => {
      configuration.mqtt.prefix = "nordic/gates";
      configuration.gateway = {
        ...configuration.gateway,
        id: "gate-9",
        site: "odenplan",
        workplaceId: "8199999999",
      };
    });
    const subscriber = await startSubscriber(broker.url, "nordic/gates/#");
    onTestFinished(() => subscriber.stop());
    await (await site.run()).healthy();
    await line.send(`${CARDS.granted}\r\n`);
    const tap = await subscriber.hear(({ topic }) => topic === "nordic/gates/odenplan/gate-9/tap");
    expect(JSON.parse(tap.payload)).toMatchObject({
      source: "/sites/odenplan/gateways/gate-9",
      data: { workplaceId: "8199999999" },
    });
    expect(await retained(broker, "nordic/gates/odenplan/gate-9/state")).toMatchObject({ state: "online" });
    expect(broker.log()).toContain("as grindvakt-gate-9 ");
  });

  test("readers spell a card number and a chip's UID in their own ways", async () => {
    const [decimal, hex] = [await pluggedPty(), await pluggedPty()];
    const { line, ear, site } = await setStage(feedDir, (configuration) => {
      configuration.readers.push(
        { id: "uid-hex", driver: "serial", port: hex.path, reads: "uid" },
        {
          id: "uid-dec",
          driver: "serial",
          port: decimal.path,
          reads: { uid: "dec", order: "lsb", bytes: 4 },
        },
      );
      configuration.accessPoints[0].readers.push("uid-hex", "uid-dec");
    });
    const daemon = await (await site.run()).healthy();
    await daemon.become("all readers up", ({ readers }) =>
      Object.values(readers).every(({ state }) => state === "up"),
    );
    const spellings: [Pty, string | Buffer][] = [
      [line, "BB-2611-000001\r"],
      [line, "BB-2611-000001\n"],
      [line, "BB-2611-000001\r\n"],
      [line, "\x02BB-2611-000001\x03"],
      [line, "\x02BB-2611-000001\r\n\x03"],
      [line, "bb-2611-000001\r\n"],
      [line, "  BB 2611 000001 \r\n"],
      [line, "BB2611000001\r\n"],
      [line, "Bb2611-000 001\r\n"],
      [line, "BB–2611—000001\r\n"],
      [line, "BB\u20102611\u2011000001\r\n"],
      [line, Buffer.from("BB\x962611\x97000001\r\n", "latin1")],
      [hex, "04A1B2C3D4E5F6\r\n"],
      [hex, "04:a1:b2:c3:d4:e5:f6\r"],
      [hex, "0x04A1B2C3D4E5F6\n"],
      [hex, "\x021A2B3C4D\x03"],
      // 1A2B3C4D, least significant byte first, as a number.
      [decimal, `${0x4d3c2b1a}\r\n`],
      [decimal, `00${0x4d3c2b1a}\r\n`],
    ];
    // One after the other, so that the order of arrival is the order here.
    for (const [index, [pty, text]] of spellings.entries()) {
      await pty.send(text);
      await ear.hearTaps(`spelling ${index}: ${text}`, ({ length }) => length === index + 1);
    }
    expect(ear.taps().map(({ data }) => [data.card, data.reason])).toEqual(
      spellings.map(() => [CARDS.granted, "granted"]),
    );
    expect(ear.taps().map(({ data }) => data.credential.assurance)).toEqual(
      spellings.map(([pty]) => (pty === line ? "number" : "uid")),
    );
    // A token never leaves in clear.
    const everything = ear.heard.map(({ payload }) => payload).join() + daemon.stderr;
    expect(everything).not.toMatch(/04:?A1:?B2|1A2B3C4D|1295788826/i);
    expect(ear.faults()).toEqual([]);
  });
});

/**
 * What the relay did. A process that stands still for the length of a pulse cannot know whether its command was taken in
 * time: it releases at the time all the same, and again when it knows (`drivers/pulse.ts`).
 */
function moves(commands: readonly string[]): string[] {
  return commands.filter((command, index) => command !== commands[index - 1]);
}

/** What a newcomer is told of a topic. */
async function retained(broker: Mosquitto, topic: string): Promise<Configuration> {
  const newcomer = await startSubscriber(broker.url, topic);
  try {
    return JSON.parse((await until(`a retained ${topic}`, () => newcomer.heard[0] ?? null)).payload);
  } finally {
    await newcomer.stop();
  }
}
