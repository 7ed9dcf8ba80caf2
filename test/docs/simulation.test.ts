/** docs/simulation.md: a stormy minute again, by its seed. Builds the simulation. */
import { resolve } from "node:path";
import { onTestFinished, test } from "vitest";
import { readPage, Scene } from "./scene.ts";

test("docs/simulation.md", { timeout: 240_000 }, async () => {
  const scene = await Scene.set();
  onTestFinished(() => scene.dispose());
  await scene.must(`cd ${resolve(".")}`);
  await readPage("docs/simulation.md", scene);
});
