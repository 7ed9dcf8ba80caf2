import { describe, expect, test } from "vitest";
import type { Files } from "../../drivers/ports.ts";
import type { CrashPolicy } from "./disk-nodes.ts";
import { JournalSite, type JournalSiteOptions } from "./journal-site.ts";
import { named } from "./named.ts";
import type { Machine } from "./world.ts";

/** With seeds: chance says what is left of a torn write, of the others only how long a call takes. */
const LIVES: readonly [CrashPolicy, seed: number][] = [
  ["lose", 1],
  ["keep", 2],
  ["torn", 1],
  ["torn", 2],
  ["torn", 3],
];
const DAY_MS = 24 * 3_600_000;
/** Past the last I/O of any scenario. */
const NEVER = Number.POSITIVE_INFINITY;

interface Scenario {
  name: string;
  options?: Partial<JournalSiteOptions>;
  /** What happens before the power may go. Ends with the machine on, unless `act` starts it. */
  prepare(site: JournalSite): Promise<void>;
  /** Told at which of its disk calls the power goes. */
  act(site: JournalSite, cut: { io: number; policy: CrashPolicy }): Promise<void>;
  /** Fewer disk calls than this would mean that the scenario does not do what it says. */
  iosMin: number;
}

/** The power goes in a disk call of what follows. */
function cutting(site: JournalSite, { io, policy }: { io: number; policy: CrashPolicy }): void {
  site.world.powerCutAtIo(site.world.disk.ios + io, policy);
}

async function leaveTornTail(site: JournalSite): Promise<void> {
  await site.boot();
  site.append(3, 200);
  await site.world.advance(200);
  site.world.stallOf = () => 5_000;
  site.append(4, 500);
  await site.world.advance(20);
  site.world.powerCut("torn");
  site.world.stallOf = () => 0;
}

const SCENARIOS: readonly Scenario[] = [
  {
    name: "appending to a segment",
    iosMin: 10,
    prepare: async (site) => {
      await site.boot();
      site.append(1);
      await site.world.advance(100);
    },
    act: async (site, cut) => {
      cutting(site, cut);
      for (let group = 0; group < 5; group++) {
        site.append(3, 20);
        await site.world.advance(50);
      }
    },
    options: { segmentBytesMax: 100_000 },
  },
  {
    name: "beginning segments, the first one included, by size and by day",
    iosMin: 60,
    prepare: (site) => site.boot(),
    act: async (site, cut) => {
      cutting(site, cut);
      for (let group = 0; group < 8; group++) {
        site.append(2, 500);
        await site.world.advance(100);
        if (group === 4) site.machine?.clock.jumpWall(DAY_MS);
      }
    },
  },
  {
    name: "dropping what was acknowledged, by size",
    iosMin: 40,
    options: { maxBytes: 6_000 },
    prepare: async (site) => {
      await site.boot();
      for (let group = 0; group < 6; group++) {
        site.append(2, 600);
        await site.world.advance(100);
      }
      site.acknowledge();
    },
    act: async (site, cut) => {
      cutting(site, cut);
      for (let group = 0; group < 6; group++) {
        site.append(2, 600);
        await site.world.advance(200);
      }
    },
  },
  {
    name: "starting after a clean stop",
    iosMin: 10,
    prepare: async (site) => {
      await site.boot();
      site.append(5, 300);
      await site.world.advance(500);
      await site.stop();
    },
    act: (site, cut) => site.boot(cut),
  },
  {
    name: "cutting a torn tail",
    iosMin: 10,
    prepare: leaveTornTail,
    act: (site, cut) => site.boot(cut),
  },
  {
    name: "writing down what was sent from memory while the disk was gone",
    iosMin: 15,
    prepare: async (site) => {
      await site.boot();
      site.append(3);
      await site.world.advance(100);
      site.world.diskFaultOf = ({ kind }) => (kind === "sync" || kind === "truncate" ? "EIO" : null);
      for (let second = 0; second < 3; second++) {
        site.append(4, 300);
        await site.world.advance(1_000);
      }
    },
    act: async (site, cut) => {
      site.world.diskFaultOf = () => null;
      cutting(site, cut);
      await site.world.advance(3_000);
      site.append(2);
      await site.world.advance(200);
    },
  },
  {
    name: "failing over to a new segment while the disk fails and comes back",
    iosMin: 25,
    prepare: async (site) => {
      await site.boot();
      site.append(3);
      await site.world.advance(100);
    },
    act: async (site, cut) => {
      let calls = 0;
      site.world.diskFaultOf = ({ kind }) => {
        if (kind !== "write" && kind !== "sync") return null;
        calls += 1;
        return calls % 3 === 0 ? null : "EIO";
      };
      cutting(site, cut);
      for (let second = 0; second < 4; second++) {
        site.append(3, 300);
        await site.world.advance(1_500);
      }
    },
  },
  {
    name: "stopping",
    iosMin: 3,
    prepare: async (site) => {
      await site.boot();
      site.append(3);
      await site.world.advance(100);
    },
    act: async (site, cut) => {
      cutting(site, cut);
      site.append(5);
      await site.stop();
    },
  },
];

/** One run with the power cut in one disk call. The next life must find all promises kept. True when the power went. */
async function run(
  scenario: Scenario,
  seed: number,
  cut: { io: number; policy: CrashPolicy },
  plant?: (machine: Machine) => Files,
): Promise<boolean> {
  const site = new JournalSite({ seed, ...scenario.options, ...(plant === undefined ? {} : { plant }) });
  const cutsSoFar = () =>
    site.world.trace.filter((line) => line.endsWith(`machine ends: ${cut.policy}`)).length;
  await scenario.prepare(site);
  const before = cutsSoFar();
  await scenario.act(site, cut);
  const wasCut = cutsSoFar() > before;
  site.world.diskFaultOf = () => null;
  if (site.world.machine !== null) site.world.kill();
  await site.boot();
  site.append(2, 100);
  await site.world.advance(5_000);
  expect(site.journal?.state).toBe("well");
  await site.check();
  await site.stop();
  return wasCut;
}

async function countIos(scenario: Scenario, seed: number): Promise<number> {
  const site = new JournalSite({ seed, ...scenario.options });
  await scenario.prepare(site);
  const before = site.world.machine === null ? 0 : site.world.disk.ios;
  await scenario.act(site, { io: NEVER, policy: "lose" });
  return site.world.disk.ios - before;
}

/** A disk whose habit `skip` is forgotten, for files of the journal. */
function forgetful(skip: "sync" | "replace"): (machine: Machine) => Files {
  return ({ disk, files }) => {
    if (skip === "sync") {
      disk.liesAbout = (path) => path.endsWith(".ndjson");
      return files;
    }
    const replace: Files["replace"] = async (path, content) => {
      await files.unlink(path).catch(() => undefined);
      const file = await files.open(path, "new");
      if (content instanceof Uint8Array) await file.write(content);
      else for await (const piece of content) await file.write(piece);
      await file.close();
    };
    return { ...files, replace };
  };
}

describe("the power goes in every single disk call of", () => {
  test.each(SCENARIOS)("$name", async (scenario) => {
    let cuts = 0;
    for (const [policy, seed] of LIVES) {
      const ios = await countIos(scenario, seed);
      expect(ios).toBeGreaterThanOrEqual(scenario.iosMin);
      for (let io = 1; io <= ios; io++) {
        const where = `seed ${seed}, disk call ${io}, ${policy}`;
        if (await named(where, () => run(scenario, seed, { io, policy }))) cuts += 1;
      }
    }
    console.log(`${scenario.name}: ${cuts} power cuts`);
    expect(cuts).toBeGreaterThanOrEqual(scenario.iosMin * LIVES.length);
  });
});

test.each(["sync", "replace"] as const)("a journal that forgets to %s is caught", async (skip) => {
  const [appending, beginning] = SCENARIOS;
  const scenario = skip === "sync" ? appending! : beginning!;
  const runs = Array.from({ length: 20 }, (_, io) =>
    run(scenario, 1, { io: io + 1, policy: "lose" }, forgetful(skip)),
  );
  const caught = (await Promise.allSettled(runs)).filter(({ status }) => status === "rejected");
  expect(caught.length).toBeGreaterThan(0);
});
