/** docs/replacing-a-box.md: the same gate goes on in another folder, as on another machine. Needs `npm run build`. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { ask } from "../e2e/counter.ts";
import { Daemon, grindvakt } from "../e2e/site.ts";
import { startSubscriber } from "../peers/mosquitto.ts";
import { setGate } from "./gate.ts";
import { readPage } from "./scene.ts";

const TAP = "grindvakt/slussen/gate-07/tap";
const CARD = "BB-2401-000001";

test("docs/replacing-a-box.md", { timeout: 180_000 }, async () => {
  const { scene, site, daemon, env, broker, line } = await setGate("gate.yaml");
  const centre = await startSubscriber(broker.url, TAP);
  onTestFinished(() => centre.stop());
  const idsOf = () => centre.heard.map(({ payload }) => (JSON.parse(payload) as { id: string }).id);
  await line.send(`${CARD}\r\n`);
  await centre.hear(({ topic }) => topic === TAP);
  await scene.must(`sudo grindvakt site block -c gate.yaml BB-2401-000003 --why "lost"`);

  const box = join(site.dir, "new-box");
  const runs: Daemon[] = [];
  onTestFinished(async () => void (await Promise.all(runs.map((run) => run.end("SIGKILL")))));
  await scene.must(`mkdir ${box}`);
  await readPage("docs/replacing-a-box.md", scene, {
    replace: [
      [
        "-C / -czf gate-07.tar.gz etc/grindvakt var/lib/grindvakt",
        "-czf gate-07.tar.gz gate.yaml root.json token.key data feed",
      ],
      ["-C / -xzf", `-C ${box} -xzf`],
      ["-c gate-07.yaml", `-c ${box}/gate.yaml`],
    ],
    by: {
      "sudo systemctl stop": async () => void (await daemon.end()),
      "sudo systemctl start": async () => {
        const before = idsOf();
        runs.push(await start(join(box, "gate.yaml"), env));
        await line.send(`${CARD}\r\n`);
        await centre.hear(({ payload }) => !before.includes(JSON.parse(payload).id));
        const [first = 0, next = 0] = idsOf().map((id) => Number(id.split("/")[1]));
        expect(new Set(idsOf()).size).toBe(2);
        expect(next).toBeGreaterThan(first);
      },
    },
  });
  await isWhole(join(box, "gate.yaml"));
  await runs[0]?.end();

  // Under another name: refused with its journal, and well with nothing but the key of the tokens and the site's list.
  const other = join(box, "gate-07b.yaml");
  const text = await readFile(join(box, "gate.yaml"), "utf8");
  await writeFile(other, text.replace("id: gate-07", "id: gate-07b"));
  const refused = await grindvakt(["run", "-c", other]);
  expect(refused).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("is the journal of gateway gate-07"),
  });
  await writeFile(other, text.replace("id: gate-07", "id: gate-07b").replace("./data", "./fresh"));
  await scene.must(`mkdir -m 700 ${box}/fresh && cp -p ${box}/data/site-list.json* ${box}/fresh/`);
  runs.push(await start(other, env));
  await isWhole(other);
});

async function start(file: string, env: NodeJS.ProcessEnv): Promise<Daemon> {
  return (await new Daemon(["run", "-c", file], { env }).ready()).healthy();
}

/** Its journal holds, and its list has the card that was lost. */
async function isWhole(file: string): Promise<void> {
  expect((await ask(["journal", "verify", "-c", file])).code).toBe(0);
  expect((await ask(["site", "list", "-c", file])).stdout).toContain("BB-2401-000003");
}
