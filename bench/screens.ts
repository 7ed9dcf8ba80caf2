/**
 * `npm run screens`: pictures of the console for README and docs, made from the running demo after a busy quarter of an hour that
 * is over in seconds.
 */
import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { startChromium } from "../test/peers/chromium.ts";
import { type Demo, startDemo } from "../test/peers/demo.ts";

const DIR = process.argv[2] ?? "docs/screens";
const PHONE = { width: 360, height: 740 };
const DESK = { width: 1120, height: 760 };

interface Screen {
  name: string;
  size: { width: number; height: number };
  theme: "light" | "dark";
  language: "sv" | "en";
  /** Where, and what is done before the picture is taken. */
  hash: string;
  act?: (page: Page, demo: Demo) => Promise<void>;
}

const blocked = (demo: Demo): string => demo.cards.find(({ reason }) => reason === "blocked")!.card;

const SCREENS: readonly Screen[] = [
  { name: "now-phone", size: PHONE, theme: "light", language: "sv", hash: "#/" },
  { name: "now-desk", size: DESK, theme: "light", language: "en", hash: "#/" },
  { name: "now-desk-dark", size: DESK, theme: "dark", language: "sv", hash: "#/" },
  {
    name: "card-phone",
    size: PHONE,
    theme: "light",
    language: "sv",
    hash: "#/",
    act: async (page, demo) => {
      await page.goto(`${demo.consoleUrl}/#/card/${blocked(demo)}`);
      await page.waitForSelector(".story");
    },
  },
  { name: "readers-phone", size: PHONE, theme: "light", language: "sv", hash: "#/readers" },
];

const demo = await startDemo();
const browser = await startChromium();
try {
  await mkdir(DIR, { recursive: true });
  for (let round = 0; round < 3; round += 1) {
    for (const { card } of demo.cards)
      await demo.tap(round === 1 ? card : demo.cards[0]!.card.replace(/1$/, String(9 - round)));
  }
  await demo.tap(blocked(demo));
  for (const { name, size, theme, language, hash, act } of SCREENS) {
    const context = await browser.newContext({
      viewport: size,
      colorScheme: theme,
      locale: language === "sv" ? "sv-SE" : "en-GB",
      reducedMotion: "reduce",
    });
    const page = await context.newPage();
    page.on("console", (message) => process.stderr.write(`${name}: ${message.text()}\n`));
    page.on("pageerror", (error) => process.stderr.write(`${name}: ${error.message}\n`));
    await page.goto(`${demo.consoleUrl}/${hash}`);
    await page.waitForSelector("main h1:not(:empty)");
    await act?.(page, demo);
    await page.waitForTimeout(300);
    const path = join(DIR, `${name}.png`);
    await page.screenshot({ path, fullPage: process.argv.includes("--full") });
    process.stdout.write(`${path} ${Math.round((await stat(path)).size / 1024)} KB\n`);
    await context.close();
  }
} finally {
  await browser.close();
  await demo.stop();
}
