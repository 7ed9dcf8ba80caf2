/** A gateway whose machine lost the time with its power: what it does until somebody tells it, with TLS on both ways out. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { makeAuthority } from "../peers/certificates.ts";
import { startMosquitto } from "../peers/mosquitto.ts";
import { makeWallClock } from "../peers/wall-clock.ts";
import { serveWeb } from "../peers/web.ts";
import { writeJournal } from "../unit/paper-journal.ts";
import { listen } from "./ear.ts";
import { CARDS, grindvakt, makeSite, sharedFeed, until } from "./site.ts";

/** Once the time is set, the broker is called again within 15 s. */
const SET_MS_MAX = 90_000;

const feedDir = await sharedFeed();

test("opens to whom it knows, keeps what it cannot send, says why, and sends it once the clock is set", {
  timeout: 240_000,
}, async () => {
  const dir = await mkdtemp(join(tmpdir(), "clock-1970-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const authority = await makeAuthority(dir);
  const { certFile, keyFile } = await authority.issue("localhost");
  const broker = await startMosquitto({ tls: { caFile: authority.caFile, certFile, keyFile } });
  onTestFinished(() => broker.dispose());
  const ca = await readFile(authority.caFile);
  const ear = await listen(broker, { ca });
  onTestFinished(() => ear.stop());
  const site = await makeSite(feedDir, "none", async (configuration) => {
    const tls = { cert: await readFile(certFile), key: await readFile(keyFile) };
    const web = await serveWeb(join(feedDir, "feed"), { tls });
    onTestFinished(() => web.stop());
    configuration.readers = [{ id: "north-in-1", driver: "virtual" }];
    configuration.cards.feed = web.url;
    configuration.cards.tls = { ca: authority.caFile };
    configuration.mqtt = { urls: [broker.url], tls: { ca: authority.caFile } };
  });
  onTestFinished(() => site.dispose());
  const clock = await makeWallClock(join(dir, "clock"), "1970-01-01T00:00:20Z");

  const before = await (await site.run()).healthy();
  await before.post("/api/taps", { reader: "north-in-1", credential: CARDS.granted });
  await ear.hearTaps("a tap by a clock that is set", ({ length }) => length === 1);
  const floorMs = Date.now();
  await before.end("SIGKILL");

  // The last day of a card is long past, whatever this clock shows, and lookup says what the gate does.
  const lookUp = ["lookup", "-c", site.file, CARDS.expired, "--json"];
  const stopped = await grindvakt(lookUp, { env: clock.env });
  expect(JSON.parse(stopped.stdout)).toMatchObject({ reason: "expired" });
  const daemon = await (await site.run(clock.env)).healthy();
  expect(JSON.parse((await grindvakt(lookUp)).stdout)).toMatchObject({ reason: "expired" });
  for (const credential of [CARDS.granted, CARDS.expired])
    await daemon.post("/api/taps", { reader: "north-in-1", credential });
  const status = await daemon.become("the broker is out of reach", ({ broker: { why } }) => why !== null);
  expect(status).toMatchObject({
    clockTrusted: false,
    list: { revision: 1, freshness: "late" },
    broker: { state: "down", why: expect.stringMatching(/certificate is not valid yet.*1970-01-01/) },
  });
  const lines = await until("both are written down", async () => {
    const taps = (await site.journal()).filter(({ type }) => type === "grindvakt.tap.v1");
    return taps.length === 3 ? taps : null;
  });
  expect(lines.map(({ data }) => data.reason)).toEqual(["granted", "granted", "expired"]);
  for (const { data } of lines.slice(1)) {
    expect(data.clock).toMatchObject({ trusted: false });
    expect(Math.abs(Date.parse(data.clock.floor) - floorMs)).toBeLessThan(60_000);
  }
  const refused = await until(
    "the feed is out of reach",
    async () => (await site.journal()).find(({ data }) => data.event === "refused") ?? null,
  );
  expect(refused.data).toMatchObject({ name: "unreachable", why: expect.stringMatching(/not valid yet/) });
  const doctor = await grindvakt(["doctor", "-c", site.file], { env: clock.env });
  expect(doctor.code).toBe(1);
  expect(doctor.stdout).toMatch(/1970-01-01T\S+ has not been synchronised/);
  expect(doctor.stdout).toMatch(/timedatectl set-ntp true/);

  await clock.setRight();
  const isBack = () => (ear.taps().length === 3 ? ear.taps() : null);
  const taps = await until("everything is sent", isBack, SET_MS_MAX);
  expect(taps.map(({ data }) => [data.reason, data.clock.trusted])).toEqual([
    ["granted", true],
    ["granted", false],
    ["expired", false],
  ]);
  const isSet = () => ear.events().find(({ data }) => data.event === "clock-trusted") ?? null;
  const set = await until("the centre is told that the clock is set", isSet, SET_MS_MAX);
  // The true time of a tap of that run, as docs/journal.md has it.
  const tap = taps[1]!;
  const agoMs = set.data.clock.uptimeMs - tap.data.clock.uptimeMs;
  const trueMs = Date.parse((set as unknown as { time: string }).time) - agoMs;
  expect(Math.abs(trueMs - floorMs)).toBeLessThan(SET_MS_MAX);
  await daemon.become("the list is confirmed", ({ list }) => list.freshness === "fresh");
  expect(ear.faults()).toEqual([]);
});

test("wrong by twenty years, and believed, it costs the journal its oldest day and nothing that was not sent", async () => {
  const dir = await mkdtemp(join(tmpdir(), "clock-2046-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const broker = await startMosquitto();
  onTestFinished(() => broker.dispose());
  const ear = await listen(broker);
  onTestFinished(() => ear.stop());
  const site = await makeSite(feedDir, "none", (configuration) => {
    configuration.readers = [{ id: "north-in-1", driver: "virtual" }];
    configuration.mqtt = { urls: [broker.url] };
  });
  onTestFinished(() => site.dispose());
  const days = ["2026-11-17", "2026-11-18", "2026-11-19", "2026-11-20", "2026-11-21"];
  await writeJournal(
    join(site.dir, "data", "journal"),
    days.map((day) => [
      { time: `${day}T06:00:00.000Z`, card: CARDS.granted, trusted: true },
      { time: `${day}T15:00:00.000Z`, card: CARDS.granted, direction: "exit", trusted: true },
    ]),
  );
  const clock = await makeWallClock(join(dir, "clock"), "2046-11-23T06:00:00Z");

  const daemon = await site.run(clock.env);
  const wellAndSent = ({ readers, outbox, broker: { state } }: Awaited<ReturnType<typeof daemon.status>>) =>
    readers["north-in-1"]?.state === "up" && outbox.unsent === 0 && state === "up";
  // It has no list: by that clock the feed's metadata has expired long ago.
  expect(await daemon.become("everything is sent", wellAndSent)).toMatchObject({
    clockTrusted: true,
    list: { revision: null },
  });
  // What is acknowledged may go once that is written down.
  const cursor = join(site.dir, "data", "outbox.json");
  await until("the cursor is written down", async () =>
    JSON.parse(await readFile(cursor, "utf8").catch(() => "{}")).acknowledged >= 10 ? true : null,
  );
  // With each new day it is looked at what is too old.
  for (const day of ["24", "25", "26"]) {
    await clock.set(`2046-11-${day}T06:00:00Z`);
    await daemon.post("/api/taps", { reader: "north-in-1", credential: CARDS.granted });
    await daemon.said("dropped the oldest journal segment");
    await daemon.become("everything is sent", wellAndSent);
  }
  await daemon.end();
  const journal = await site.journal();
  expect(journal[0]?.seq).toBe(3);
  expect((await site.command("journal", "verify")).code).toBe(0);
  const events = await ear.hearUpTo(journal.at(-1)?.seq ?? 0);
  expect(events.map(({ data }) => data.seq)).toEqual(events.map((_, index) => index + 1));
});
