/** Every choice of a site's file reaches the room that goes by it: a gate of which nothing is as by default. */
import { describe, expect, it, test } from "vitest";
import { parseConfiguration } from "../../config/load.ts";
import type { Configuration } from "../../config/schema.ts";
import { House } from "../../daemon/house.ts";
import { settingsOf } from "../../daemon/main-settings.ts";
import { VERSION } from "../../daemon/version.ts";
import { buildInPlace } from "../../sync/build.ts";
import type { CardRow } from "../../sync/publish-csv.ts";
import { SimCentre } from "./centre.ts";
import { SimWorld } from "./world.ts";

const FILE = `
gateway: { id: gate-9, site: hamnen, workplaceId: "8199999999", timeZone: America/New_York }
dataDir: /var/gate
cards:
  feed: ./feed
  root: root.json
  name: own-list
  refreshSeconds: 30
  lateAfterMinutes: 3
  staleAfterHours: 2
  whenStale: deny
  admit: site-allowed
readers:
  - { id: a, driver: virtual }
  - { id: b, driver: serial, port: /dev/b, reads: { uid: hex, bytes: 3, cut: last } }
accessPoints:
  - id: in
    direction: entry
    readers: [a]
    relay: { driver: virtual, pulseMs: 1700 }
    repeatSeconds: 7
    passback: { mode: deny, resetMinutes: 11 }
    hours: ["mon-fri 06:00-18:00"]
    whenJournalFails: deny
  - { id: out, direction: exit, readers: [b], inputs: { passage: { driver: virtual, passageSeconds: 9 } } }
mqtt: { urls: [mqtts://b], prefix: yard/gates, commands: [refresh], homeAssistant: true }
journal: { keepDays: 11, maxBytes: 3MiB }
`;
const KNOWN = {
  machine: { boot: "boot-1", uptimeMs: 5 },
  tokenKeys: { own: new Uint8Array(32).fill(1), before: null },
};
/** A Monday, 12:00 in New York, 18:00 in Stockholm. */
const NOON_MS = Date.parse("2026-11-23T12:00:00-05:00");
const CARD = "BB-2611-000001";
const LAST_DAY = Date.parse("2026-11-23T00:00:00Z") / 86_400_000;
const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

function configurationOf(text: string): Configuration {
  const result = parseConfiguration(text, "/etc/grindvakt", {
    readers: ["virtual", "serial"],
    relays: ["virtual"],
    inputs: ["virtual"],
  });
  if (result.kind === "faults") throw new Error(JSON.stringify(result.faults));
  return result.configuration;
}

test("what a file says is what the house is told, and what it leaves out is told as by default", () => {
  const { boot, ...settings } = settingsOf(configurationOf(FILE), KNOWN);
  const { boot: next } = settingsOf(configurationOf(FILE), KNOWN);
  expect(boot).not.toBe(next);
  expect(settings).toEqual({
    ...KNOWN,
    gateway: "gate-9",
    site: "hamnen",
    workplaceId: "8199999999",
    timeZone: "America/New_York",
    version: VERSION,
    dataDir: "/var/gate",
    prefix: "yard/gates",
    commands: ["refresh"],
    homeAssistant: true,
    accessPoints: [
      {
        id: "in",
        direction: "entry",
        readers: ["a"],
        pulseMs: 1_700,
        repeatSeconds: 7,
        passback: { mode: "deny", resetMinutes: 11 },
        hours: ["mon-fri 06:00-18:00"],
        whenJournalFails: "deny",
        inputs: {},
      },
      {
        id: "out",
        direction: "exit",
        readers: ["b"],
        pulseMs: null,
        repeatSeconds: 2,
        passback: { mode: "off", resetMinutes: 720 },
        hours: [],
        whenJournalFails: "grant",
        inputs: { passage: expect.objectContaining({ passageSeconds: 9 }) },
      },
    ],
    cards: {
      feed: "/etc/grindvakt/feed",
      root: "/etc/grindvakt/root.json",
      name: "own-list",
      issuers: ["BB"],
      refreshSeconds: 30,
      lateAfterMinutes: 3,
      staleAfterHours: 2,
      whenStale: "deny",
      admit: "site-allowed",
      cuts: [{ sizeBytes: 3, part: "last" }],
    },
    journal: { keepDays: 11, maxBytes: 3 * 1024 ** 2 },
  });
  const [withoutMqtt] = FILE.split("mqtt:");
  expect(settingsOf(configurationOf(withoutMqtt!), KNOWN)).toMatchObject({
    prefix: "grindvakt",
    commands: [],
    homeAssistant: false,
  });
});

/** The gate of `FILE`, with changes of the text, at `wallMs`; its list is in force. */
async function gateOf(wallMs: number, ...changes: [from: string, to: string][]) {
  const text = changes.reduce((all, [from, to]) => {
    if (!all.includes(from)) throw new Error(`the file has no ${from}`);
    return all.replace(from, to);
  }, FILE);
  const world = new SimWorld({ seed: 1, wallMs });
  const centre = new SimCentre(world.feed, world.clock);
  const card: CardRow = { number: CARD, status: "active", validUntilDay: LAST_DAY, tokens: [] };
  await centre.open([card]);
  const machine = world.boot();
  machine.disk.put("/etc/grindvakt/root.json", world.feed.files.get("1.root.json")!);
  const subscriptions: string[] = [];
  const house = new House(settingsOf(configurationOf(text), KNOWN), {
    ...machine,
    build: buildInPlace,
    commandReader: null,
    candidatesOf: () => [],
    createBroker: (will, topics) => {
      subscriptions.push(...topics);
      return world.broker.attach(machine.clock, will);
    },
    createReader: async (id, events) => world.reader(id).attach(machine.clock, events),
    createRelay: async (id, events) => world.relay(id).attach(machine.clock, events),
    createInput: async (id, use, events) => world.input(`${id} ${use}`).attach(machine.clock, events),
    tapped: () => undefined,
  });
  void house.start();
  await world.advance(5 * SECOND_MS);
  const tell = (event: "site-allowed") =>
    house.changeSiteList({ event, card: CARD, until: null, why: null, who: { by: "command", name: "anna" } });
  const topic = "yard/gates/hamnen/gate-9/tap";
  const taps = () =>
    world.broker.payloads(topic).map((payload) => JSON.parse(payload).data as Record<string, unknown>);
  return {
    world,
    house,
    subscriptions,
    taps,
    async allow() {
      const told = tell("site-allowed");
      await world.advance(SECOND_MS);
      await told;
    },
    /** The reason of the tap, or null where it was none. */
    async tap(reader = "a"): Promise<unknown> {
      const before = taps().length;
      world.reader(reader).presentNumber(CARD);
      await world.advance(500);
      return taps()[before]?.reason ?? null;
    },
  };
}

const WITHOUT_HOURS: [string, string] = ['hours: ["mon-fri 06:00-18:00"]', "hours: []"];
const WITHOUT_PASSBACK: [string, string] = ["mode: deny, resetMinutes", "mode: off, resetMinutes"];

describe("a gate of which nothing is as by default", () => {
  it("is called as its file says", async () => {
    const { world, subscriptions, allow, tap, taps } = await gateOf(NOON_MS);
    expect(subscriptions).toContain("yard/gates/feeds/own-list");
    await allow();
    expect(await tap()).toBe("granted");
    expect(taps()).toMatchObject([{ workplaceId: "8199999999", accessPoint: "in", direction: "entry" }]);
    await world.advance(2 * SECOND_MS);
    expect(world.relay("in").pulses).toMatchObject([{ askedMs: 1_700 }]);
  });

  it("comes within a second of the word that its file names, and of no other", async () => {
    const { world } = await gateOf(NOON_MS, ["refreshSeconds: 30", "refreshSeconds: 86400"]);
    const asked = () => world.feed.fetched.filter((path) => path === "timestamp.json").length;
    await world.advance(MINUTE_MS);
    const before = asked();
    for (const [topic, refreshes] of [
      ["grindvakt/feeds/own-list", 0],
      ["yard/gates/feeds/id06", 0],
      ["yard/gates/feeds/own-list", 1],
    ] as const) {
      world.broker.send({ topic, payload: Buffer.from('{"revision":1}'), retained: true });
      await world.advance(1_100);
      expect(asked() - before).toBe(refreshes);
    }
  });

  it("lets in whom the site has allowed, once in repeatSeconds, and again after resetMinutes", async () => {
    const { world, allow, tap } = await gateOf(NOON_MS);
    expect(await tap()).toBe("not-allowed-here");
    await allow();
    await world.advance(6 * SECOND_MS);
    expect(await tap()).toBe("granted");
    await world.advance(6 * SECOND_MS);
    expect(await tap()).toBeNull();
    await world.advance(7 * SECOND_MS);
    expect(await tap()).toBe("passback");
    await world.advance(10.5 * MINUTE_MS);
    expect(await tap()).toBe("passback");
    await world.advance(MINUTE_MS);
    expect(await tap()).toBe("granted");
  });

  it("opens and closes, and ends a card's last day, in its own time zone", async () => {
    const { world, allow, tap } = await gateOf(NOON_MS, WITHOUT_PASSBACK);
    await allow();
    expect(await tap()).toBe("granted");
    await world.advance(6 * HOUR_MS);
    expect(await tap()).toBe("outside-hours");
    const open = await gateOf(NOON_MS + 11 * HOUR_MS, WITHOUT_PASSBACK, WITHOUT_HOURS);
    await open.allow();
    expect(await open.tap()).toBe("granted");
    await open.world.advance(HOUR_MS);
    expect(await open.tap()).toBe("expired");
  });

  it("asks for its list in refreshSeconds; without one it is late, then stale, and then refuses", async () => {
    const { world, house, allow, tap } = await gateOf(NOON_MS, WITHOUT_PASSBACK, WITHOUT_HOURS);
    await allow();
    const asked = () => world.feed.fetched.filter((path) => path === "timestamp.json").length;
    await world.advance(MINUTE_MS);
    const before = asked();
    await world.advance(10 * MINUTE_MS);
    expect(asked() - before).toBeGreaterThanOrEqual(20);
    expect(asked() - before).toBeLessThanOrEqual(23);
    world.feed.faultOf = () => "unreachable";
    await world.advance(2 * MINUTE_MS);
    expect(house.status().list.freshness).toBe("fresh");
    await world.advance(2 * MINUTE_MS);
    expect(house.status().list.freshness).toBe("late");
    expect(await tap()).toBe("granted");
    await world.advance(115 * MINUTE_MS);
    expect(house.status().list.freshness).toBe("late");
    await world.advance(5 * MINUTE_MS);
    expect(house.status().list.freshness).toBe("stale");
    expect(await tap()).toBe("list-stale");
  });

  it("keeps its relay shut while the journal fails, and says how large that may be", async () => {
    const { world, house, allow, taps } = await gateOf(NOON_MS);
    await allow();
    expect(house.status().journal.maxBytes).toBe(3 * 1024 ** 2);
    world.diskFaultOf = () => "EIO";
    world.reader("a").presentNumber(CARD);
    await world.advance(3 * SECOND_MS);
    expect(taps().at(-1)).toMatchObject({ granted: true, durable: false });
    expect(world.relay("in").pulses).toEqual([]);
  });
});
