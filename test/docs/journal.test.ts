/** docs/journal.md, by a gate and a centre that listens. Needs `npm run build`. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { until } from "../e2e/site.ts";
import { setGate } from "./gate.ts";
import { readPage } from "./scene.ts";

test("docs/journal.md", { timeout: 240_000 }, async () => {
  const { scene, site, broker, line } = await setGate("gate.yaml");
  const heard = async () => (await readFile(join(site.dir, "taps.ndjson"), "utf8")).trim().split("\n");
  await readPage("docs/journal.md", scene, {
    replace: [
      ["-c FILE", "-c gate.yaml"],
      ["-h broker-1.example.se", `-p ${broker.port}`],
    ],
    by: {
      mosquitto_sub: async (command) => {
        await scene.must(`${command.replace(/ *#.*/, "")} &`);
        await until("the centre listens", () => /Received SUBSCRIBE from auto/.test(broker.log()) || null);
        await line.send("BB-2401-000001\r\n");
        await until("the tap is heard", async () => (await heard()).some((text) => text !== "") || null);
      },
      "cat journal/*.ndjson |": async (command) => {
        const { code, said } = await scene.run(command);
        expect({ code, said }).toMatchObject({
          code: 0,
          said: expect.stringMatching(/^checked up to line \d+\n$/),
        });
      },
    },
    before: { "prev=": () => scene.must("cd data") },
  });
});
