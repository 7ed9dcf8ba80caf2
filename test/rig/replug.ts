/** The same for every kind of reader: plugged in, tapped, pulled, again and again, under a running gateway. */
import { expect } from "vitest";
import { type Daemon, type Gate, isShort } from "./gate.ts";

export const ROUNDS = isShort ? 3 : 50;
const TAPS_A_ROUND = 3;
/** What is plugged in again reads again within this, and a second until its state is published. */
const backMsMax = 6_000;
/** The kernel and udev of a translated machine, beside other work, need some of this for themselves. */
const backMsMaxTranslated = 15_000;

export interface Replugged {
  reader: string;
  /** Fewer than `ROUNDS`, where each takes long. */
  rounds?: number;
  /** Where a translated machine needs longer still. */
  backMsMaxTranslated?: number;
  plug(): Promise<void>;
  /** May be in the middle of something; no card may come of that. */
  pull(): Promise<void>;
  /** Presents a card and gives what its event has to say as `card`. */
  tap(round: number, tap: number): Promise<string>;
  /** At the end of a round, the reader being out. */
  between?(round: number): Promise<void>;
}

/**
 * Every tap with the reader in arrives, once, in order; the reader is back in time; no handle stays behind. Leaves
 * the reader pulled out. Gives the daemon as it is.
 */
export async function replug(gate: Gate, daemon: Daemon, device: Replugged): Promise<void> {
  const { reader, rounds = ROUNDS } = device;
  const wanted: string[] = [];
  const backMs: number[] = [];
  const seen = (): string[] =>
    gate.ear
      .taps()
      .filter(({ data }) => data.reader === reader)
      .map(({ data }) => data.card);
  let handles = 0;
  for (let round = 0; round < rounds; round += 1) {
    await daemon.readerIs(reader, "down");
    const pluggedMs = performance.now();
    await device.plug();
    await daemon.readerIs(reader, "up");
    backMs.push(Math.round(performance.now() - pluggedMs));
    for (let tap = 0; tap < TAPS_A_ROUND; tap += 1) wanted.push(await device.tap(round, tap));
    await gate.ear.hearTaps(
      `the taps of round ${round}; there are ${seen()}`,
      () => seen().length >= wanted.length,
    );
    // The first round may leave what is opened once and for all.
    if (round === 0) handles = await daemon.handles();
    else expect(await daemon.handles()).toBeLessThanOrEqual(handles);
    await device.pull();
    await device.between?.(round);
  }
  await daemon.readerIs(reader, "down");
  expect(seen()).toEqual(wanted);
  expect(gate.ear.faults()).toEqual([]);
  const worstMs = Math.max(...backMs);
  const sorted = backMs.toSorted((a, b) => a - b);
  const isTranslated = gate.guest.place.accelerator === "tcg";
  const boundMs = isTranslated ? (device.backMsMaxTranslated ?? backMsMaxTranslated) : backMsMax;
  const late = backMs.filter((ms) => ms >= backMsMax).length;
  console.log(
    `rig: ${reader}: ${rounds} times, ${wanted.length} of ${wanted.length} taps; back after ${sorted[sorted.length >> 1]} ms, at worst ${worstMs} ms (allowed here ${boundMs}; ${late} over the ${backMsMax} of a machine that is not translated); ${handles} handles`,
  );
  expect(worstMs).toBeLessThan(boundMs);
}

/** A number that no list knows and no other tap has. */
export function cardOf(reader: number, round: number, tap: number): string {
  return `BB-27${reader}${tap}-${String(round).padStart(6, "0")}`;
}
