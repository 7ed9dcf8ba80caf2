import { describe, expect, it } from "vitest";
import { createSystemClock, systemRandom } from "../../drivers/system.ts";
import { type TrustSources, wallClockTrusted } from "../../drivers/system-trust.ts";

const TIMESYNC = "/run/systemd/timesync";
const MARK = "/run/systemd/timesync/synchronized";
const SYSTEMD = "/run/systemd/system";
const NOW_MS = Date.parse("2026-11-22T12:00:00Z");

function machine(facts: { wallMs?: number; paths?: string[]; says?: "yes" | "no" | "absent" }) {
  const asked: string[] = [];
  const sources: TrustSources = {
    wallMs: () => facts.wallMs ?? NOW_MS,
    exists: (path) => facts.paths?.includes(path) ?? false,
    async timedatectl() {
      asked.push("timedatectl");
      return facts.says ?? "no";
    },
  };
  return { sources, asked };
}

describe("whether the wall clock is trusted", () => {
  const table: [string, Parameters<typeof machine>[0], boolean][] = [
    ["before the build's own date, whatever anybody says", { wallMs: 0, paths: [TIMESYNC, MARK] }, false],
    ["timesyncd runs and has not synchronised", { paths: [TIMESYNC, SYSTEMD], says: "yes" }, false],
    ["timesyncd has synchronised", { paths: [TIMESYNC, MARK, SYSTEMD] }, true],
    ["another time service, as systemd sees it: not yet", { paths: [SYSTEMD], says: "no" }, false],
    ["another time service, as systemd sees it", { paths: [SYSTEMD], says: "yes" }, true],
    ["systemd without the program to ask", { paths: [SYSTEMD], says: "absent" }, true],
    ["nobody to ask: a container", {}, true],
  ];
  for (const [name, facts, trusted] of table) {
    it(name, async () => expect(await wallClockTrusted(machine(facts).sources)).toBe(trusted));
  }

  it("asks a program only where systemd runs and timesyncd does not", async () => {
    for (const paths of [[], [TIMESYNC, SYSTEMD], [TIMESYNC, MARK]]) {
      const { sources, asked } = machine({ paths, says: "yes" });
      await wallClockTrusted(sources);
      expect(asked).toEqual([]);
    }
  });
});

describe("the system's clock", () => {
  it("trusts nothing before start, and stays trusted once it was", async () => {
    const facts = { wallMs: NOW_MS };
    const clock = createSystemClock(machine(facts).sources);
    expect(clock.trusted()).toBe(false);
    await clock.start();
    expect(clock.trusted()).toBe(true);
    facts.wallMs = 0;
    await clock.start();
    expect(clock.trusted()).toBe(true);
    clock.stop();
    clock.stop();
  });

  it("does not ask a program each time it looks", async () => {
    const { sources, asked } = machine({ paths: [SYSTEMD], says: "no" });
    const clock = createSystemClock(sources);
    for (let look = 0; look < 3; look += 1) await clock.start();
    clock.stop();
    expect(asked).toEqual(["timedatectl"]);
    expect(clock.trusted()).toBe(false);
  });
});

it("the system's chance gives as many bytes as asked, not the same twice, and fractions below one", () => {
  expect(systemRandom.bytes(0)).toHaveLength(0);
  expect(systemRandom.bytes(16)).toHaveLength(16);
  expect(systemRandom.bytes(16)).not.toEqual(systemRandom.bytes(16));
  for (let draw = 0; draw < 1_000; draw++) {
    const fraction = systemRandom.fraction();
    expect(fraction >= 0 && fraction < 1).toBe(true);
  }
});
