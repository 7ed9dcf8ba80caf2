/** `trace` and `identify`, by the built program: through a running daemon, and by themselves. */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { Pty } from "../peers/pty.ts";
import { CARDS, type Daemon, makeSite, Program, type Site, sharedFeed, until } from "./site.ts";

/** The chip of the granted card, as a reader gives it that prints the bytes as a number, last one first. */
const DECIMAL = "1295788826";
const SETTING = "{ uid: dec, order: lsb, bytes: 4 }";

const feedDir = await sharedFeed();

let at: Site;
let line: Pty;
let daemon: Daemon;
beforeAll(async () => {
  line = await Pty.make();
  await line.plug();
  at = await makeSite(feedDir, line.path);
  daemon = await (await at.run()).healthy();
});
afterAll(async () => {
  await at?.dispose();
  await line?.remove();
});

function command(name: "trace" | "identify", ...args: string[]): Program {
  const program = new Program([name, "-c", at.file, "--reader", "north-in-1", ...args]);
  onTestFinished(async () => void (await program.end("SIGKILL")));
  return program;
}

/** Sends again and again until something is said: a watcher takes a moment to be there. */
async function sendUntil(line: Pty, text: string, isHeard: () => boolean): Promise<void> {
  await until("it is heard", async () => {
    await line.send(text);
    return isHeard() || null;
  });
}

describe("with the gateway running", () => {
  test("identify finds the setting of a card it is told, and ends", async () => {
    const identify = command("identify", "--card", CARDS.granted);
    await identify.said(`tap ${CARDS.granted} at north-in-1`);
    await sendUntil(line, `${DECIMAL}\r\n`, () => identify.child.exitCode !== null);
    expect((await identify.exited).code).toBe(0);
    expect(identify.stdout).toContain(`write it as    reads: ${SETTING}`);
    // What it showed is nobody else's business: neither journaled nor logged.
    const told = JSON.stringify(await at.journal()) + daemon.stdout + daemon.stderr;
    for (const secret of ["1A2B3C4D", DECIMAL]) expect(told).not.toContain(secret);
  });

  test("trace shows bytes and frames, and the gate goes on deciding", async () => {
    const trace = command("trace");
    await sendUntil(line, `${CARDS.granted}\r\n`, () => trace.stdout.includes("text "));
    expect(trace.stdout).toMatch(/<- 42 42 2d 32 36 31 31 2d/);
    expect(trace.stdout).toContain(`text "${CARDS.granted}"`);
    const json = command("trace", "--json");
    await sendUntil(line, "0x04A1B2C3\r\n", () => json.stdout.includes('"text"'));
    const sights = json.stdout
      .trim()
      .split("\n")
      .map((one) => JSON.parse(one) as Record<string, unknown>);
    expect(sights.find(({ kind }) => kind === "text")).toMatchObject({ text: "0x04A1B2C3" });
    expect(await trace.end("SIGINT")).toEqual({ code: 0, signal: null });
    const status = await daemon.become(
      "its taps are counted",
      ({ readers }) => (readers["north-in-1"]?.taps ?? 0) > 0,
    );
    expect(status.readers["north-in-1"]?.state).toBe("up");
    await daemon.end();
    expect((await json.exited).code).toBe(1);
    expect(json.stderr).toContain("the daemon hung up");
  });
});

describe("with the gateway stopped", () => {
  test("identify opens the reader itself, with the list on disk, and holds the lock meanwhile", async () => {
    await daemon.end();
    const identify = command("identify", "--json");
    await identify.said("tap a card that is on the list at north-in-1");
    await identify.said("north-in-1 is up");
    expect((await at.command("lookup", CARDS.granted)).stderr).toContain("does not answer");
    await sendUntil(line, `${DECIMAL}\r\n`, () => identify.stdout !== "");
    const [tap] = identify.stdout.split("\n").map((one) => (one === "" ? null : JSON.parse(one)));
    expect(tap.settings[0]).toBe(SETTING);
    expect(tap.ways[0]).toMatchObject({ setting: SETTING, card: CARDS.granted, reason: "granted" });
    expect(await identify.end("SIGINT")).toEqual({ code: 0, signal: null });
    expect((await at.command("lookup", CARDS.granted)).code).toBe(0);
  });

  test("what cannot be is said, with the codes of the contract", async () => {
    for (const name of ["trace", "identify"]) {
      const wrong = await at.command(name, "--reader", "north-in-9");
      expect([wrong.code, wrong.stderr]).toEqual([
        2,
        "grindvakt: there is no reader north-in-9, but: north-in-1\n",
      ]);
    }
    const card = await at.command("identify", "--reader", "north-in-1", "--card", "uid:04A1B2C3");
    expect(card.code).toBe(2);
    expect(card.stderr).toContain("--card takes the number that is printed on the card");
    expect((await at.command("identify")).code).toBe(2);
  });
});
