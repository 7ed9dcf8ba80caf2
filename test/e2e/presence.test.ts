/** Who is on the site, as a site manager asks it: taps, a restart, what is said by hand, a stopped gateway. */
import { userInfo } from "node:os";
import { describe, expect, onTestFinished, test } from "vitest";
import { CARDS, type Configuration, makeSite, sharedFeed, until } from "./site.ts";
import { setStage } from "./stage.ts";

const CARD = CARDS.granted;
const OTHER = CARDS.unknown;
const WHO = { by: "command", name: expect.stringContaining(userInfo().username) };

const feedDir = await sharedFeed();

describe("presence", () => {
  test("is counted from taps and from what is said, over a kill, and the centre hears it; passback knows over it which way a card last went", async () => {
    const { line, ear, site } = await setStage(feedDir, ({ readers, accessPoints }) => {
      readers.push({ id: "north-out-1", driver: "virtual" });
      accessPoints[0].passback = { mode: "deny" };
      accessPoints.push({ id: "north-out", direction: "exit", readers: ["north-out-1"] });
    });
    const daemon = await (await site.run()).healthy();
    const rollCall = async (): Promise<Configuration> =>
      JSON.parse((await site.command("presence", "list", "--json")).stdout);
    expect(await rollCall()).toMatchObject({ onSite: 0, overdue: 0, complete: true, people: [] });

    await line.send(`${CARD}\r\n`);
    await ear.hearTaps("the tap", ({ length }) => length === 1);
    await ear.hear("state", ({ presence }) => presence?.onSite === 1);
    const said = await site.command("presence", "enter", OTHER, "--why", "kortet ligger hemma", "--json");
    expect(JSON.parse(said.stdout)).toMatchObject({
      event: "entered",
      card: OTHER,
      who: WHO,
      isDurable: true,
    });
    const heard = await ear.hear("passage", ({ data }) => data.event === "entered");
    expect(heard.data).toMatchObject({ manual: true, card: OTHER, why: "kortet ligger hemma", who: WHO });
    expect(await rollCall()).toMatchObject({
      onSite: 2,
      people: [
        { card: CARD, byHand: null, overdue: false },
        { card: OTHER, byHand: { who: WHO, why: "kortet ligger hemma" } },
      ],
    });
    expect(await daemon.status()).toMatchObject({ presence: { onSite: 2, overdue: 0, complete: true } });

    await daemon.end("SIGKILL");
    // Stopped, the journal says the same.
    expect(await rollCall()).toMatchObject({ onSite: 2, complete: true });
    const table = (await site.command("presence", "list")).stdout.split("\n");
    expect(table[0]).toMatch(/: 2 on site$/);
    expect(table.slice(2, 4)).toEqual([
      expect.stringMatching(new RegExp(`^${CARD} .*north-in$`)),
      expect.stringMatching(new RegExp(`^${OTHER} .*by hand, .*: kortet ligger hemma$`)),
    ]);
    const csv = (await site.command("presence", "list", "--csv", "--older", "0.00001")).stdout;
    expect(csv).toMatch(new RegExp(`^card,since,.*\n${CARD},.*,north-in,true,false,,\n`));
    const leave = (card: string) =>
      site.command("presence", "leave", card, "--why", "glömde blippa ut", "--at", "north-in");
    expect(await leave(OTHER)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/has left since .*, by hand\n$/),
      stderr: "",
    });

    await (await site.run()).healthy();
    expect(await rollCall()).toMatchObject({ onSite: 1, people: [{ card: CARD }] });
    await ear.hear("passage", ({ data }) => data.event === "left" && data.card === OTHER);
    await line.send(`${CARD}\r\n`);
    const taps = await ear.hearTaps("the tap again", ({ length }) => length === 2);
    expect(taps.map(({ data }) => data.reason)).toEqual(["granted", "passback"]);
    // Who forgot to tap out is helped by hand.
    expect(await leave(CARD)).toMatchObject({ code: 0 });
    await line.send(`${CARD}\r\n`);
    const more = await ear.hearTaps("the tap once more", ({ length }) => length === 3);
    expect(more[2]?.data.reason).toBe("granted");
    expect((await site.command("journal", "verify")).code).toBe(0);
    expect(ear.faults()).toEqual([]);
  });

  test("refuses what cannot be, in words", async () => {
    const site = await makeSite(feedDir, "none", (configuration) => {
      configuration.readers = [{ id: "north-in-1", driver: "virtual" }];
    });
    onTestFinished(() => site.dispose());
    const daemon = await (await site.run()).healthy();
    for (const [args, words] of [
      [["enter", CARD], /--why/],
      [["enter", "hello", "--why", "x"], /BB-1234-567890/],
      [
        ["enter", CARD, "--why", "x", "--at", "nowhere"],
        /there is no access point nowhere; there are north-in/,
      ],
      [["leave", CARD, "--why", "x", "--when", "2099-01-01T00:00:00Z"], /has not come yet/],
      [["list", "--json", "--csv"], /not both/],
      [["list", "--older", "soon"], /a number of hours/],
    ] as const) {
      const { code, stderr, stdout } = await site.command("presence", ...args);
      expect({ code, stdout }, args.join(" ")).toEqual({ code: 2, stdout: "" });
      expect(stderr).toMatch(words);
      expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    }
    await daemon.end();
    expect((await site.command("presence", "enter", CARD, "--why", "")).code).toBe(2);
    const events = await until("the stop", async () => {
      const lines = await site.journal();
      return lines.some(({ data }) => data.event === "stopped") ? lines : null;
    });
    expect(events.filter(({ type }) => type === "grindvakt.passage.v1")).toEqual([]);
  });
});
