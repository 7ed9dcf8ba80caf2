/** A journal on a disk of the simulation, begun well and ended with everything checked. */
import { expect } from "vitest";
import { readEntries } from "../../daemon/journal/journal-reader.ts";
import type { Entry } from "../../daemon/journal/journal-segments.ts";
import { DIR, JournalSite, type JournalSiteOptions } from "../sim/journal-site.ts";

/** A journal with three lines on a disk that is well. */
export async function started(options: Partial<JournalSiteOptions> = {}): Promise<JournalSite> {
  const site = new JournalSite({ seed: 1, ...options });
  await site.boot();
  site.append(3);
  await site.world.advance(100);
  expect(site.settlements.splice(0)).toHaveLength(3);
  return site;
}

export async function all(entries: AsyncIterable<Entry>): Promise<Entry[]> {
  const found: Entry[] = [];
  for await (const entry of entries) found.push(entry);
  return found;
}

/** Lines as the disk has them, read while time passes. */
export async function lines(site: JournalSite) {
  const reading = all(readEntries(site.machine!.files, DIR, 1, Number.POSITIVE_INFINITY));
  await site.world.advance(5_000);
  return (await reading).map(({ line }) => line);
}

export async function end(site: JournalSite): Promise<void> {
  await site.check();
  await site.stop();
  // No timer is left after a stop.
  await site.world.clock.runUntilIdle(60_000);
}
