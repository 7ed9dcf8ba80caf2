/** docs/presence.md. Needs `npm run build`. */
import { test } from "vitest";
import { setGate } from "./gate.ts";
import { readPage } from "./scene.ts";

test("docs/presence.md", { timeout: 240_000 }, async () => {
  const { scene } = await setGate("gate.yaml");
  await readPage("docs/presence.md", scene, { replace: [["-c FILE", "-c gate.yaml"]] });
});
