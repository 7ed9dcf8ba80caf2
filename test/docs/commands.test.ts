/** docs/commands.md: a centre opens a gate, and hears that it did. Needs `npm run build`. */
import { expect, test } from "vitest";
import { setGate } from "./gate.ts";
import { asSaid, readPage } from "./scene.ts";

test("docs/commands.md", { timeout: 240_000 }, async () => {
  const { scene, broker } = await setGate("gate.yaml", ({ mqtt }) => {
    mqtt.commands = ["open"];
  });
  // The name under which the contract says that a gateway is known to brokers.
  expect(broker.log()).toContain("as grindvakt-gate-07 ");
  await readPage("docs/commands.md", scene, {
    replace: [
      ["mosquitto_sub", `mosquitto_sub -p ${broker.port}`],
      ["mosquitto_pub", `mosquitto_pub -p ${broker.port}`],
    ],
    by: {
      mosquitto_pub: async (command, says) => {
        const { code, said } = await scene.run(`${command}; wait`);
        expect({ code, said }).toEqual({ code: 0, said: expect.stringMatching(asSaid(says!)) });
      },
    },
  });
});
