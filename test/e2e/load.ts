/** People at a reader, one after the other, of every kind that the list knows. */
import type { Pty } from "../peers/pty.ts";
import { CARDS, type Daemon } from "./site.ts";

/** More at once than people at one reader, and less than the gate's queue for a reader. */
export const BURST_TAPS = 20;

/** Cards of every kind in turn, in bursts, each burst decided before the next; `from` keeps the turn over calls. */
export async function tap(line: Pty, daemon: Daemon, from: number, count: number): Promise<void> {
  const before = (await daemon.status()).readers["north-in-1"]!.taps;
  const all = cards(from + count).slice(from);
  for (let sent = 0; sent < all.length; ) {
    const burst = all.slice(sent, sent + BURST_TAPS);
    await line.send(burst.map((card) => `${card}\r\n`).join(""));
    sent += burst.length;
    await daemon.become(
      `${sent} taps decided`,
      ({ readers }) => readers["north-in-1"]!.taps >= before + sent,
    );
  }
}

/** The cards of so many taps, in order. */
export function cards(count: number): string[] {
  const kinds = Object.values(CARDS);
  return Array.from({ length: count }, (_, index) => kinds[index % kinds.length]!);
}
