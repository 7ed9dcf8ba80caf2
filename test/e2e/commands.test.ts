/** The commands of CONTRACT 2 as a user runs them: what they print, where, and how they end. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, onTestFinished, test } from "vitest";
import { ask } from "./counter.ts";
import {
  CARDS,
  type Configuration,
  type Daemon,
  grindvakt,
  makeSite,
  Program,
  type Site,
  sharedFeed,
  until,
} from "./site.ts";

const PROGRAM = join(import.meta.dirname, "../../dist/daemon/cli.js");
const feedDir = await sharedFeed();

/** A gate whose only reader is the console's. */
async function virtualSite(
  configure: (configuration: Configuration) => void = () => undefined,
): Promise<Site> {
  const site = await makeSite(feedDir, "none", (configuration) => {
    configuration.readers = [{ id: "north-in-1", driver: "virtual" }];
    configure(configuration);
  });
  onTestFinished(() => site.dispose());
  return site;
}

async function tap(daemon: Daemon, ...cards: string[]): Promise<void> {
  for (const credential of cards) {
    const before = (await daemon.status()).readers["north-in-1"]!.taps;
    await daemon.post("/api/taps", { reader: "north-in-1", credential });
    await daemon.become("the tap is decided", ({ readers }) => readers["north-in-1"]!.taps > before);
  }
}

function linesOf(text = ""): string[] {
  return text.trimEnd().split("\n");
}

describe("every command", () => {
  const commands = [
    [],
    ["demo"],
    ["run"],
    ["check"],
    ["doctor"],
    ["watch"],
    ["lookup"],
    ["journal"],
    ["osdp"],
    ["osdp", "commission"],
    ["osdp", "comset"],
    ...["verify", "tail", "export", "ledger"].map((name) => ["journal", name]),
    ["feed"],
    ...["init", "publish", "set", "refresh", "verify"].map((name) => ["feed", name]),
  ];

  test("has --help", async () => {
    const ended = await Promise.all(
      commands.map((command) => (command.length === 0 ? grindvakt : ask)([...command, "--help"])),
    );
    for (const [index, command] of commands.entries()) {
      expect(ended[index]).toMatchObject({ code: 0, stderr: "" });
      expect(ended[index]?.stdout).toMatch(new RegExp(`^Usage: ${["grindvakt", ...command].join(" ")} `));
    }
  });

  test.each([
    [["nonsense"], "unknown command 'nonsense'"],
    [["feed", "nonsense"], "unknown command 'nonsense'"],
    [["check", "-c", "gate.yaml", "--nonsense"], "unknown option '--nonsense'"],
    [["run"], "required option '-c, --config <file>' not specified"],
    [["lookup", "-c", "gate.yaml"], "missing required argument 'card'"],
    [["journal", "export", "-c", "gate.yaml", "--from", "yesterday"], "it must be a day like 2026-11-22"],
    [["journal", "export", "-c", "gate.yaml", "--to", "2026-02-31"], "it must be a day like 2026-11-22"],
    [["feed", "set", "feed", "BB-1", "blocked"], "it must be a card number like BB-1234-567890"],
    [["feed", "set", "feed", "BB-1234-567890", "asleep"], "asleep"],
  ])("says in one line how %j is used wrongly, and exits 2", async (args, words) => {
    const { code, stdout, stderr } = await ask(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^grindvakt: [^\n]+\n$/);
    expect(stderr).toContain(words);
  });
});

describe("check and run", () => {
  test("name every fault by file, line and column, and exit 2", async () => {
    const site = await virtualSite();
    const file = join(site.dir, "wrong.yaml");
    const lines = [
      "gateway: { id: Gate 07, site: slussen }",
      "cards: { feed: ./feed, root: ./root.json, nmae: x }",
      "readers:",
      "  - { id: a, driver: virtual }",
      "accessPoints:",
      "  - { id: north-in, direction: inwards, readers: [a] }",
    ];
    await writeFile(file, lines.join("\n"));
    const checked = await ask(["check", "-c", file]);
    expect(checked).toMatchObject({ code: 2, stdout: "" });
    const faults = checked.stderr.trimEnd().split("\n");
    expect(faults.map((fault) => fault.replace(`${file}:`, "").split(": ").slice(0, 2).join(" "))).toEqual(
      expect.arrayContaining([
        `1:${lines[0]!.indexOf("Gate") + 1} gateway.id`,
        `2:${lines[1]!.indexOf("nmae") + 1} cards.nmae`,
        `6:${lines[5]!.indexOf("inwards") + 1} accessPoints[0].direction`,
      ]),
    );
    for (const fault of faults) expect(fault).toMatch(/: .+, allowed: .+/);
    expect(await grindvakt(["run", "-c", file])).toEqual({ ...checked });
  });

  test("call an empty file a fault at 1:1, and exit 2 where a file cannot be read", async () => {
    const site = await virtualSite();
    const empty = join(site.dir, "empty.yaml");
    await writeFile(empty, "");
    for (const [path, words] of [
      [empty, "is empty"],
      [join(site.dir, "absent.yaml"), "there is no such file"],
      [site.dir, "cannot be read"],
    ] as const) {
      const { code, stdout, stderr } = await ask(["check", "-c", path]);
      expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
      expect(stderr).toMatch(/^[^\n]+:1:1: [^\n]+\n$/);
      expect(stderr).toContain(words);
    }
  });

  test("end with 1 and one line where the dataDir holds what cannot be used", async () => {
    const site = await virtualSite(({ cards }) => {
      delete cards.tokenKey;
    });
    const dataDir = join(site.dir, "data");
    await mkdir(join(dataDir, "token.key"), { recursive: true });
    const { code, stderr } = await grindvakt(["run", "-c", site.file]);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(/^grindvakt: cannot start: \S+token.key is a folder, not a file\n$/),
    });
  });

  test("go on without a control socket; stop cleanly when their terminal goes away, and end by the same signal", async () => {
    const site = await virtualSite();
    await mkdir(join(site.dir, "data", "control.sock"), { recursive: true });
    const daemon = await (await site.run()).healthy();
    await daemon.said("the control socket cannot be opened");
    expect(await daemon.end("SIGHUP")).toEqual({ code: null, signal: "SIGHUP" });
    expect((await site.journal()).at(-1)?.data).toMatchObject({ event: "stopped" });
  });

  test("say whose a dataDir is to make, where this account may not", async () => {
    const site = await virtualSite((configuration) => {
      configuration.dataDir = "./closed/data";
    });
    await mkdir(join(site.dir, "closed"));
    // Root may write anywhere: then another account runs it.
    const isRoot = process.getuid?.() === 0;
    await chmod(join(site.dir, "closed"), isRoot ? 0o755 : 0o555);
    await chmod(site.dir, 0o755);
    await chmod(site.file, 0o644);
    const command = [process.execPath, PROGRAM, "run", "-c", site.file];
    const [program = "", ...args] = isRoot
      ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", ...command]
      : command;
    await expect(promisify(execFile)(program, args)).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /^grindvakt: dataDir: \S+ is not open to this account: run the command as [^\n]+\n$/,
      ),
    });
  });

  test("say in one line where a file is a folder or a pipe, or a folder a file", async () => {
    const site = await virtualSite();
    const at = (name: string): string => join(site.dir, name);
    await mkdir(at("data"));
    for (const file of [at("file"), at("data/journal")]) await writeFile(file, "no folder");
    const said = async (...args: string[]): Promise<string> => {
      const { stderr } = await (args[0] === "run" ? grindvakt : ask)(args);
      return stderr.replaceAll(site.dir, "DIR");
    };
    const shut = "grindvakt: DIR/data/journal: a file stands where a folder should be\n";
    for (const command of ["verify", "export"])
      expect(await said("journal", command, "-c", site.file)).toBe(shut);
    expect(await said("feed", "init", at("file"))).toBe(
      "grindvakt: DIR/file: a file stands where a folder should be\n",
    );
    expect(await said("feed", "init", at("new"), "--passphrase-file", site.dir)).toBe(
      "grindvakt: DIR is a folder, not a file\n",
    );
    await mkdir(at("half/timestamp.json"), { recursive: true });
    await writeFile(at("passphrase"), "a long passphrase\n", { mode: 0o600 });
    expect(await said("feed", "init", at("half"), "--passphrase-file", at("passphrase"))).toBe(
      "grindvakt: DIR/half/timestamp.json is a folder, not a file\n",
    );
    expect(await said("doctor", "-c", site.file, "--bundle", at("none/bundle.tgz"))).toBe(
      "grindvakt: DIR/none/bundle.tgz is not there, or its folder is not\n",
    );
    await promisify(execFile)("mkfifo", [at("pipe")]);
    expect(await said("feed", "init", at("new"), "--passphrase-file", at("pipe"))).toBe(
      "grindvakt: DIR/pipe is a pipe, not a file\n",
    );
    for (const secret of [site.dir, at("pipe")])
      expect(await said("osdp-pd", "--listen", "0", "--scbk-file", secret)).toMatch(
        /^grindvakt: DIR\S* cannot be read: it is a folder, a pipe or a device, not a file\n$/,
      );
    expect(await said("check", "-c", site.dir)).toMatch(
      /^DIR:1:1: \S+ cannot be read: DIR is a folder, not a file, allowed: [^\n]+\n$/,
    );
    await rm(at("data"), { recursive: true });
    await writeFile(at("data"), "no folder");
    for (const command of [["run"], ["lookup", CARDS.granted], ["identify", "--reader", "north-in-1"]])
      expect(await said(...command, "-c", site.file)).toMatch(
        /^grindvakt: (dataDir: )?DIR\/data is there already, and is no folder\n$/,
      );
  });

  test("take the cards of their own issuers, and log nothing below their level", async () => {
    const site = await virtualSite((configuration) => {
      configuration.cards.issuers = ["AA"];
      configuration.log = { level: "error" };
    });
    const running = new Program(["run", "-c", site.file]);
    onTestFinished(async () => void (await running.end("SIGKILL")));
    await until("it answers", () => (existsSync(join(site.dir, "data", "control.sock")) ? true : null));
    const { stdout } = await site.command("lookup", "AA-1234-567890", "--json");
    expect(JSON.parse(stdout).card).toBe("AA-1234-567890");
    expect(await site.command("lookup", CARDS.granted)).toMatchObject({ code: 2, stdout: "" });
    expect(await running.end("SIGTERM")).toEqual({ code: 0, signal: null });
    expect([running.stdout, running.stderr]).toEqual(["", ""]);
  });

  test("stop cleanly when told to while still starting", async () => {
    const site = await virtualSite();
    const starting = new Program(["run", "-c", site.file]);
    onTestFinished(async () => void (await starting.end("SIGKILL")));
    await until("it has begun", () => (existsSync(join(site.dir, "data")) ? true : null));
    expect(await starting.end("SIGTERM")).toEqual({ code: 0, signal: null });
  });
});

describe("a good file", () => {
  test("check takes a good file; a second run on its dataDir is refused with a clear word; lookup says the same with the daemon running and stopped", async () => {
    const site = await virtualSite();
    expect(await site.command("check")).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse((await site.command("check", "--json")).stdout)).toEqual({
      ok: true,
      gateway: "gate-07",
      readers: 1,
      accessPoints: 1,
    });
    const daemon = await (await site.run()).healthy();
    expect(await site.alone("run")).toEqual({
      code: 1,
      stdout: "",
      stderr: `grindvakt: another grindvakt runs on ${join(site.dir, "data")}\n`,
    });
    expect((await stat(join(site.dir, "data"))).mode & 0o777).toBe(0o700);
    expect((await stat(join(site.dir, "data", "control.sock"))).mode & 0o777).toBe(0o600);

    const asked = [CARDS.granted, "bb2611000003", "uid:04A1B2C3D4E5F6"];
    // One after the other: stopped, each holds the lock of the data directory.
    const ask = async (): Promise<Configuration[]> => {
      const answers: Configuration[] = [];
      for (const card of asked)
        answers.push(JSON.parse((await site.command("lookup", card, "--json")).stdout));
      return answers;
    };
    const running = await ask();
    const text = await site.command("lookup", CARDS.suspended);
    expect(await daemon.end("SIGINT")).toEqual({ code: 0, signal: null });
    // When the feed was asked last moves on while the daemon runs.
    const bare = ({ list: { revision, cards }, ...answer }: Configuration) => ({
      ...answer,
      revision,
      cards,
    });
    expect((await ask()).map(bare)).toEqual(running.map(bare));

    expect(running.map(({ card, reason, granted }) => [card, reason, granted])).toEqual([
      [CARDS.granted, "granted", true],
      [CARDS.blocked, "blocked", false],
      [CARDS.granted, "granted", true],
    ]);
    expect(text).toMatchObject({ code: 0, stderr: "" });
    expect(text.stdout).toMatch(
      /BB-2611-000004: refused: suspended\n.*\n +since +revision 1 or before\n +svenska +\S.*\n +English +\S.*\n +list +revision 1,/,
    );
    const wrong = await site.alone("lookup", "BB-12");
    expect(wrong).toMatchObject({ code: 2, stdout: "" });
    expect(wrong.stderr).toMatch(/^grindvakt: [^\n]+BB-1234-567890[^\n]+\n$/);
  });
});

describe("journal", () => {
  test("tails, exports for a period, and proves or disproves its chain", async () => {
    const site = await virtualSite();
    const daemon = await (await site.run()).healthy();
    await tap(daemon, CARDS.granted, CARDS.blocked, CARDS.unknown);

    const follower = new Program(["journal", "tail", "-n", "1", "-c", site.file]);
    onTestFinished(async () => void (await follower.end("SIGKILL")));
    await follower.said("north-in");
    await tap(daemon, CARDS.suspended);
    await follower.said(`${CARDS.suspended} suspended`);
    await daemon.end();

    const all = await site.journal();
    const day = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
    const csvFrom = ["export", "--format", "csv", "--from"];
    const [tail, lines, csv, later, before, events] = await Promise.all(
      [
        ["tail", "--no-follow", "-n", "2", "--json"],
        ["tail", "--no-follow"],
        [...csvFrom, day(-1), "--to", day(1)],
        [...csvFrom, day(2)],
        ["export", "--to", day(-2)],
        ["export"],
      ].map(async (args) => (await site.command("journal", ...args)).stdout),
    );
    const seqs = linesOf(tail).map((line) => JSON.parse(line).data.seq);
    expect(seqs).toEqual([all.length - 1, all.length]);
    expect(lines).toMatch(/north-in +BB-2611-000003 blocked/);
    const [header, ...rows] = linesOf(csv);
    expect(header).toBe("seq,time,workplaceId,accessPoint,direction,reader,card,granted,reason");
    expect(rows.map((row) => row.split(",").slice(2).join(","))).toEqual([
      `8112345678,north-in,entry,north-in-1,${CARDS.granted},true,granted`,
      `8112345678,north-in,entry,north-in-1,${CARDS.blocked},false,blocked`,
      `8112345678,north-in,entry,north-in-1,${CARDS.unknown},false,unknown`,
      `8112345678,north-in,entry,north-in-1,${CARDS.suspended},false,suspended`,
    ]);
    expect(later).toBe(`${header}\n`);
    expect(before).toBe("");
    expect(linesOf(events).map((line) => JSON.parse(line).data.chain)).toEqual(all.map(({ chain }) => chain));

    expect((await site.command("journal", "verify")).stdout).toContain("the chain holds");
    const dir = join(site.dir, "data", "journal");
    const segment = join(dir, (await readdir(dir))[0]!);
    const text = await readFile(segment, "utf8");
    await writeFile(segment, text.replace(CARDS.blocked, CARDS.granted));
    const forged = await site.alone("journal", "verify", "--json");
    expect(forged.code).toBe(1);
    expect(forged.stderr).toMatch(/^grindvakt: [^\n]*the chain does not hold\n$/);
    const blockedSeq = all.find(({ data }) => data.card === CARDS.blocked)!.seq;
    expect(JSON.parse(forged.stdout)).toMatchObject({ ok: false, faults: [{ seq: blockedSeq + 1 }] });

    const acknowledged = all.length;
    const sha256 = createHash("sha256").update(String(acknowledged)).digest("hex");
    await writeFile(join(site.dir, "data", "outbox.json"), `${JSON.stringify({ acknowledged, sha256 })}\n`);
    await rm(dir, { recursive: true });
    const gone = await site.command("journal", "verify");
    expect(gone.code).toBe(1);
    expect(gone.stdout).toContain(`lines 1 to ${acknowledged}, which the broker has, are missing`);
  });
});

describe("feed", () => {
  test("never brings a terminated card back, and refuses a list that loses too many", async () => {
    const site = await virtualSite();
    const back = await site.command("feed", "set", "feed", CARDS.terminated, "active");
    expect(back.code).toBe(1);
    expect(back.stderr).toMatch(/^grindvakt: [^\n]*terminated/m);
    await mkdir(join(site.dir, "lists"));
    await writeFile(
      join(site.dir, "lists", "few.csv"),
      "number,status,valid_until,tokens\nBB-2611-000001,active,,\n",
    );
    const few = await site.command("feed", "publish", "feed", "--cards", join("lists", "few.csv"));
    expect(few.code).toBe(1);
    expect(few.stderr).toContain("nothing was published");
    const verified = await site.command("feed", "verify", "feed", "--json");
    expect(verified).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(verified.stdout)).toMatchObject({ ok: true, revision: 1, cards: 7, faults: [] });
  });
});
