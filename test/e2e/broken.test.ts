/** A gateway in which something broke that must not: it has the time to release its relays, and ends with 1. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const RUN = fileURLToPath(new URL("../../dist/daemon/commands/run.js", import.meta.url));

it("what breaks again and again while the relays are released does not end it before they are", async () => {
  const program = `
    const { untilTold } = await import(${JSON.stringify(RUN)});
    const told = untilTold((error) => console.log("told of " + error.message));
    setInterval(() => { throw new Error("a fault"); }, 5);
    setInterval(() => void Promise.reject(new Error("a rejection")), 5);
    const why = await told;
    await new Promise((done) => setTimeout(done, 100));
    console.log(why + ", and released");
    process.exit();`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program]);
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const [code] = await once(child, "close");
  expect(said).toBe("told of a fault\nbroken, and released\n");
  expect(code).toBe(1);
});
