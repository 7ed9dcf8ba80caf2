/** The page outlives the gateway's restart: it says that there is no contact, and comes back by itself with what it missed. */
import { once } from "node:events";
import { createServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { startChromium } from "../peers/chromium.ts";
import { CARDS, makeSite, sharedFeed } from "./site.ts";

/** A gateway starts in a second, and the page tries again every two. */
const WAIT = { timeout: 25_000 };

test("a page that is open sees the gateway go, and come back", async () => {
  const port = await freePort();
  const site = await makeSite(await sharedFeed(), "", (configuration) => {
    configuration.readers = [{ id: "north-in-1", driver: "virtual" }];
    configuration.console = { listen: `127.0.0.1:${port}` };
  });
  onTestFinished(() => site.dispose());
  const browser = await startChromium();
  onTestFinished(() => browser.close());

  const first = await site.run();
  await first.healthy();
  const page = await browser.newPage({ locale: "en-GB" });
  await page.goto(`http://127.0.0.1:${port}/`);
  const state = () => page.innerText("main h1");
  const gate = () => page.locator(".gate").innerText();
  await expect.poll(state, WAIT).toBe("The gate works");
  await first.post("/api/taps", { reader: "north-in-1", credential: CARDS.blocked });
  await expect.poll(gate, WAIT).toContain("Blocked: ask your employer.");

  await first.end();
  await expect.poll(state, WAIT).toBe("No contact with the gate");
  expect(await page.innerText(".hero")).toMatch(/What you see is from \d\d:\d\d:\d\d\./);

  const second = await site.run();
  await second.healthy();
  // Before the page is back, as far as anybody knows: then it is among what it asks for.
  await second.post("/api/taps", { reader: "north-in-1", credential: CARDS.terminated });
  await expect.poll(state, WAIT).toBe("The gate works");
  await expect.poll(gate, WAIT).toContain("The card is terminated.");
  await second.post("/api/taps", { reader: "north-in-1", credential: CARDS.granted });
  await expect.poll(gate, WAIT).toContain("Welcome.");
});

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, "close");
  return port;
}
