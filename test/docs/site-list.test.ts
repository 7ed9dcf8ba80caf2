/** docs/site-list.md, with the gateway running and then stopped. Needs `npm run build`. */
import { userInfo } from "node:os";
import { expect, test } from "vitest";
import { setGate } from "./gate.ts";
import { readPage } from "./scene.ts";

test("docs/site-list.md", { timeout: 240_000 }, async () => {
  const { scene, daemon } = await setGate("gate.yaml", ({ cards }) => {
    cards.admit = "site-allowed";
  });
  const block = () => scene.must("sudo grindvakt site block -c gate.yaml BB-2401-000003");
  await readPage("docs/site-list.md", scene, {
    replace: [["anna as root", `anna as ${userInfo().username}`]],
    before: {
      "BB-2401-000003: not blocked": block,
      "sudo grindvakt site list": block,
      "sudo -u grindvakt grindvakt site disallow": async () => void (await daemon.end()),
    },
    codes: { "grindvakt: BB-2401-000003 is not": 1 },
  });
  expect(daemon.stderr + daemon.stdout).toContain("BB-…-000001");
  expect(daemon.stderr + daemon.stdout).not.toContain("BB-2401-000001");
});
