/** Bad input from every side: a clear word each, nothing lost, the rest of the gate unaffected. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, onTestFinished, test } from "vitest";
import { P } from "./ear.ts";
import { CARDS, type Daemon, relayCommands, relayTold, sharedFeed } from "./site.ts";
import { pluggedPty, setStage } from "./stage.ts";

const feedDir = await sharedFeed();

describe("the gate goes on, and says so, with", () => {
  test("a neighbour's port that is not there, until it is, and noise and a line without an end on its cable", async () => {
    const noisy = await pluggedPty();
    await noisy.unplug();
    const { line, ear, site } = await setStage(feedDir, ({ readers, accessPoints }) => {
      readers.push({ id: "noisy", driver: "serial", port: noisy.path, reads: "card-number" });
      accessPoints.push({ id: "south-in", direction: "entry", readers: ["noisy"], repeatSeconds: 0 });
    });
    const daemon = await (await site.run()).healthy();
    const down = await ear.hear("state/readers/noisy", ({ state }) => state === "down");
    expect(down.why).toContain(noisy.path);
    await daemon.said(/"reader noisy is down"/);
    await line.send(`${CARDS.blocked}\r\n`);
    await ear.hearTaps("a tap at the other reader", ({ length }) => length === 1);

    await noisy.plug();
    await ear.hear("reader", ({ data }) => data.reader === "noisy" && data.event === "up");
    await noisy.send(`${CARDS.suspended}\r\n`);
    const first = await ear.hearTaps("a tap at the reader that came late", ({ length }) => length === 2);
    expect(first[1]?.data).toMatchObject({ reader: "noisy", reason: "suspended" });

    const endless = 200_000;
    const noises = 2_000;
    const sent = noisy
      .send("A".repeat(endless))
      .then(() => noisy.send(`\n${"\xfe\x91noise\x1b[2J\r\n".repeat(noises)}`));
    const cards = Array.from({ length: 30 }, (_, index) => Object.values(CARDS)[index % 8]!);
    for (const [index, card] of cards.entries()) {
      await line.send(`${card}\r\n`);
      await daemon.become(`tap ${index} decided`, ({ readers }) => readers["north-in-1"]!.taps > index + 1);
    }
    await sent;
    // Pieces of 16 KiB, then every line for itself.
    const readings = Math.ceil(endless / 16_384) + noises;
    await daemon.become("all noise is counted", ({ readers: { noisy: counts } }) => {
      return counts!.misreads + counts!.dropped >= readings;
    });
    await noisy.send(`${CARDS.blocked}\r\n`);
    const taps = await ear.hearTaps("a card at the noisy reader", (all) =>
      all.some(({ data }) => data.reader === "noisy" && data.card === CARDS.blocked),
    );

    expect(taps.filter(({ data }) => data.reader === "north-in-1").map(({ data }) => data.card)).toEqual([
      CARDS.blocked,
      ...cards,
    ]);
    const noise = taps.filter(({ data }) => data.reader === "noisy" && data.card === null);
    expect(noise.length).toBeGreaterThan(0);
    expect(noise.length).toBeLessThanOrEqual(10);
    expect(noise[0]?.data).toMatchObject({
      reason: "unreadable",
      granted: false,
      step: expect.stringMatching(/16384 bytes without an end.*baudRate/),
    });
    expect(ear.faults()).toEqual([]);
  });

  test("a wrong password for the broker", async () => {
    const centre = { username: "centre", password: "hears all" };
    const { line, board, ear, site } = await setStage(
      feedDir,
      ({ mqtt }) => Object.assign(mqtt, { username: "gate-07", password: { file: "./password" } }),
      { users: { centre: centre.password, "gate-07": "right" }, centre },
    );
    await writeFile(join(site.dir, "password"), "wrong\n", { mode: 0o600 });
    const daemon = await (await site.run()).healthy();
    const word = await daemon.said("broker is down");
    expect(JSON.parse(word)).toMatchObject({
      level: "warn",
      why: expect.stringMatching(/not authori[sz]ed|password/i),
    });
    expect(word).not.toContain("wrong\\n");
    await line.send(`${CARDS.granted}\r\n`);
    await daemon.become("the tap is decided", ({ readers }) => readers["north-in-1"]!.taps === 1);
    // Decided, but not yet written down: a gate that is told to end now does not open.
    await relayTold(board, "to open", (commands) => commands.includes("1 on"));
    await daemon.end();

    await writeFile(join(site.dir, "password"), "right\n", { mode: 0o600 });
    await site.run();
    const taps = await ear.hearTaps("the tap of before", ({ length }) => length === 1);
    expect(taps[0]?.data).toMatchObject({ reason: "granted", card: CARDS.granted });
  });

  test("a list signed by somebody else", async () => {
    const { line, ear, site } = await setStage(feedDir, ({ cards }) => {
      cards.root = "./other/root.json";
    });
    expect((await site.command("feed", "init", "other")).code).toBe(0);
    const daemon = await site.run();
    const { data } = await ear.hear("list", ({ data }) => data.event === "refused");
    expect(data).toMatchObject({
      name: expect.stringMatching(/signature/i),
      why: expect.stringMatching(/root/),
    });
    await daemon.said("card list refused");
    await allUp(daemon);
    await line.send(`${CARDS.granted}\r\n`);
    const [tap] = await ear.hearTaps("a tap", ({ length }) => length === 1);
    expect(tap?.data).toMatchObject({ granted: false, reason: "list-missing", list: null });
    expect(ear.faults()).toEqual([]);
  });

  test("a disk that takes nothing: events are sent from memory and written down later under the same id", async () => {
    const out = await pluggedPty();
    const { line, board, ear, site } = await setStage(feedDir, (configuration) => {
      configuration.readers.push({
        id: "north-out-1",
        driver: "serial",
        port: out.path,
        reads: "card-number",
      });
      configuration.accessPoints.push({
        id: "north-out",
        direction: "exit",
        readers: ["north-out-1"],
        relay: { ...configuration.accessPoints[0].relay, channel: 2 },
        whenJournalFails: "deny",
      });
    });
    const daemon = await allUp(await (await site.run()).healthy());
    await daemon.become("nothing unsent", ({ outbox }) => outbox.unsent === 0);

    await limitFileSize(daemon, "0");
    await line.send(`${CARDS.granted}\r\n`);
    await out.send(`${CARDS.granted}\r\n`);
    const volatile = await ear.hearTaps("taps that are not on disk", ({ length }) => length === 2);
    const { boot } = await daemon.status();
    for (const { id, data } of volatile) {
      expect(id).toMatch(new RegExp(`^gate-07/${boot}/\\d+$`));
      expect(data).toMatchObject({ seq: null, durable: false, granted: true, card: CARDS.granted });
    }
    await ear.hear("passage", ({ data }) => data.event === "withheld" && data.accessPoint === "north-out");
    await ear.hear("passage", ({ data }) => data.event === "opened" && data.accessPoint === "north-in");
    await relayTold(board, "to open", (commands) => commands.includes("1 on"));
    expect(relayCommands(board)).not.toContain("2 on");
    const failed = await ear.hear("gateway", ({ data }) => data.event === "journal-failed");
    expect(failed.data.why).toMatch(/EFBIG|too large/);
    await daemon.said("the journal cannot be written");
    await ear.hear("state", ({ journal }) => journal?.state === "failed");

    await limitFileSize(daemon, "unlimited");
    await ear.hear("gateway", ({ data }) => data.event === "journal-recovered" && data.durable);
    await ear.hear("state", ({ journal, unsent }) => journal?.state === "well" && unsent === 0);
    await daemon.end();
    const journal = await site.journal();
    await ear.hearUpTo(journal.length);
    const events = ear.events();
    expect(events.map(({ data }) => data.durable)).not.toContain(false);
    expect(events.map(({ data }) => data.seq).sort((a, b) => a - b)).toEqual(journal.map(({ seq }) => seq));
    for (const { id } of volatile) expect(journal.filter((entry) => entry.id === id).length).toBe(1);
    expect(ear.faults()).toEqual([]);
    expect((await site.command("journal", "verify")).code).toBe(0);
  });

  test("a broker that takes the states but no event: the event stays first, and the state says why", async () => {
    const dir = await mkdtemp(join(tmpdir(), "grindvakt-acl-"));
    onTestFinished(() => rm(dir, { recursive: true, force: true }));
    const acl = join(dir, "acl");
    await writeFile(acl, `topic read ${P}/#\ntopic write ${P}/state/#\n`, { mode: 0o600 });
    const { broker, line, ear, site } = await setStage(feedDir, undefined, { lines: [`acl_file ${acl}`] });
    const daemon = await (await site.run()).healthy();
    await line.send(`${CARDS.blocked}\r\n`);
    const state = await ear.hear("state", ({ refused, unsent }) => refused !== null && unsent > 0);
    expect(state.refused).toMatch(/not authori[sz]ed/i);
    expect(JSON.parse(await daemon.said("the broker refuses an event"))).toMatchObject({ id: "gate-07/1" });
    expect(ear.events()).toEqual([]);

    await writeFile(acl, "topic readwrite #\n", { mode: 0o600 });
    process.kill(broker.pid(), "SIGHUP");
    await ear.hearTaps("the tap", ({ length }) => length === 1);
    await ear.hear("state", ({ refused, unsent }) => refused === null && unsent === 0);
    const events = ear.events();
    expect(events.map(({ data }) => data.seq)).toEqual(events.map((_, index) => index + 1));
    expect(ear.faults()).toEqual([]);
  });
});

function allUp(daemon: Daemon): Promise<Daemon> {
  const isUp = ({ state }: { state: string }): boolean => state === "up";
  return daemon
    .become("all readers are up", ({ readers }) => Object.values(readers).every(isUp))
    .then(() => daemon);
}

/** Every write to a file then fails with EFBIG, as a full disk would with ENOSPC; needs no rights. */
async function limitFileSize(daemon: Daemon, bytes: string): Promise<void> {
  await promisify(execFile)("prlimit", ["--pid", String(daemon.pid), `--fsize=${bytes}:`]);
}
