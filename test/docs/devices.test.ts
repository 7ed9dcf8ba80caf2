/** docs/devices.md: what a reader sends is found out, and a gate is tried without one. Needs `npm run build`. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { grindvakt, until } from "../e2e/site.ts";
import { setGate } from "./gate.ts";
import { asSaid, readPage } from "./scene.ts";

test("docs/devices.md", { timeout: 240_000 }, async () => {
  const { scene, site, daemon, line } = await setGate("gate-07.yaml");
  const { console: address } = JSON.parse(await daemon.said("grindvakt runs")) as { console: string };
  const text = (name: string) => readFile(join(site.dir, name), "utf8");
  await readPage("docs/devices.md", scene, {
    replace: [
      ["/tmp/", `${site.dir}/`],
      ["http://127.0.0.1:8606", address],
    ],
    by: {
      "grindvakt identify": async (command, says) => {
        await scene.must(`${command} > identify.txt 2>&1 & sleep 0`);
        await until(
          "identify waits",
          async () => (await text("identify.txt")).includes("tap a card") || null,
        );
        // What is held against the reader before the command looks is not seen: as a person would, again.
        const seen = await until("the setting", async () => {
          await line.send("3283263748\r\n");
          return /^.*?write it as[^\n]*\n/s.exec(await text("identify.txt"));
        });
        await scene.run("kill -INT %1; wait");
        expect(seen[0]).toMatch(asSaid(says!));
      },
      "printf 'BB-2401-000001": async (command) => {
        await until("the terminals", () =>
          scene
            .run(`[ -e ${site.dir}/reader ] && [ -e ${site.dir}/tap ]`)
            .then(({ code }) => (code === 0 ? true : null)),
        );
        await scene.must(`head -c 16 ${site.dir}/reader > tapped & ${command}; wait $!`);
        expect(await text("tapped")).toBe("BB-2401-000001\r\n");
      },
    },
  });
  const { stdout } = await grindvakt(["journal", "tail", "--no-follow", "-c", site.file]);
  expect(stdout).toMatch(/north-out +BB-2401-000001 granted/);
});
