/** docs/osdp-keys.md and docs/osdp.md, with `osdp-pd` for a reader. Needs `npm run build`. */
import { readFile, writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { expect, onTestFinished, test } from "vitest";
import { parse, stringify } from "yaml";
import { type Configuration, Program, type Site } from "../e2e/site.ts";
import { freePort } from "../peers/mosquitto.ts";
import { type Gate, layGate } from "./gate.ts";
import { readPage } from "./scene.ts";

/** A gate with nothing but OSDP readers at these addresses, on a line that is a port of this machine. */
async function layLine(port: number, addresses: readonly number[]): Promise<Gate> {
  const gate = await layGate("gate.yaml", (configuration) => {
    configuration.readers = addresses.map((address, index) => ({
      id: `north-in-${index + 1}`,
      driver: "osdp",
      port: `tcp://127.0.0.1:${port}`,
      baudRate: 9600,
      address,
      reads: "card-number",
      scbk: { file: "./keys/north-in-1" },
    }));
    configuration.accessPoints.length = 1;
    configuration.accessPoints[0].readers = configuration.readers.map(({ id }: { id: string }) => id);
    delete configuration.mqtt;
  });
  return gate;
}

async function startReaders(command: string, { dir }: Site): Promise<Program> {
  const pd = new Program(command.split(" ").slice(1), { cwd: dir, input: true });
  onTestFinished(async () => void (await pd.end("SIGKILL")));
  await pd.said("help says what can be typed");
  return pd;
}

async function move({ file }: Site, place: Configuration): Promise<void> {
  const configuration = parse(await readFile(file, "utf8")) as Configuration;
  Object.assign(configuration.readers[0], place);
  await writeFile(file, stringify(configuration));
}

test("docs/osdp-keys.md", { timeout: 240_000 }, async () => {
  const port = await freePort();
  const gate = await layLine(port, [0]);
  const { scene, site } = gate;
  const daemon = async () => {
    const running = await site.run();
    await running.said("is down");
  };
  let pd: Program | undefined;
  await readPage("docs/osdp-keys.md", scene, {
    replace: [
      ["4850", String(port)],
      ["by root", `by ${userInfo().username}`],
    ],
    by: {
      "grindvakt osdp-pd": async (command, says) => {
        pd = await startReaders(command, site);
        expect(pd.stdout.trim()).toBe(says!.trim().replace("4850", String(port)));
      },
    },
    before: { "…\n     2 ": daemon },
  });
  await pd?.said("0: has been given a key of its own");
  await pd?.said("0: address 1 and 38400 baud from now on");
});

test("docs/osdp.md", { timeout: 240_000 }, async () => {
  const port = await freePort();
  const { scene, site } = await layLine(port, [1]);
  await scene.must("mkdir keys && openssl rand -hex 16 > keys/north-in-1 && chmod 600 keys/north-in-1");
  const installing = await startReaders(`grindvakt osdp-pd --listen ${port} --address 1 --install`, site);
  const daemon = await site.run();
  await daemon.said("is down");
  await readPage("docs/osdp.md", scene, {
    replace: [["4850", String(port)]],
    by: {
      "grindvakt osdp-pd": async (command, says) => {
        await installing.end();
        await daemon.end();
        await move(site, { address: 1, baudRate: 9600 });
        const pd = await startReaders(command, site);
        await site.run();
        await pd.said("1: secure channel open");
        const lines = says!.replace("4850", String(port)).trim().split("\n");
        pd.type(lines.find((line) => line.startsWith("BB-")) ?? "");
        for (const line of lines.filter((text) => !text.startsWith("BB-"))) await pd.said(line);
      },
    },
  });
});
