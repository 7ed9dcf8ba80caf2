/** The site's own list as a site manager uses it: the command, the gate, the centre that listens. */
import { chown, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { join, resolve } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { acquireLock } from "../../drivers/lock.ts";
import { ask } from "./counter.ts";
import { P } from "./ear.ts";
import { CARDS, type Configuration, makeSite, type Site, sharedFeed, until } from "./site.ts";
import { setStage } from "./stage.ts";

const CARD = CARDS.granted;
const WHO = { by: "command", name: expect.stringContaining(userInfo().username) };

const feedDir = await sharedFeed();

/** A gate with nothing around it. */
async function bareSite(configure: (configuration: Configuration) => void = () => undefined): Promise<Site> {
  const site = await makeSite(feedDir, "none", (configuration) => {
    configuration.readers = [{ id: "north-in-1", driver: "virtual" }];
    configure(configuration);
  });
  onTestFinished(() => site.dispose());
  return site;
}

describe("the site list", () => {
  test("refuses at the next tap what was blocked, grants it again, and the centre hears who and why", async () => {
    const { line, ear, site } = await setStage(feedDir);
    const daemon = await (await site.run()).healthy();
    let taps = 0;
    const tap = async (): Promise<Configuration> => {
      await line.send(`${CARD}\r\n`);
      taps += 1;
      return (await ear.hearTaps(`tap ${taps}`, ({ length }) => length === taps))[taps - 1]!.data;
    };
    expect(await tap()).toMatchObject({ reason: "granted" });

    const blocked = await site.command(
      "site",
      "block",
      "bb 2611 000001",
      "--until",
      "2099-12-24",
      "--why",
      "borttappat",
    );
    expect(blocked).toEqual({
      code: 0,
      stdout: `${CARD}: blocked by this site until 2099-12-24\n`,
      stderr: "",
    });
    expect(await tap()).toMatchObject({ card: CARD, granted: false, reason: "site-blocked" });
    expect(await ear.hear("list", ({ data }) => data.event === "site-blocked")).toMatchObject({
      subject: "list",
      data: { card: CARD, until: "2099-12-24", why: "borttappat", who: WHO, atTrusted: true },
    });
    await ear.hear("state", ({ siteList }) => siteList?.blocked === 1 && siteList.fault === null);

    const looked = JSON.parse((await site.command("lookup", CARD, "--json")).stdout);
    expect(looked).toMatchObject({
      reason: "site-blocked",
      status: "active",
      site: { blocked: { until: "2099-12-24", why: "borttappat", who: WHO }, allowed: null },
    });
    expect((await site.command("lookup", CARD)).stdout).toMatch(
      /\n {2}site {6}blocked until 2099-12-24: borttappat \(/,
    );
    expect(await daemon.status()).toMatchObject({ siteList: { blocked: 1, allowed: 0, fault: null } });

    expect(await site.command("site", "unblock", CARD)).toMatchObject({ code: 0, stderr: "" });
    expect(await tap()).toMatchObject({ reason: "granted" });
    await ear.hear("list", ({ data }) => data.event === "site-unblocked");
    const again = await site.command("site", "unblock", CARD);
    expect(again).toEqual({
      code: 1,
      stdout: "",
      stderr: `grindvakt: ${CARD} is not blocked by this site\n`,
    });

    // Whatever is killed now, the block is there, and is journaled.
    await site.command("site", "block", CARD);
    await daemon.end("SIGKILL");
    await (await site.run()).healthy();
    expect(await tap()).toMatchObject({ reason: "site-blocked" });
    const heard = () => ear.events().filter(({ data }) => data.event === "site-blocked");
    await until("the second block", () => heard().length >= 2 || null);
    expect(ear.faults()).toEqual([]);
    expect(ear.heard.filter(({ topic }) => topic === `${P}/list`).length).toBeGreaterThan(3);
  });

  test("changed while the gateway is stopped, is in force and journaled when it starts", async () => {
    const site = await bareSite((configuration) => {
      configuration.cards.admit = "site-allowed";
    });
    const stopped = await site.command("site", "block", CARDS.unknown, "--json");
    expect(JSON.parse(stopped.stdout)).toEqual({
      event: "site-blocked",
      card: CARDS.unknown,
      until: null,
      why: null,
      who: WHO,
      at: expect.any(String),
      atTrusted: expect.any(Boolean),
      isRunning: false,
    });
    expect((await site.command("site", "allow", CARD)).stdout).toBe(
      `${CARD}: allowed by this site, from when the gateway starts\n`,
    );
    expect((await site.command("site", "disallow", CARDS.blocked)).code).toBe(1);
    const askStopped = JSON.parse((await site.command("lookup", "bb2611000008", "--json")).stdout);
    expect(askStopped).toMatchObject({ site: { blocked: { why: null }, allowed: null } });

    const daemon = await (await site.run()).healthy();
    const events = await until("both journaled", async () => {
      const lines = (await site.journal()).filter(({ data }) => /^site-/.test(data.event));
      return lines.length === 2 ? lines : null;
    });
    expect(events.map(({ data }) => [data.event, data.card])).toEqual([
      ["site-blocked", CARDS.unknown],
      ["site-allowed", CARD],
    ]);
    const { console: url } = JSON.parse(await daemon.said("grindvakt runs")) as { console: string };
    const reasonOf = async (): Promise<string> => {
      const reply = await fetch(`${url}/api/cards/${CARD}`);
      const answer = (await reply.json()) as Configuration;
      // Who has not signed in is not told what the site wrote.
      expect(answer.site).toBeUndefined();
      return answer.reason;
    };
    expect(await reasonOf()).toBe("granted");
    await site.command("site", "disallow", CARD);
    expect(await reasonOf()).toBe("not-allowed-here");
    await site.command("site", "allow", CARD, "--until", "2099-01-01T00:00:00+01:00");
    expect(await reasonOf()).toBe("granted");
    await daemon.end();
    expect((await site.journal()).filter(({ data }) => /^site-/.test(data.event))).toHaveLength(4);
  });

  test("is listed for people and for programs, the same with the gateway running and stopped", async () => {
    const site = await bareSite();
    const empty = await site.command("site", "list");
    expect(empty).toEqual({ code: 0, stdout: "the site blocks nobody and allows nobody\n", stderr: "" });
    const daemon = await (await site.run()).healthy();
    await site.command("site", "block", "BB-2611-000009", "--until", "2099-12-24", "--why", "tappat");
    await site.command("site", "allow", CARD, "--until", "2099-12-24T18:00:00+01:00");
    const warned = await site.command("site", "allow", "BB-2611-000009");
    expect(warned.stderr).toMatch(/^warning: cards.admit is listed, [^\n]+\n$/);

    const tail = await site.command("journal", "tail", "--no-follow");
    expect(tail.stdout).toMatch(
      / list +BB-2611-000009 site-blocked until 2099-12-24 by \S[^\n]*: tappat\n.* list +BB-2611-000001 site-allowed until /,
    );

    const running = [await site.command("site", "list"), await site.command("site", "list", "--json")];
    const one = await site.command("site", "list", "bb2611000009", "--json");
    await daemon.end();
    expect([await site.command("site", "list"), await site.command("site", "list", "--json")]).toEqual(
      running,
    );

    const [header, ...rows] = running[0]!.stdout.trimEnd().split("\n");
    expect(header!.split(/ {2,}/)).toEqual(["number", "rule", "until", "why", "who", "when"]);
    expect(rows.map((row) => row.split(/ {2,}/).slice(0, 3))).toEqual([
      [CARD, "allow", "2099-12-24 18:00"],
      ["BB-2611-000009", "allow", expect.any(String)],
      ["BB-2611-000009", "block", "2099-12-24"],
    ]);
    expect(rows[2]).toMatch(/ tappat +\S.*\(command\) +\d{4}-\d\d-\d\d \d\d:\d\d/);
    const { entries } = JSON.parse(running[1]!.stdout);
    expect(entries).toHaveLength(3);
    expect(entries[0]).toMatchObject({
      event: "site-allowed",
      card: CARD,
      until: "2099-12-24T17:00:00.000Z",
    });
    expect(JSON.parse(one.stdout).entries).toEqual(entries.slice(1));
    expect((await site.command("site", "list", CARDS.blocked)).stdout).toBe(
      `${CARDS.blocked} is not on the site list\n`,
    );
    expect((await stat(join(site.dir, "data", "site-list.json"))).isFile()).toBe(true);
  });

  test("that is damaged is read from its copy, and made anew from the journal where both are", async () => {
    const site = await bareSite();
    await site.command("site", "block", CARD, "--why", "to stay");
    const file = join(site.dir, "data", "site-list.json");
    const whole = await readFile(file, "utf8");
    const blockOf = async (): Promise<Configuration> =>
      JSON.parse((await site.command("lookup", CARD, "--json")).stdout).site.blocked;

    await writeFile(file, whole.replace("to stay", "to play"));
    const second = await (await site.run()).healthy();
    expect(await blockOf()).toMatchObject({ why: "to stay" });
    expect((await second.status()).siteList?.fault).toContain("its copy is used");
    await second.end();

    for (const path of [file, `${file}.copy`]) await writeFile(path, "{}");
    for (const args of [
      ["lookup", CARD],
      ["site", "list"],
      ["site", "block", CARD],
    ]) {
      const refused = await site.command(...args);
      expect([refused.code, refused.stdout]).toEqual([1, ""]);
      expect(refused.stderr).toContain("the gateway restores it from its journal when it starts");
    }
    const third = await (await site.run()).healthy();
    expect(await blockOf()).toMatchObject({ why: "to stay" });
    expect((await third.status()).siteList).toEqual({
      blocked: 1,
      allowed: 0,
      fault: expect.stringContaining("restored from the journal"),
    });
    await third.end();
    const journal = await site.journal();
    const damaged = journal.filter(({ data }) => data.event === "site-list-damaged");
    expect(damaged.map(({ data }) => data.why)).toEqual([
      expect.stringContaining("its copy is used"),
      expect.stringContaining("restored from the journal"),
    ]);
    // Changed while the gateway was stopped: journaled at its first start, and never again.
    expect(journal.filter(({ data }) => data.event === "site-blocked")).toHaveLength(1);
    expect(await blockOf()).toMatchObject({ why: "to stay" });
  });

  test("is changed in a stopped gateway's directory by one at a time, under the lock that the gateway would hold", async () => {
    const site = await bareSite();
    expect((await site.command("site", "block", CARD)).code).toBe(0);
    const lock = await acquireLock(join(site.dir, "data"));
    onTestFinished(() => lock?.release());
    expect(await site.command("site", "unblock", CARD)).toEqual({
      code: 1,
      stdout: "",
      stderr: expect.stringMatching(
        /^grindvakt: another grindvakt holds \S+ and does not answer; try again\n$/,
      ),
    });
    await lock?.release();
    expect((await site.command("site", "unblock", CARD)).code).toBe(0);
  });

  test("does not leave files in a stopped gateway's directory that the gateway's account cannot read", async () => {
    const isRoot = process.getuid?.() === 0;
    const others = isRoot ? "./others" : "/usr";
    const site = await bareSite((configuration) => {
      configuration.dataDir = others;
    });
    const dir = resolve(site.dir, others);
    if (isRoot) {
      await mkdir(dir);
      await chown(dir, 65_534, 65_534);
    }
    const { code, stdout, stderr } = await site.command("site", "block", CARD);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^grindvakt: [^\n]+ belongs to account \d+; [^\n]*sudo -u '#\d+' grindvakt …\n$/);
    expect(await readdir(dir)).not.toContain("site-list.json");
  });

  test("says in one line how it is used wrongly, and exits 2", async () => {
    const site = await bareSite();
    const check = async (args: readonly string[], words: string): Promise<void> => {
      const { code, stdout, stderr } = await site.command("site", ...args);
      expect({ code, stdout }, words).toEqual({ code: 2, stdout: "" });
      expect(stderr).toMatch(/^grindvakt: [^\n]+\n$/);
      expect(stderr).toContain(words);
    };
    const unread: [string[], string][] = [
      [["block"], "missing required argument 'card'"],
      [["block", "BB-12"], "write it like BB-1234-567890"],
      [["block", "uid:04A1B2C3D4E5F6"], "grindvakt lookup finds the number of a chip"],
      [["unblock", CARD, "--until", "2099-12-24"], "unknown option '--until'"],
      [["list", "BB-12"], "write it like BB-1234-567890"],
      [["admire", CARD], "unknown command 'admire'"],
    ];
    await Promise.all(unread.map(([args, words]) => check(args, words)));
    // These are judged under the lock of the stopped gateway: one after the other.
    await check(["block", CARD, "--until", "tomorrow"], "the end must be a day like 2026-12-24");
    await check(["block", CARD, "--until", "2020-02-29"], "2020-02-29 has passed already");
    await check(["block", CARD, "--why", "a\nb"], "the reason must be one line");
    const names = ["block", "unblock", "allow", "disallow", "list"];
    const helps = await Promise.all(names.map((name) => ask(["site", name, "--help"])));
    expect(helps.map(({ stdout }) => stdout.split(" ")[3])).toEqual(names);
  });
});
