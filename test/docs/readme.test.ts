/** The README as a newcomer meets it: the demo, its promises, and each command of its table. Needs `npm run build`. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { ask } from "../e2e/counter.ts";
import { Program, type Site, until } from "../e2e/site.ts";
import { setGate } from "./gate.ts";
import { commandsOf, fencesOf, mentionsOf, PAGES } from "./pages.ts";
import { asSaid, type Replacement, readPage, Scene } from "./scene.ts";

const CHECKOUT = resolve(".");
const PAGE = "README.md";

/** What the table of commands says that no other page carries out: what of it is typed here, and what it ends with. */
const TABLE: Readonly<Record<string, string | [command: string, code: number]>> = {
  "grindvakt check": "grindvakt check -c gate.yaml",
  "grindvakt doctor": "grindvakt doctor -c gate.yaml",
  "grindvakt lookup": "grindvakt lookup -c gate.yaml BB-2401-000001",
  "grindvakt journal tail": "grindvakt journal tail -c gate.yaml --no-follow",
  "grindvakt journal export": "grindvakt journal export -c gate.yaml --from 2026-11-22 --to 2026-11-22",
  "grindvakt journal ledger": "grindvakt journal ledger -c gate.yaml --day 2026-11-22",
  "grindvakt feed keys": "grindvakt feed keys feed",
  // Beside a gateway that runs it refuses: the relays are in that one's hands.
  "grindvakt release": ["grindvakt release -c gate.yaml", 1],
};
/** Those that go on until they are ended, and what they say first. */
const LIVE: Readonly<Record<string, string>> = {
  "grindvakt watch -c gate.yaml": "gate-07 at slussen runs",
  "grindvakt identify -c gate.yaml --reader north-in-1": "tap a card",
};
/** Those that only a reader's bytes get to speak, or that every test of a gate begins with. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  "grindvakt trace": "test/e2e/identify.test.ts",
  "grindvakt run": "test/docs/gate.ts",
  "grindvakt demo": "test/e2e/commands-demo.test.ts",
};

/** `npm start`, from its first word to its end. */
async function startDemo(folder: string): Promise<{ said(): string; end(): Promise<void> }> {
  const npm = spawn("npm", ["start", "--silent"], {
    cwd: CHECKOUT,
    env: { ...process.env, TMPDIR: folder },
    stdio: ["ignore", "pipe", "ignore"],
    // Ctrl-C goes to the whole group, as on a terminal.
    detached: true,
  });
  const closed = once(npm, "close");
  let isOver = false;
  void closed.then(() => {
    isOver = true;
  });
  let said = "";
  npm.stdout.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  onTestFinished(() => void (isOver || process.kill(-(npm.pid ?? 0), "SIGKILL")));
  await until("the demo is there", () => said.includes("Ctrl-C ends the demo") || null);
  return {
    said: () => said,
    end: async () => {
      process.kill(-(npm.pid ?? 0), "SIGINT");
      await closed;
    },
  };
}

test("README.md", { timeout: 240_000 }, async () => {
  const scene = await Scene.set();
  onTestFinished(() => scene.dispose());
  await scene.must(`cd ${CHECKOUT}`);
  await readPage("README.md", scene, {
    by: {
      "npm start": async () => {
        const demo = await startDemo(scene.dir);
        const [listen] = /mosquitto_sub .*/.exec(demo.said())!;
        await scene.must(`${listen} -C 1`);
        const shown = fencesOf(PAGE).find(({ text }) => text.startsWith("Grindvakt demo"))!.text;
        const taps = [...shown.matchAll(/^\d{4}-\S+ \S+ \S+ (BB-\S+)/gm)].map(([, card]) => card!);
        for (const card of taps) {
          const [command] = new RegExp(`printf '${card}.*(?= #)`).exec(demo.said())!;
          await scene.must(command);
          await until(
            `the tap of ${card}`,
            () => new RegExp(`^\\d{4}-.* ${card} `, "m").test(demo.said()) || null,
          );
        }
        // Its own ports are others where those are taken.
        const ports: Replacement[] = [
          ["8606", /console .*:(\d+) /.exec(demo.said())![1]!],
          ["1883", /broker .*1:(\d+) /.exec(demo.said())![1]!],
          ["4001", /reader .*:(\d+)$/m.exec(demo.said())![1]!],
          [/\/tmp\/grindvakt-demo-\w+/g, "…"],
        ];
        expect(demo.said()).toMatch(asSaid(shown, ports));
        await demo.end();
      },
    },
  });
});

test("each command of its table is carried out, here or on a page of its own", {
  timeout: 240_000,
}, async () => {
  const { scene, site } = await setGate("gate.yaml");
  const onPages = PAGES.flatMap(commandsOf).map(({ text }) => text.replace(/^sudo (-u \w+ )?/, ""));
  for (const [name, deed] of Object.entries(TABLE)) {
    const [command, code] = typeof deed === "string" ? [deed, 0] : deed;
    // doctor looks at the clock, which is the scene's.
    const ran =
      name === "grindvakt doctor"
        ? await scene.run(command)
        : await ask(command.split(" ").slice(1), { cwd: site.dir });
    expect(ran.code, `${name}: ${JSON.stringify(ran)}`).toBe(code);
  }
  for (const [command, words] of Object.entries(LIVE))
    expect(await live(site, command, words), command).toBe(0);

  expect(Object.values(ELSEWHERE).filter((file) => !existsSync(file))).toEqual([]);
  const done = [...Object.keys(TABLE), ...Object.keys(LIVE), ...Object.keys(ELSEWHERE), ...onPages];
  const named = mentionsOf(PAGE).flatMap((mention) => {
    const [words = ""] = mention.replaceAll("\\|", "|").split(/ (?:-c|--|[A-Z[…])/);
    const [last = ""] = words.split(" ").slice(-1);
    return last.split("|").map((choice) => words.slice(0, words.length - last.length) + choice);
  });
  expect(named.length).toBeGreaterThan(30);
  const ours = named.filter((words) => words.startsWith("grindvakt "));
  expect(ours.filter((words) => !done.some((command) => command.startsWith(words)))).toEqual([]);
});

/** Ends it as Ctrl-C does once it has said so. */
async function live(site: Site, command: string, words: string): Promise<number | null> {
  const program = new Program(command.split(" ").slice(1), { cwd: site.dir });
  onTestFinished(async () => void (await program.end("SIGKILL")));
  await program.said(words);
  return (await program.end("SIGINT")).code;
}
