/** The centre and the broker: announcements, and which gateways lag behind. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Fleet, type Gate, hearAll, lagOf, newestOf } from "../../daemon/commands/feed-gates.ts";
import { startEmbeddedBroker } from "../../drivers/broker-embedded.ts";
import { type Visit, type VisitSettings, visitBroker } from "../../drivers/broker-visit.ts";
import { createSystemClock } from "../../drivers/system.ts";
import { grindvakt } from "../e2e/site.ts";
import { makeAuthority } from "../peers/certificates.ts";
import { type MosquittoOptions, startMosquitto, startSubscriber } from "../peers/mosquitto.ts";
import { HurriedClock } from "./broker-watch.ts";
import { feedIn } from "./feed-line.ts";

let folder: string;
const stops: (() => Promise<unknown>)[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "grindvakt-announce-"));
});
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
  await rm(folder, { recursive: true, force: true });
});

async function broker(options: MosquittoOptions = {}) {
  const started = await startMosquitto(options);
  stops.push(started.dispose);
  return started;
}

async function subscriber(...parameters: Parameters<typeof startSubscriber>) {
  const started = await startSubscriber(...parameters);
  stops.push(started.stop);
  return started;
}

const word = { topic: "grindvakt/feeds/id06", payload: '{"revision":7}', retain: true };

function visit(settings: Partial<VisitSettings> & { url: string }, clock = createSystemClock()) {
  return visitBroker({ clientId: "centre", ...settings }, clock, async (inside) => ({
    protocol: inside.protocol,
    outcome: await inside.publish(word),
  }));
}

describe("a visit", () => {
  it("leaves a retained word, and no trace of itself", async () => {
    const { url, log } = await broker();
    const outcome = { kind: "acknowledged" };
    expect(await visit({ url })).toEqual({ kind: "visited", result: { protocol: "5.0", outcome } });
    const later = await subscriber(url, "grindvakt/#");
    expect(await later.hear(({ topic }) => topic === word.topic)).toMatchObject({
      payload: word.payload,
      retained: true,
    });
    expect(log()).toMatch(/Client centre disconnected\./);
  });

  it("falls back to 3.1.1 where that is what there is", async () => {
    const embedded = await startEmbeddedBroker();
    stops.push(embedded.stop);
    const outcome = { kind: "acknowledged" };
    expect(await visit({ url: embedded.url })).toEqual({
      kind: "visited",
      result: { protocol: "3.1.1", outcome },
    });
  });

  it("comes in with its name and password, and with no other", async () => {
    const { url } = await broker({ users: { centre: "hemligt" } });
    expect(await visit({ url, username: "centre", password: "hemligt" })).toMatchObject({ kind: "visited" });
    for (const password of ["fel", undefined]) {
      const settings = { url, username: "centre", ...(password !== undefined && { password }) };
      expect(await visit(settings)).toMatchObject({ kind: "failed", why: expect.stringMatching(/mqtt\./) });
    }
  });

  it("is told what it may not do", async () => {
    const { url } = await broker({ users: { centre: "x" }, acl: ["user centre", "topic read #"] });
    const result = { outcome: { kind: "refused", why: "not authorized" } };
    expect(await visit({ url, username: "centre", password: "x" })).toMatchObject({ result });
  });

  it("speaks TLS with who it trusts, and with nobody else", async () => {
    const authority = await makeAuthority(folder);
    const { certFile, keyFile } = await authority.issue("server");
    const { url } = await broker({ tls: { caFile: authority.caFile, certFile, keyFile } });
    const ca = (await readFile(authority.caFile)).toString();
    expect(await visit({ url, tls: { ca } })).toMatchObject({ kind: "visited" });
    expect(await visit({ url })).toMatchObject({
      kind: "failed",
      why: expect.stringMatching(/^127.0.0.1:\d+: .*mqtt.tls.ca/),
    });
  });

  it.each([
    ["nobody", "mqtt://127.0.0.1:1", /connection refused/],
    ["no address", "http://127.0.0.1", /no address like mqtt/],
  ])("to %s fails with a word", async (_, url, why) => {
    expect(await visit({ url })).toMatchObject({ kind: "failed", why: expect.stringMatching(why) });
  });

  /** A listener that answers each connection with `reply`, and no more. */
  async function listener(reply: (socket: Socket) => void): Promise<string> {
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket.on("error", () => {}));
      socket.once("data", () => reply(socket));
    });
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    stops.push(async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((closed) => server.close(closed));
    });
    return `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** The system's clock, on which every wait is over after 100 ms. */
  const hasty = () => {
    const clock = createSystemClock();
    return { ...clock, after: (_: number, fire: () => void) => clock.after(100, fire) };
  };

  it.each([
    ["is silent", () => {}, /no answer within 10 s/],
    ["hangs up", (socket: Socket) => void socket.destroy(), /broken|closed/],
    [
      "speaks another language",
      (socket: Socket) => void socket.write("HTTP/1.1 400 Bad Request\r\n\r\n"),
      /./,
    ],
  ])("to what %s ends with a word", async (_, reply, why) => {
    const url = await listener(reply);
    expect(await visit({ url }, hasty())).toMatchObject({
      kind: "failed",
      why: expect.stringMatching(why),
    });
  });

  it("does not wait for an acknowledgement for ever", async () => {
    const connack = Uint8Array.of(0x20, 0x03, 0x00, 0x00, 0x00);
    const url = await listener((socket) => void socket.write(connack));
    expect(await visit({ url }, hasty())).toMatchObject({
      kind: "visited",
      result: { outcome: { kind: "lost", why: "no answer within 10 s" } },
    });
  });
});

describe("which gateways lag", () => {
  const bytes = (value: unknown) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value));
  const gate = (fleet: Fleet, name: string, list: unknown, state = "online") => {
    fleet.hear(`p/site/${name}/state`, bytes({ state }));
    fleet.hear(`p/site/${name}/state/list`, bytes(list));
  };

  it("is by revision, freshness and being there", () => {
    const fleet = new Fleet("p");
    fleet.hear("p/feeds/id06", bytes({ revision: 120 }));
    gate(fleet, "a", { revision: 120, freshness: "fresh", refreshedAt: "2026-11-22T06:00:00.000Z" });
    gate(fleet, "b", { revision: 118, freshness: "fresh" });
    gate(fleet, "c", { revision: 120, freshness: "stale" });
    gate(fleet, "d", { revision: 120, freshness: "fresh" }, "offline");
    gate(fleet, "e", { revision: null, freshness: "stale" });
    fleet.hear("p/site/f/state", bytes({ state: "online" }));
    const newest = newestOf(fleet, undefined);
    expect(newest).toBe(120);
    const lags = fleet.all().map((each: Gate) => [each.gateway, lagOf(each, newest)]);
    expect(lags).toEqual([
      ["a", null],
      ["b", "2 behind"],
      ["c", "stale"],
      ["d", "offline"],
      ["e", "no list"],
      ["f", "no list"],
    ]);
  });

  it("is by what was announced for the feed, or else by the newest there is", () => {
    const fleet = new Fleet("p");
    gate(fleet, "a", { revision: 4, freshness: "fresh" });
    gate(fleet, "b", { revision: 5, freshness: "fresh" });
    expect(newestOf(fleet, undefined)).toBe(5);
    fleet.hear("p/feeds/id06", bytes({ revision: 6 }));
    fleet.hear("p/feeds/other", bytes({ revision: 900 }));
    expect(newestOf(fleet, "id06")).toBe(6);
    expect(newestOf(fleet, undefined)).toBe(5);
  });

  it("is known of all, also where the broker leaves out what it is asked for together", async () => {
    const names = Array.from({ length: 120 }, (_, at) => `gate-${at}`);
    const asked: string[][] = [];
    const visit: Pick<Visit, "subscribe"> = {
      async subscribe(topics, received) {
        asked.push(topics);
        const isOne = topics.every((topic) => !topic.includes("+"));
        const say = (topic: string, value: unknown, at: number) => {
          const isAskedFor = isOne
            ? topics.includes(topic)
            : topics.includes(topic.replace(/site.gate-\d+/, "+/+"));
          if (isAskedFor && (isOne || at < 100)) received(topic, bytes(value));
        };
        for (const [at, name] of names.entries()) {
          say(`p/site/${name}/state`, { state: "online" }, at);
          // Of ten nothing comes at first but this; one has none.
          if (at !== 7) say(`p/site/${name}/state/list`, { revision: 5, freshness: "fresh" }, at - 10);
        }
        return null;
      },
    };
    const fleet = new Fleet("p");
    const said: string[] = [];
    expect(await hearAll(visit, fleet, new HurriedClock(50), (notice) => said.push(notice))).toBeNull();
    expect(fleet.all()).toHaveLength(110);
    expect(fleet.all().filter((gate) => lagOf(gate, 5) !== null)).toMatchObject([{ gateway: "gate-7" }]);
    expect(said).toEqual([expect.stringMatching(/^the broker left out 10 of what it holds/)]);
    expect(Math.max(...asked.map(({ length }) => length))).toBeLessThanOrEqual(50);
  });

  it("takes nothing but the words of a gateway", () => {
    const fleet = new Fleet("p");
    const clears = "\u001b[2J";
    fleet.hear(`p/${clears}/gate/state`, bytes({ state: "online" }));
    fleet.hear("other/site/gate/state", bytes({ state: "online" }));
    fleet.hear("p/site/gate/state/list/more", bytes({ revision: 1 }));
    fleet.hear("p/site/gate/tap", bytes({ revision: 1 }));
    fleet.hear("p/site/gate/state", bytes("not json"));
    fleet.hear("p/site/gate/state", bytes("null"));
    fleet.hear("p/feeds/id06", bytes({ revision: -1 }));
    expect(fleet.all()).toEqual([]);
    fleet.hear("p/site/gate/state/list", bytes({ revision: "1", freshness: clears, refreshedAt: clears }));
    expect(fleet.all()).toMatchObject([{ revision: null, freshness: null, refreshedAt: null }]);
    expect(fleet.announced.size).toBe(0);
  });
});

describe("on the command line", () => {
  const feed = (words: string, env: NodeJS.ProcessEnv = {}, program?: typeof grindvakt) =>
    feedIn(folder, words, env, program);

  const cards = "number,status,valid_until,tokens\nBB-2401-000001,active,,\n";

  it("announces what publish, set and refresh did, under the feed's own name", async () => {
    const { url } = await broker({ users: { centre: "hemligt", ear: "x" } });
    const environment = { GRINDVAKT_MQTT_USERNAME: "centre", GRINDVAKT_MQTT_PASSWORD: "hemligt" };
    const ear = await subscriber(url, "sites/#", { username: "ear", password: "x" });
    await writeFile(join(folder, "cards.csv"), cards);
    await feed("init lists --name id06");
    const notify = `--notify ${url} --prefix sites`;
    expect(await feed(`publish lists --cards cards.csv ${notify}`, environment)).toMatchObject({
      code: 0,
      errors: [],
    });
    await writeFile(join(folder, "password"), "hemligt\n", { mode: 0o600 });
    const byFile = `${notify} --username centre --password-file password --json`;
    const set = await feed(`set lists BB-2401-000001 blocked ${byFile}`);
    expect(JSON.parse(set.out)).toMatchObject({ to: 2, announced: true });
    await feed(`refresh lists ${notify}`, environment, grindvakt);
    await ear.hear(({ payload }) => ear.heard.length === 3 && payload === '{"revision":2}');
    expect(ear.heard.map(({ topic, payload }) => [topic, payload])).toEqual([
      ["sites/feeds/id06", '{"revision":1}'],
      ["sites/feeds/id06", '{"revision":2}'],
      ["sites/feeds/id06", '{"revision":2}'],
    ]);
    const late = await subscriber(url, "sites/#", { username: "ear", password: "x" });
    expect(await late.hear(() => true)).toMatchObject({ payload: '{"revision":2}', retained: true });
  });

  it("publishes also where it cannot be announced, and says both", async () => {
    await writeFile(join(folder, "cards.csv"), cards);
    await feed("init lists");
    const end = await feed("publish lists --cards cards.csv --notify mqtt://127.0.0.1:1");
    expect(end).toMatchObject({
      code: 1,
      out: expect.stringMatching(/^no list -> revision 1/),
      errors: [
        expect.stringMatching(/^grindvakt: revision 1 is published, but could not be announced: .*refused/),
        expect.stringMatching(/next refresh/),
      ],
    });
    expect((await feed("verify lists")).out).toMatch(/revision 1/);
    const json = await feed(
      "set lists BB-2401-000001 blocked --json --username x --notify mqtt://127.0.0.1:1",
    );
    expect({ ...JSON.parse(json.out), code: json.code }).toMatchObject({ to: 2, announced: false, code: 1 });
  });

  it("takes no password from the command line, and publishes nothing then", async () => {
    await writeFile(join(folder, "cards.csv"), cards);
    await writeFile(join(folder, "open"), "hemligt\n", { mode: 0o644 });
    await feed("init lists");
    const ends: [string, RegExp][] = [
      ["--notify mqtt://centre:hemligt@127.0.0.1:1", /no password in the address/],
      ["--notify mqtt://127.0.0.1:1 --password-file open", /chmod 600/],
      ["--notify mqtt://127.0.0.1:1 --ca nowhere.pem", /nowhere.pem is not there/],
      ["--notify nonsense", /no address like/],
    ];
    for (const [words, why] of ends) {
      const end = await feed(`publish lists --cards cards.csv ${words}`);
      expect({ words, ...end }).toMatchObject({ code: 2, errors: [expect.stringMatching(why)] });
    }
    expect((await feed("verify lists")).out).toMatch(/no list yet/);
  });

  it("warns of an address off loopback that is not encrypted, however it begins", async () => {
    await writeFile(join(folder, "cards.csv"), cards);
    await feed("init lists");
    const end = await feed("publish lists --cards cards.csv --notify mqtt://127.example --ca nowhere.pem");
    expect(end.errors).toEqual([
      expect.stringMatching(/mqtt:\/\/127\.example is not encrypted/),
      expect.stringMatching(/nowhere\.pem is not there/),
    ]);
  });

  it("shows which gateways lag behind", async () => {
    const { url } = await broker();
    const centre = await subscriber(url, "none");
    expect(await feed(`gates --broker ${url}`)).toMatchObject({
      code: 1,
      errors: [expect.stringMatching(/no gateway has left a state under grindvakt\//)],
    });
    const leave = (topic: string, value: unknown) =>
      centre.client.publishAsync(`grindvakt/${topic}`, JSON.stringify(value), { qos: 1, retain: true });
    await leave("feeds/id06", { revision: 3 });
    await leave("slussen/gate-1/state", { state: "online" });
    await leave("slussen/gate-1/state/list", { revision: 3, freshness: "fresh" });
    expect(await feed(`gates --broker ${url} --name id06`)).toMatchObject({
      code: 0,
      errors: [],
      out: "0 of 1 gateways lag behind; revision 3\n",
    });
    await leave("slussen/gate-2/state", { state: "offline" });
    await leave("slussen/gate-2/state/list", { revision: 1, freshness: "late" });
    const end = await feed(`gates --broker ${url}`);
    expect(end).toMatchObject({ code: 1, errors: [] });
    expect(end.out).toBe(
      "1 of 2 gateways lag behind; revision 3\n  slussen/gate-2  offline, revision 1, late  2 behind\n",
    );
    expect(JSON.parse((await feed(`gates --broker ${url} --json`)).out)).toMatchObject({
      revision: 3,
      gates: [
        { gateway: "gate-1", lag: null },
        { gateway: "gate-2", online: false, lag: "2 behind" },
      ],
    });
  });
});
