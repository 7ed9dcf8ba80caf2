/** Chromium as people have it, without the windows that nobody here sees. */
import { type Browser, chromium } from "playwright-core";

/** Debian's; nothing of it speaks to anybody by itself. */
const EXECUTABLE = "/usr/bin/chromium-headless-shell";
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export function startChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: EXECUTABLE, args: FLAGS, headless: true });
}
