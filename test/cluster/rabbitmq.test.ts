/** The gate on a cluster of three RabbitMQ nodes that is set up as docs/rabbitmq.md says, and of which one is killed under load. */
import { readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { type Event, firstArrivals } from "../e2e/ear.ts";
import { BURST_TAPS, cards, tap } from "../e2e/load.ts";
import { CARDS, makeFeedDir, makeSite, until } from "../e2e/site.ts";
import { pluggedPty } from "../e2e/stage.ts";
import { type RabbitCluster, type RabbitNode, startRabbitCluster } from "../peers/rabbitmq.ts";

/** Before the kill, and while and after it. */
const TAPS_EACH = 300;
const PASSWORDS = { "gate-07": "opens the gate's door", centre: "takes what comes" };
const PAGE = resolve(import.meta.dirname, "../../docs/rabbitmq.md");

let cluster: RabbitCluster;
let feed: Awaited<ReturnType<typeof makeFeedDir>>;
beforeAll(async () => {
  feed = await makeFeedDir();
  cluster = await startRabbitCluster();
  for (const [user, password] of Object.entries(PASSWORDS))
    await writeFile(join(cluster.dir, `${user}.password`), `${password}\n`, { mode: 0o600 });
  const [, commands = ""] = /^```sh\n(rabbitmqctl[^`]+)```$/m.exec(await readFile(PAGE, "utf8")) ?? [];
  expect(commands).toContain("import_definitions");
  // All three know the names of MQTT's clients.
  expect(await cluster.shell(commands)).toMatch(/^3$/m);
});
afterAll(async () => {
  await cluster?.dispose();
  await feed?.dispose();
});

test("the node that a gate speaks to is killed under load: every event is in the queue, in order", async () => {
  const line = await pluggedPty();
  const site = await makeSite(feed.dir, line.path, (configuration) => {
    configuration.mqtt = {
      urls: cluster.nodes.map(({ url }) => url),
      username: "gate-07",
      password: { file: join(cluster.dir, "gate-07.password") },
      tls: { ca: cluster.caFile },
    };
    // Only an announcement has it refresh in time.
    configuration.cards.refreshSeconds = 3_600;
  });
  onTestFinished(() => site.dispose());
  await until("every door lets the gate in and hands its events on", async () => {
    const { stdout } = await site.command("doctor");
    return stdout.split("a test event came back").length === 1 + cluster.nodes.length ? true : null;
  });
  const daemon = await (await site.run()).healthy();
  const { broker } = await daemon.become("the broker is there", ({ broker }) => broker.state === "up");
  expect(broker.protocol).toBe("3.1.1");
  const [others, [spokenTo]] = split(cluster.nodes, ({ url }) => url === broker.url);
  await tap(line, daemon, 0, TAPS_EACH);

  const tapping = tap(line, daemon, TAPS_EACH, TAPS_EACH);
  const enough = TAPS_EACH + 2 * BURST_TAPS;
  await daemon.become("taps are under way", ({ readers }) => readers["north-in-1"]!.taps > enough);
  await spokenTo!.kill9();
  await tapping;
  const status = await daemon.become("nothing unsent", ({ outbox }) => outbox.unsent === 0);
  expect(others.map(({ url }) => url)).toContain(status.broker.url);

  // At the other node than the gate's.
  const [elsewhere] = others.filter(({ url }) => url !== status.broker.url);
  const centre = ["--username", "centre", "--password-file", join(cluster.dir, "centre.password")];
  const announce = ["--notify", elsewhere!.url, "--ca", cluster.caFile, ...centre];
  const set = await site.command("feed", "set", "feed", CARDS.granted, "blocked", ...announce);
  expect(set).toMatchObject({ code: 0, stderr: "" });
  await daemon.become("the announced list is in force", ({ list }) => list.revision === 2);
  await daemon.become("that is sent, too", ({ outbox }) => outbox.unsent === 0);
  await daemon.end();

  const events = (await queued(elsewhere!)).filter(({ data }) => data.event !== "doctor");
  const journal = await site.journal();
  expect(events.map(({ id, data }) => [id, data.chain])).toEqual(
    journal.map(({ chain }, index) => [`gate-07/${index + 1}`, chain]),
  );
  const taps = events.filter(({ type }) => type === "grindvakt.tap.v1");
  expect(taps.map(({ data }) => data.card)).toEqual(cards(2 * TAPS_EACH));
});

function split<Item>(items: readonly Item[], isSo: (item: Item) => boolean): [Item[], Item[]] {
  return [items.filter((item) => !isSo(item)), items.filter(isSo)];
}

/** All events of the queue, in the order of their first arrival. */
async function queued({ management }: RabbitNode): Promise<Event[]> {
  const reply = await fetch(`${management}/api/queues/%2F/events/get`, {
    method: "POST",
    headers: { authorization: `Basic ${btoa(`centre:${PASSWORDS.centre}`)}` },
    body: JSON.stringify({ count: 100_000, ackmode: "ack_requeue_false", encoding: "auto" }),
  });
  expect(reply.status).toBe(200);
  const messages = (await reply.json()) as { routing_key: string; payload: string }[];
  return firstArrivals(messages);
}
