/** The gate with OSDP readers, by the built program: `run` and `osdp-pd` at the two ends of one cable. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { parse, stringify } from "yaml";
import { layCable } from "../peers/pty-pair.ts";
import { CARDS, type Configuration, Program, type Site, sharedFeed, until } from "./site.ts";
import { type Stage, setStage } from "./stage.ts";

const READER = "north-in-1";
const KEY = "00112233445566778899aabbccddeeff";
/** So long that no hash of the journal has it by chance. */
const PIN = "4711081547110815";
const baudRate = 115_200;

const feedDir = await sharedFeed();

/** A stage whose one reader is `osdp-pd`, and whose gate opens by an output of it. */
async function osdpStage(...args: string[]): Promise<Stage & { pd: Program; keyFile: string }> {
  const cable = await layCable();
  onTestFinished(() => cable.dispose());
  const stage = await setStage(feedDir, (configuration) => {
    configuration.readers = [
      {
        id: READER,
        driver: "osdp",
        port: cable.near,
        baudRate,
        address: 1,
        reads: "card-number",
        scbk: { file: "./scbk" },
      },
    ];
    configuration.accessPoints[0].relay = { driver: "osdp-output", reader: READER, output: 0, pulseMs: 300 };
    configuration.accessPoints[0].inputs = {
      passage: { driver: "osdp-input", reader: READER, input: 1, passageSeconds: 60 },
    };
  });
  const keyFile = join(stage.site.dir, "scbk");
  await writeFile(keyFile, `${KEY}\n`, { mode: 0o600 });
  const all = ["osdp-pd", "--port", cable.far, "--baud-rate", String(baudRate), ...args];
  const pd = new Program(
    all.map((arg) => (arg === "KEY" ? keyFile : arg)),
    { input: true },
  );
  onTestFinished(async () => void (await pd.end("SIGKILL")));
  await pd.said("readers 1 at");
  return { ...stage, pd, keyFile };
}

/** How often the reader was told so. */
function times(pd: Program, words: string): number {
  return pd.stdout.split("\n").filter((line) => line.includes(words)).length;
}

async function reconfigure(site: Site, change: (configuration: Configuration) => void): Promise<void> {
  const configuration = parse(await readFile(site.file, "utf8")) as Configuration;
  change(configuration);
  await writeFile(site.file, stringify(configuration));
}

describe("an OSDP reader", () => {
  test("gives its cards in the secure channel, opens the gate, and tells of tampering", async () => {
    const { pd, ear, site } = await osdpStage("--scbk-file", "KEY");
    const daemon = await (await site.run()).healthy();
    await pd.said("1: secure channel open");
    // Told of at the end only, but given before the cards.
    pd.type(`keys ${PIN}#`);
    for (const card of Object.values(CARDS)) {
      pd.type(card);
      await ear.hearTaps(card, (taps) => taps.some(({ data }) => data.card === card));
    }
    const taps = await ear.hearTaps("eight taps", ({ length }) => length === 8);
    expect(taps.map(({ data }) => [data.card, data.reason])).toEqual(
      Object.entries(CARDS).map(([reason, card]) => [card, reason]),
    );
    await ear.hear("passage", ({ data }) => data.event === "opened" && data.tap === taps[0]?.id);
    pd.type("input 1 on");
    await ear.hear("passage", ({ data }) => data.event === "passed" && data.tap === taps[0]?.id);
    await until(
      "light, beep and output",
      () =>
        ["light green for 2 s", "light red for 2 s", "3 beeps", "output 0 energised, on its own timer"].every(
          (words) => times(pd, words) > 0,
        ) || null,
    );
    expect(times(pd, "output 0 energised")).toBe(1);

    pd.type("tamper on");
    await ear.hear("reader", ({ data }) => data.event === "tamper" && data.active);
    await ear.hear(`state/readers/${READER}`, ({ tamper }) => tamper === true);

    // Somebody on the cable answers in the clear: the reader goes down.
    pd.type("plaintext on");
    await ear.hear("reader", ({ data }) => data.event === "alarm");
    await ear.hear("reader", ({ data }) => data.event === "down");
    pd.type("plaintext off");
    await ear.hear(`state/readers/${READER}`, ({ state, alarm }) => state === "up" && alarm !== null);
    pd.type(CARDS.blocked);
    await ear.hearTaps("a card afterwards", (all) => all.length > 8);
    expect(
      ear
        .taps()
        .slice(8)
        .map(({ data }) => data.card),
    ).toEqual([CARDS.blocked]);

    await daemon.end();
    const journal = await site.journal();
    expect(journal.filter(({ data }) => data.event === "keys").map(({ data }) => data.count)).toEqual([
      PIN.length + 1,
    ]);
    const written = (word: string): number => journal.filter(({ data }) => data.event === word).length;
    expect(written("relay-down")).toBeLessThanOrEqual(written("down"));
    const everything = JSON.stringify(journal) + daemon.stderr + daemon.stdout;
    expect(everything).not.toContain(PIN);
    expect(everything.toLowerCase()).not.toContain(KEY);
    await ear.hearUpTo(journal.length);
    expect(ear.faults()).toEqual([]);
  });

  test("is given its key by command, and then another address, and both are written down; releases its output by itself where the gateway dies in the middle of a pulse", async () => {
    const { pd, ear, site, keyFile } = await osdpStage("--install");
    const daemon = await site.run();
    await ear.hear("reader", ({ data }) => data.event === "down");
    const given = await site.alone("osdp", "commission", "--reader", READER, "--minutes", "1");
    expect(given).toMatchObject({ code: 0, stderr: "" });
    expect(given.stdout).toContain(`${READER} has its key and is up`);
    await pd.said("has been given a key of its own");
    await ear.hear("reader", ({ data }) => data.event === "commissioned");
    expect(await site.command("osdp", "commission", "--reader", READER)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("has the key already"),
    });

    const moved = await site.command(
      "osdp",
      "comset",
      "--reader",
      READER,
      "--address",
      "9",
      "--baud",
      "38400",
    );
    expect(moved).toMatchObject({ code: 0, stdout: expect.stringContaining("address 9 with 38400 baud") });
    await pd.said("1: address 9 and 38400 baud from now on");
    await ear.hear(`state/readers/${READER}`, ({ state }) => state === "down");
    await daemon.end();
    await reconfigure(site, ({ readers, accessPoints }) => {
      Object.assign(readers[0], { address: 9, baudRate: 38_400 });
      accessPoints[0].relay.pulseMs = 4_000;
    });
    const again = await (await site.run()).healthy();
    pd.type(CARDS.granted);
    await ear.hearTaps("a card at the new address", ({ length }) => length === 1);
    await pd.said("output 0 energised, on its own timer");
    await again.end("SIGKILL");
    const last = (words: string): number => pd.stdout.lastIndexOf(`output 0 ${words}`);
    await until("the release", () => last("released") > last("energised") || null);

    const journal = await site.journal();
    expect(journal.filter(({ type }) => type === "grindvakt.gateway.v1").map(({ data }) => data)).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          event: "commissioning",
          reader: READER,
          minutes: 1,
          who: { by: "command", name: expect.any(String) },
        }),
        expect.objectContaining({
          event: "line-set",
          reader: READER,
          address: 9,
          baudRate: 38_400,
          who: expect.anything(),
        }),
      ]),
    );
    expect(JSON.stringify(journal)).not.toContain((await readFile(keyFile, "utf8")).trim());
    expect(ear.faults()).toEqual([]);
  });

  test("is left alone by commands that cannot be", async () => {
    const { site } = await osdpStage("--scbk-file", "KEY");
    await reconfigure(site, ({ readers }) => {
      readers.push({ id: "serial-1", driver: "serial", port: "/dev/null", reads: "uid" });
      readers.push({ ...readers[0], id: "north-in-2", address: 2 });
      delete readers[2].scbk;
    });
    await reconfigure(site, ({ accessPoints }) => {
      accessPoints[0].readers.push("serial-1", "north-in-2");
    });
    const refusals: [code: number, words: string, args: string[]][] = [
      [
        2,
        "serial-1 is no OSDP reader of this configuration, allowed: north-in-1, north-in-2",
        ["commission", "--reader", "serial-1"],
      ],
      [2, "north-in-2 has no scbk", ["commission", "--reader", "north-in-2"]],
      [2, "Allowed: 1 to 10.", ["commission", "--reader", READER, "--minutes", "11"]],
      [1, "no gateway runs on this dataDir", ["commission", "--reader", READER]],
      [2, "north-in-2 has address 2", ["comset", "--reader", READER, "--address", "2", "--baud", "9600"]],
      [2, "Allowed: 9600, 19200", ["comset", "--reader", READER, "--address", "3", "--baud", "300"]],
      [2, "Allowed: 0 to 126.", ["comset", "--reader", READER, "--address", "127", "--baud", "9600"]],
    ];
    for (const [code, words, args] of refusals) {
      const ended = await site.command("osdp", ...args);
      expect(ended).toMatchObject({ code, stderr: expect.stringContaining(words), stdout: "" });
      // Beside the warning of the reader without a key.
      expect(ended.stderr.match(/^grindvakt: /gm)).toHaveLength(1);
    }
  });
});
