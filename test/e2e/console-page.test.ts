/** The page in a real browser, as people meet it: from `npm start`, on a telephone and on a desk, seen, heard and with the keyboard. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { startChromium } from "../peers/chromium.ts";
import { type Demo, startDemo } from "../peers/demo.ts";

const PHONE = { width: 360, height: 740 };
const VIEWS = ["#/", "#/cards", "#/readers", "#/site", "#/presence", "#/identify/north-in-1"];
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** WCAG 2.2 AA, with all that came before it. */
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

let demo: Demo;
let browser: Browser;

beforeAll(async () => {
  [demo, browser] = await Promise.all([startDemo(), startChromium()]);
  // The blocked one's turn comes later: the same card again within two seconds is the same tap.
  for (const { card, reason } of demo.cards) if (reason !== "blocked") await demo.tap(card);
});

afterAll(async () => {
  await browser?.close();
  await demo?.stop();
});

/** Whatever a page complains of fails its test, or what it loads from elsewhere. `expected`: what it may say. */
async function visit(hash: string, options: BrowserContextOptions = {}, expected = /(?!)/): Promise<Page> {
  const context = await browser.newContext({
    viewport: PHONE,
    locale: "sv-SE",
    reducedMotion: "reduce",
    ...options,
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("pageerror", ({ message }) => complaints.push(message));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on(
    "request",
    (request) => request.url().startsWith(demo.consoleUrl) || complaints.push(request.url()),
  );
  onTestFinished(async () => {
    await context.close();
    expect(complaints.filter((words) => !expected.test(words))).toEqual([]);
  });
  await page.goto(`${demo.consoleUrl}/${hash}`);
  await page.waitForSelector("main h1:not(:empty)");
  return page;
}

async function signIn(page: Page): Promise<void> {
  await page.click("[data-do=sign-in]");
  await page.fill("#name", "Alva Ek");
  await page.fill("#password", demo.password);
  await page.click("dialog .strong");
  await page.waitForSelector("[data-do=sign-out]");
  await page.waitForSelector("dialog:not([open])", { state: "attached" });
}

/** As the page's own form does. */
async function sayEntered(person: { card: string; why: string }): Promise<void> {
  const authorization = `Basic ${Buffer.from(`Alva Ek:${demo.password}`).toString("base64")}`;
  const response = await fetch(`${demo.consoleUrl}/api/presence`, {
    method: "POST",
    headers: { authorization, "content-type": "application/json" },
    body: JSON.stringify({ ...person, do: "enter", accessPoint: "north-in" }),
  });
  expect(await response.text()).toContain(person.card);
}

const cardOf = (reason: string): string => demo.cards.find((one) => one.reason === reason)!.card;

test("a new user sees why a blocked card was refused, and what to say, by looking and one tap of a finger", async () => {
  const page = await visit("#/");
  await expect.poll(() => page.innerText("main h1")).toBe("Grinden fungerar");
  await demo.tap(cardOf("blocked"));
  const band = page.locator(".gate", { hasText: "north-in" }).locator(".band").first();
  await expect.poll(() => band.innerText()).toContain("Spärrad: kontakta din arbetsgivare.");
  expect(await band.innerText()).toContain("BB-…-000003");
  await band.click();
  await page.waitForSelector(".story");
  const story = await page.innerText("main");
  expect(story).toContain("Nekas: spärrat");
  expect(story).toContain("Spärrat av företaget");
  expect(story).toContain("Blocked: ask your employer.");
  expect(story).not.toContain(cardOf("blocked"));
});

test.each([
  ["light", "sv-SE"],
  ["dark", "en-GB"],
] as const)(
  "nobody is shut out, %s, %s: no fault that axe finds, and nothing to scroll sideways at 360 px",
  async (colorScheme, locale) => {
    const page = await visit("#/", { colorScheme, locale });
    await signIn(page);
    for (const hash of [...VIEWS, `#/card/${cardOf("blocked")}`]) {
      await page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
      await page.waitForSelector(
        hash.startsWith("#/card/") ? ".story" : `main.view-${hash.split("/")[1] || "now"} h1`,
      );
      expect([hash, await faultsOf(page)]).toEqual([hash, []]);
      const width = await page.evaluate("document.documentElement.scrollWidth");
      expect([hash, width]).toEqual([hash, PHONE.width]);
    }
    await page.click("[data-do=sign-out]");
    await page.click("[data-do=sign-in]");
    expect(["the dialog", await faultsOf(page)]).toEqual(["the dialog", []]);
  },
);

test("axe finds a fault that is planted", async () => {
  const page = await visit("#/");
  await page.evaluate(`document.body.append(Object.assign(new Image(), { src: "/page/icon.svg" }))`);
  expect((await faultsOf(page)).map((fault) => fault.split(":")[0])).toEqual(["image-alt"]);
});

async function faultsOf(page: Page): Promise<string[]> {
  if (await page.evaluate("!globalThis.axe")) await page.evaluate(AXE);
  return page.evaluate(async (tags) => {
    const { axe } = globalThis as unknown as {
      axe: {
        run(
          options: object,
        ): Promise<{ violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] }>;
      };
    };
    const { violations } = await axe.run({ runOnly: tags });
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`),
    );
  }, TAGS);
}

test("the language is the browser's until somebody chooses another, and stays chosen", async () => {
  const page = await visit("#/", { locale: "en-GB" });
  expect(await page.innerText("main h1")).toBe("The gate works");
  await page.click("[data-do=language]");
  await expect.poll(() => page.innerText("main h1")).toBe("Grinden fungerar");
  await page.reload();
  await expect.poll(() => page.innerText("main h1")).toBe("Grinden fungerar");
  expect(await page.getAttribute("html", "lang")).toBe("sv");
});

test("a tap is found again by the card's end and the reason", async () => {
  const page = await visit("#/cards");
  await page.fill("#card", "000005");
  await page.selectOption("#reason", "terminated");
  await page.click("form[data-submit=search] .strong");
  const rows = page.locator(".taps li");
  await expect
    .poll(async () => (await rows.allInnerTexts()).every((text) => text.includes("000005")))
    .toBe(true);
  expect(await rows.count()).toBeGreaterThan(0);
  await page.fill("#card", "999999");
  await page.click("form[data-submit=search] .strong");
  await expect.poll(() => page.innerText("main")).toContain("Inga kort stämmer.");
});

test("somebody signed in blocks a card at the site and sees it refused, then lifts the block", async () => {
  const page = await visit("#/site");
  await signIn(page);
  await page.fill("#block-card", cardOf("granted"));
  await page.fill("#block-why", "borttappat");
  await page.click("button[value=block]");
  const row = page.locator(".rows li", { hasText: cardOf("granted") });
  await expect.poll(() => row.innerText()).toContain("borttappat · Alva Ek");
  await page.goto(`${demo.consoleUrl}/#/readers`);
  await page.fill("#credential", cardOf("granted"));
  await page.click("form[data-submit=test-tap] .strong");
  await page.goto(`${demo.consoleUrl}/#/`);
  const gate = page.locator(".gate", { hasText: "north-out" });
  await expect.poll(() => gate.innerText()).toContain("Kortet är spärrat på den här arbetsplatsen");
  expect(await gate.innerText()).toContain(cardOf("granted"));
  await page.goto(`${demo.consoleUrl}/#/site`);
  await row.locator("button").click();
  await expect.poll(() => row.count()).toBe(0);
});

test("somebody signed in opens a gate, after being asked, and its journal says who", async () => {
  const page = await visit("#/");
  const gate = page.locator(".gate", { hasText: "north-out" });
  expect(await gate.locator("[data-do=open]").count()).toBe(0);
  await signIn(page);
  await gate.locator("[data-do=open]").click();
  await page.fill("#why", "leverans");
  await page.click("dialog .strong");
  await expect.poll(() => page.innerText("main .notice")).toContain("Öppningen är beställd.");
});

test("what taps did not tell is written in by hand, with the keyboard alone, under one's name", async () => {
  const page = await visit("#/presence", { locale: "en-GB" });
  await signIn(page);
  const row = page.locator(".roll tbody tr", { hasText: cardOf("suspended") });
  await page.focus("#hand-card");
  await page.keyboard.type(cardOf("suspended").toLowerCase().replaceAll("-", " "));
  await page.keyboard.press("Tab");
  await page.keyboard.type("left it at home");
  await page.keyboard.press("Enter");
  await expect.poll(() => page.innerText("main .notice")).toContain("has come, written in by hand.");
  await expect.poll(() => row.innerText()).toContain("by hand, Alva Ek: left it at home");
  await row.locator("button").focus();
  await page.keyboard.press("Enter");
  expect(await page.innerText("dialog h2")).toBe(`Has ${cardOf("suspended")} left?`);
  expect(await faultsOf(page)).toEqual([]);
  await page.keyboard.type("out by the lorry gate");
  await page.keyboard.press("Enter");
  await expect.poll(() => row.count()).toBe(0);
});

test("somebody who comes in meanwhile is on the roll call, and what is refused is said", async () => {
  const page = await visit("#/presence", {}, /status of 422/);
  await signIn(page);
  const card = cardOf("granted").replace(/1$/, "9");
  await page.fill("#hand-why", "halvvägs");
  await demo.tap(card);
  await page.locator(".roll tbody tr", { hasText: card }).waitFor();
  expect(await page.inputValue("#hand-why")).toBe("halvvägs");
  await page.fill("#hand-card", "inget kort");
  await page.fill("#hand-why", "test");
  await page.click("button[value=leave]");
  await expect.poll(() => page.innerText("main .notice")).toContain("Det är inget kortnummer.");
  await page.fill("#hand-card", card);
  await page.fill("#hand-when", "2099-01-01T00:00");
  await page.click("button[value=leave]");
  await expect.poll(() => page.innerText("main .notice")).toContain("Den tiden har inte varit än.");
});

test("a roll call that comes late takes nobody's hand from what is being typed, and one that does not come leaves the last", async () => {
  const page = await visit("#/presence", {}, /ERR_FAILED/);
  await signIn(page);
  await page.waitForSelector(".roll");
  await page.evaluate("location.hash = '#/readers'");
  let answer: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    answer = resolve;
  });
  await page.route("**/api/presence", (route) => held.then(() => route.continue()));
  await page.evaluate("location.hash = '#/presence'");
  await page.focus("#hand-why");
  await page.keyboard.type("halv");
  expect(await page.locator(".roll").count()).toBe(0);
  answer();
  await page.waitForSelector(".roll");
  await page.keyboard.type("vägs");
  expect(await page.inputValue("#hand-why")).toBe("halvvägs");

  const people = await page.locator(".roll tbody tr").count();
  await page.unroute("**/api/presence");
  await page.route("**/api/presence", (route) => route.abort());
  const refused = page.waitForEvent("requestfailed");
  await demo.tap(cardOf("granted"));
  await refused;
  await page.evaluate("new Promise((shown) => requestAnimationFrame(() => requestAnimationFrame(shown)))");
  expect(await page.locator(".roll tbody tr").count()).toBe(people);
  expect(await page.inputValue("#hand-why")).toBe("halvvägs");
});

test("the roll call on paper says whose, when, how many and each card with its gate, and has no buttons", async () => {
  // Of a dark screen, too, the paper is white.
  const page = await visit("#/presence", { colorScheme: "dark" });
  await signIn(page);
  const cards = Array.from({ length: 200 }, (_, index) => `BB-2611-${String(300 + index).padStart(6, "0")}`);
  for (const card of cards) await demo.tap(card);
  const byHand = Array.from({ length: 40 }, (_, index) => ({
    card: `BB-2611-${index + 900_000}`,
    why: `forgot the card at home, and the gate for lorries stood open all the long morning: no. ${index}.`,
  }));
  for (const person of byHand) await sayEntered(person);
  await page.locator(".roll tr", { hasText: byHand.at(-1)!.card }).waitFor();
  await page.emulateMedia({ media: "print" });
  const paper = await page.innerText("body");
  for (const words of [
    "Upprop · demo",
    /Läget \d{4}-\d\d-\d\d \d\d:\d\d/,
    /\d+\s+på plats/,
    ...cards,
    "north-in",
  ])
    expect(paper).toMatch(words);
  for (const button of ["Skriv ut", "Har gått", "Logga ut", "Läsare"]) expect(paper).not.toContain(button);
  const colours = await page.evaluate<string[]>(
    `[".paper-title", ".roll td .card-number"].map((at) => getComputedStyle(document.querySelector(at)).color)`,
  );
  expect(colours).toEqual(["rgb(0, 0, 0)", "rgb(0, 0, 0)"]);
  const pdf = await page.pdf({ preferCSSPageSize: true });
  const boxes = [...pdf.toString("latin1").matchAll(/\/MediaBox *\[([^\]]*)\]/g)].map(([, box]) => box);
  expect(new Set(boxes)).toEqual(new Set(["0 0 594.95996 841.91998"]));
  const text = execFileSync("pdftotext", ["-layout", "-", "-"], { input: pdf, encoding: "utf8" });
  const sheets = text.split("\f").slice(0, -1);
  for (const sheet of sheets)
    expect(sheet).toMatch(/^Upprop \(\d+\) · demo · .+\s+Här +Kortnummer +Inne sedan +Grind$/m);
  // No name of a gate takes a second line, and no row is cut by a sheet's end.
  for (const card of cards)
    expect(text).toMatch(new RegExp(`^ *\\d+ +${card} +\\d\\d:\\d\\d +north-in$`, "m"));
  const sheetOf = (words: string) => sheets.findIndex((sheet) => sheet.includes(words));
  for (const { card, why } of byHand) expect([card, sheetOf(why.slice(-8))]).toEqual([card, sheetOf(card)]);
});

test("who signs in sees each card that was shown once, with its whole number", async () => {
  const page = await visit("#/");
  await demo.tap(cardOf("expired"));
  const row = page.locator(".taps li", { hasText: cardOf("expired").slice(-6) });
  await expect.poll(() => row.first().innerText()).toContain("BB-…");
  const count = await row.count();
  await signIn(page);
  await expect.poll(() => row.first().innerText()).toContain(cardOf("expired"));
  expect(await row.count()).toBe(count);
});

test("a gate that does not answer is said in words, and a list that is not there is not shown as nobody", async () => {
  const page = await visit("#/site", {}, /Failed to load resource/);
  await page.route("**/api/site-blocks", (route) => route.abort());
  await signIn(page);
  expect(await page.innerText("main")).not.toMatch(/\(\d+\)/);
  await page.fill("#block-card", cardOf("granted"));
  await page.click("button[value=block]");
  await page.locator(".notice", { hasText: "Grinden svarade inte. Se efter om det blev gjort" }).waitFor();
  expect(await page.inputValue("#block-card")).toBe(cardOf("granted"));
  // A proxy with a page of its own.
  await page.unroute("**/api/site-blocks");
  await page.route("**/api/site-blocks", (route) =>
    route.fulfill({ status: 502, body: "<h1>Bad Gateway</h1>" }),
  );
  await page.click("[data-do=language]");
  await page.click("button[value=block]");
  await page.locator(".notice", { hasText: "The gate did not answer. See whether it was done" }).waitFor();
  await page.unroute("**/api/site-blocks");
  await page.goto(`${demo.consoleUrl}/#/`);
  await page.goto(`${demo.consoleUrl}/#/site`);
  await page.locator("h2", { hasText: /^Blocked here \(\d+\)$/ }).waitFor();
  // Whoever comes back to the page is signed in already, which it learns a moment later.
  await page.reload();
  await page.locator("h2", { hasText: /^Blocked here \(\d+\)$/ }).waitFor();
});

test("of a site list longer than a page the newest are shown, and all of it is counted", async () => {
  const page = await visit("#/site");
  const change = {
    event: "site-blocked",
    why: null,
    until: null,
    who: { by: "console", name: "Alva Ek" },
    at: "2026-11-22T07:00:00Z",
  };
  const changes = ["BB-2611-000001", "BB-2611-000002"].map((card) => ({ ...change, card }));
  await page.route("**/api/site-blocks", (route) => route.fulfill({ json: { changes, count: 700 } }));
  await signIn(page);
  await page.locator(".why", { hasText: "De 2 senaste av 700." }).waitFor();
  expect(await page.locator(".rows li").count()).toBe(2);
  expect(await page.innerText("main")).not.toContain("(2)");
});

test("an address that nobody encoded is answered, not a blank page", async () => {
  const page = await visit("#/card/100%");
  await page.locator(".verdict", { hasText: "inget giltigt nummer" }).waitFor();
});

test("identify is answered above all else, and what was typed stays", async () => {
  const page = await visit("#/identify/north-in-1");
  await signIn(page);
  await page.fill("#wanted", cardOf("granted"));
  await page.click("form[data-submit=identify] button");
  await page.waitForSelector("[data-listening=yes]");
  // Its chip, the bytes in the other order; again until the gate listens.
  const verdict = page.locator(".verdict");
  await expect
    .poll(
      async () => {
        await demo.tap("00001000000004");
        return (await verdict.count()) === 0 ? "" : verdict.innerText();
      },
      { interval: 500, timeout: 20_000 },
    )
    .toContain("reads: { uid: hex, order: lsb, bytes: 7 }");
  const { y } = (await verdict.boundingBox())!;
  expect(y).toBeLessThan((await page.locator("form[data-submit=identify]").boundingBox())!.y);
  expect(await page.inputValue("#wanted")).toBe(cardOf("granted"));
  expect(await faultsOf(page)).toEqual([]);
});

test("a wrong password is said in the dialog, which stays", async () => {
  const page = await visit("#/", {}, /status of 403/);
  await page.click("[data-do=sign-in]");
  await page.fill("#name", "Alva Ek");
  await page.fill("#password", "wrong");
  await page.click("dialog .strong");
  await expect.poll(() => page.innerText("dialog [role=alert]")).toBe("Fel lösenord.");
});

test("with the keyboard alone one comes everywhere", async () => {
  const page = await visit("#/");
  await page.keyboard.press("Tab");
  expect(await page.evaluate("document.activeElement.className")).toBe("skip");
  const seen = new Set<string>();
  for (let count = 0; count < 60; count += 1) {
    await page.keyboard.press("Tab");
    seen.add(await page.evaluate<string>("document.activeElement.textContent.trim()"));
  }
  for (const word of ["English", "Logga in", "Läge", "Kort", "Läsare", "Plats", "Sök bland alla kort"])
    expect([...seen]).toContain(word);
});
