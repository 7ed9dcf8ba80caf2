/** What an inspector is given: exports and a day's ledger, with the gateway stopped, and words where the journal is not whole. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { writeJournal } from "../unit/paper-journal.ts";
import { makeSite, type Site, sharedFeed } from "./site.ts";

const feedDir = await sharedFeed();

const ANNA = "BB-2611-000001";
const BO = "BB-2611-000002";
const CILLA = "BB-2611-000003";
const SAID = { time: "2026-11-24T07:00:00.000Z", card: CILLA };

/** The 22nd of November at a site in Stockholm, which began at 23:00 UTC the day before. */
async function siteOnPaper(): Promise<{ site: Site; paths: string[] }> {
  const site = await makeSite(feedDir, "none", (configuration) => {
    configuration.readers = [{ id: "north-in-1", driver: "virtual" }];
  });
  onTestFinished(() => site.dispose());
  const written = await writeJournal(join(site.dir, "data", "journal"), [
    [
      { time: "2026-11-21T22:59:59.000Z", card: BO },
      { time: "2026-11-21T23:00:00.000Z", card: BO, direction: "exit" },
    ],
    [
      { time: "2026-11-22T05:58:12.345Z", card: ANNA },
      { time: "2026-11-22T06:10:00.000Z", card: BO, reason: "blocked" },
      { time: "2026-11-22T15:01:00.000Z", card: ANNA, direction: "exit" },
    ],
    // What is said two days later of that day: Cilla's chip was broken.
    [
      { ...SAID, byHand: { when: "2026-11-22T06:00:00.000Z", why: "kortet trasigt" } },
      { ...SAID, direction: "exit", byHand: { when: "2026-11-22T14:00:00.000Z", why: "kortet trasigt" } },
    ],
  ]);
  return { site, paths: written.map(({ path }) => path) };
}

describe("journal export and ledger", () => {
  test("a day's ledger is a table for a person, and facts for a program", async () => {
    const { site } = await siteOnPaper();
    expect(await site.command("journal", "ledger", "--day", "2026-11-22")).toEqual({
      code: 0,
      stderr: "",
      stdout: [
        "2026-11-22, slussen (8112345678), gateway gate-07, times of Europe/Stockholm",
        "card            first entry  last exit  entries  exits  by hand",
        `${ANNA}  06:58:12     16:01:00   1        1`,
        `${CILLA}  07:00:00     15:00:00   1        1      2`,
        `${BO}  -            00:00:00   0        1`,
        "3 cards let in or out, 1 tap refused",
        "",
      ].join("\n"),
    });
    const { stdout } = await site.command("journal", "ledger", "--day", "2026-11-21", "--json");
    expect(JSON.parse(stdout)).toMatchObject({
      day: "2026-11-21",
      workplaceId: "8112345678",
      rows: [
        { card: BO, firstEntry: "2026-11-21T22:59:59.000Z", lastExit: null, entries: 1, exits: 0, manual: 0 },
      ],
      refused: 0,
    });
    const today = await site.command("journal", "ledger");
    expect(today).toMatchObject({ code: 0, stdout: expect.stringContaining("0 cards let in or out") });
  });

  test("a CSV in Swedish opens in a Swedish spreadsheet, with times of the site where they are asked for", async () => {
    const { site } = await siteOnPaper();
    const day = ["--from", "2026-11-22", "--to", "2026-11-22", "--format", "csv"];
    const swedish = await site.command("journal", "export", ...day, "--headings", "sv", "--time", "local");
    expect(swedish).toMatchObject({ code: 0, stderr: "" });
    expect(swedish.stdout.split("\n")).toEqual([
      "\ufefflöpnummer;tid;byggarbetsplatsnummer;passage;riktning;läsare;kort;insläppt;skäl;besked",
      `2;2026-11-22T00:00:00.000+01:00;8112345678;north;ut;n-1;${BO};ja;granted;Välkommen.`,
      `3;2026-11-22T06:58:12.345+01:00;8112345678;north;in;n-1;${ANNA};ja;granted;Välkommen.`,
      `4;2026-11-22T07:10:00.000+01:00;8112345678;north;in;n-1;${BO};nej;blocked;Spärrad: kontakta din arbetsgivare.`,
      `5;2026-11-22T16:01:00.000+01:00;8112345678;north;ut;n-1;${ANNA};ja;granted;Välkommen.`,
      `6;2026-11-22T07:00:00.000+01:00;8112345678;north;in;;${CILLA};;manual;För hand: kortet trasigt`,
      `7;2026-11-22T15:00:00.000+01:00;8112345678;north;ut;;${CILLA};;manual;För hand: kortet trasigt`,
      "",
    ]);
    const events = await site.command("journal", "export", "--json");
    expect(events).toEqual(await site.command("journal", "export", "--format", "ndjson"));
    const plain = await site.command("journal", "export", ...day);
    expect(plain.stdout.split("\n")[1]).toBe(
      `2,2026-11-21T23:00:00.000Z,8112345678,north,exit,n-1,${BO},true,granted`,
    );
    for (const option of [
      ["--headings", "sv"],
      ["--time", "local"],
      ["--headings", "fi", "--format", "csv"],
      ["--json", "--format", "csv"],
    ])
      expect(await site.command("journal", "export", ...option)).toMatchObject({ code: 2, stdout: "" });
  });

  test("events of a period are those of its first day at the site to those of its last", async () => {
    const { site } = await siteOnPaper();
    const seqs = async (...period: string[]): Promise<number[]> =>
      (await site.command("journal", "export", ...period)).stdout
        .split("\n")
        .flatMap((line) => (line === "" ? [] : [JSON.parse(line).data.seq]));
    expect(await seqs("--from", "2026-11-22", "--to", "2026-11-22")).toEqual([2, 3, 4, 5]);
    expect(await seqs("--to", "2026-11-21")).toEqual([1]);
    expect(await seqs("--from", "2026-11-23")).toEqual([6, 7]);
  });

  test("a journal of another gateway is shown as nobody's, and is not gone on with", async () => {
    const { site } = await siteOnPaper();
    const dir = join(site.dir, "data", "journal");
    await writeFile(join(dir, "gateway.json"), '{"gateway":"gate-08"}\n', { mode: 0o600 });
    const words = `grindvakt: ${dir} is the journal of gateway gate-08, and this is gate-07: give gate-07 a dataDir of its own, or gate-08 its name back\n`;
    for (const command of [
      ["journal", "verify"],
      ["journal", "export"],
      ["presence", "list"],
      ["presence", "enter", CILLA, "--why", "x"],
      ["run"],
    ]) {
      const ended = await (command[0] === "run" ? site.alone : site.command)(...command);
      expect(ended, command.join(" ")).toEqual({ code: 1, stdout: "", stderr: words });
    }
  });

  test("a journal that is not whole is told of, and ends with 1, after all that can be read", async () => {
    const { site, paths } = await siteOnPaper();
    const path = paths[1] ?? "";
    const text = await readFile(path, "utf8");
    await writeFile(path, text.replace(ANNA, "BB-2611-000009"));
    const csv = await site.command("journal", "export", "--format", "csv");
    expect(csv.code).toBe(1);
    expect(csv.stdout.trimEnd().split("\n")).toHaveLength(8);
    expect(csv.stderr).toBe(
      "grindvakt: the journal is not whole, and what was printed is what can be read of it: " +
        "line 4 does not follow the one before: one of the two was changed. grindvakt journal verify tells more\n",
    );
    await writeFile(path, text.split("\n").toSpliced(1, 1).join("\n"));
    const ledger = await site.command("journal", "ledger", "--day", "2026-11-22");
    expect(ledger).toMatchObject({ code: 1, stdout: expect.stringContaining("3 cards let in or out") });
    expect(ledger.stderr).toContain("line 4 cannot be read");
  });
});
