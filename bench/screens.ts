/**
 * `npm run screens`: pictures of the console and of the commands for README and docs, made from the running demo after a busy quarter
 * of an hour that is over in seconds.
 */
import { mkdir, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { Page } from "playwright-core";
import { startChromium } from "../test/peers/chromium.ts";
import { type Demo, startDemo } from "../test/peers/demo.ts";
import { pageOf, runOnTerminal, screenAfter } from "./terminal.ts";

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
  {
    name: "presence-phone",
    size: PHONE,
    theme: "light",
    language: "sv",
    hash: "#/presence",
    act: async (page, demo) => {
      await page.click("[data-do=sign-in]");
      await page.fill("#name", "Alva Ek");
      await page.fill("#password", demo.password);
      await page.click("dialog .strong");
      await page.waitForSelector(".roll");
    },
  },
];

/** Cards of people who are let in. */
const CREW = Array.from({ length: 9 }, (_, index) => `BB-2611-0001${17 + 7 * index}`);

/** A command on a terminal, as `grindvakt NAME -c demo.yaml` and what else stands in `args`. */
interface Listing {
  name: string;
  args: string;
  columns: number;
  rows: number;
  /** Then it has said enough, and Ctrl-C ends it; left out, it ends by itself. */
  last?: RegExp;
  /** Done to the gate until then. */
  nudge?: (demo: Demo) => void;
}

const LISTINGS: readonly Listing[] = [
  { name: "watch", args: "watch -c demo.yaml", columns: 132, rows: 24, last: /blocked/ },
  { name: "doctor", args: "doctor -c demo.yaml", columns: 110, rows: 60 },
  {
    name: "identify",
    args: "identify -c demo.yaml --reader north-in-1 --card BB-2611-000001",
    columns: 130,
    rows: 40,
    // A reader that gives the chip's bytes in the other order.
    nudge: (demo) => void demo.tap("00001000000004"),
  },
  { name: "ledger", args: "journal ledger -c demo.yaml", columns: 90, rows: 40 },
];

const demo = await startDemo();
const browser = await startChromium();
try {
  await mkdir(DIR, { recursive: true });
  // A crew comes in, two of them leave, and each card that is to be refused is.
  for (const card of CREW) await demo.tap(card);
  for (const card of CREW.slice(0, 2)) await leave(card);
  for (const { card } of demo.cards) if (card !== blocked(demo)) await demo.tap(card);
  await demo.tap(blocked(demo));
  for (const screen of SCREENS) await pictureOfPage(screen);
  for (const listing of LISTINGS) await pictureOfListing(listing);
} finally {
  await browser.close();
  await demo.stop();
}

async function pictureOfPage({ name, size, theme, language, hash, act }: Screen): Promise<void> {
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
  await page.waitForSelector(hash === "#/" ? ".taps li" : "main h1:not(:empty)");
  await act?.(page, demo);
  await page.waitForTimeout(300);
  await told(name, (path) => page.screenshot({ path, fullPage: process.argv.includes("--full") }));
  await context.close();
}

async function pictureOfListing({ name, args, columns, rows, last, nudge }: Listing): Promise<void> {
  const written = await runOnTerminal(
    `'${process.execPath}' '${resolve("dist/daemon/cli.js")}' ${args}`,
    { columns, rows },
    {
      cwd: dirname(demo.settings),
      last,
      nudge: () => nudge?.(demo),
    },
  );
  const page = await browser.newPage({ viewport: { width: 1400, height: 1000 }, deviceScaleFactor: 1.25 });
  await page.setContent(pageOf(`grindvakt ${args}`, screenAfter(written, { columns })));
  await told(name, (path) => page.locator("body").screenshot({ path, omitBackground: true }));
  await page.close();
}

async function leave(credential: string): Promise<void> {
  await fetch(`${demo.consoleUrl}/api/taps`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ reader: "north-out-1", credential }),
  });
}

async function told(name: string, take: (path: string) => Promise<unknown>): Promise<void> {
  const path = join(DIR, `${name}.png`);
  await take(path);
  process.stdout.write(`${path} ${Math.round((await stat(path)).size / 1024)} KB\n`);
}
