/** What doctor says of the gate itself: its clock, its disk, the gateway that runs there, and its list. */
import { expect, test } from "vitest";
import { lookAtClock } from "../../daemon/doctor/clock.ts";
import { lookAtDisk } from "../../daemon/doctor/disk.ts";
import { lookAtGateway, lookAtList } from "../../daemon/doctor/running.ts";
import type { Files } from "../../drivers/ports.ts";
import { wellStatus } from "../e2e/console-house.ts";
import { PI, told } from "./doctor-pi.ts";
import { paperMachine } from "./paper-machine.ts";

test("a clock that nobody has set", async () => {
  const unset = await lookAtClock(paperMachine({}), { trusted: false, wallMs: 0 });
  expect(told(unset)[0]).toMatch(
    /^wrong: 1970-01-01.*no clock with a battery.* -> .*timedatectl set-ntp true/,
  );
  const withBattery = paperMachine({ "/sys/class/rtc/rtc0/name": { text: "" } });
  expect(told(await lookAtClock(withBattery, { trusted: false, wallMs: 0 }))[0]).not.toContain("battery");
  expect(told(await lookAtClock(withBattery, { trusted: true, wallMs: 0 }))).toEqual(["ok"]);
});

test.each([
  ["ENOSPC", "the disk is full"],
  ["EROFS", "mounted read-only"],
  ["EIO", "the disk fails"],
  ["EACCES", "sudo"],
])("a disk that answers %s", async (code, words) => {
  const fail = () => Promise.reject(Object.assign(new Error(`${code}: no`), { code }));
  const files = { replace: fail, remove: async () => {}, freeBytes: async () => 0, names: async () => [] };
  const use = { dataDir: "/data", journalDir: "/data/journal", maxBytes: 1e9 };
  const found = told(await lookAtDisk(paperMachine(PI), files as unknown as Files, use));
  expect(found[0]).toContain(words);
  expect(found[2]).toMatch(/^wrong: 0.0 MiB are free/);
});

test("a file in the place of dataDir is told of once", async () => {
  const machine = paperMachine({ ...PI, "/data": { text: "" } });
  const use = { dataDir: "/data", journalDir: "/data/journal", maxBytes: 1e9 };
  expect(await lookAtDisk(machine, {} as Files, use)).toEqual([]);
});

test("what a running gateway says: another version, an event that is refused, a journal that fails", () => {
  const status = wellStatus();
  const found = lookAtGateway(
    {
      kind: "running",
      status: {
        ...status,
        version: "0.0.9",
        outbox: { ...status.outbox, refused: "not authorized" },
        journal: { ...status.journal, state: "failed" },
      },
    },
    "/data",
  );
  expect(told(found)).toEqual([
    expect.stringMatching(/^warning: runs version 0.0.9, and this is /),
    expect.stringMatching(/^wrong: cannot be written/),
    expect.stringMatching(/^wrong: the broker refuses an event: not authorized; 3 wait behind it -> /),
  ]);
  expect(told(lookAtGateway({ kind: "silent" }, "/data"))[0]).toMatch(/^wrong: another program holds \/data/);
  expect(told(lookAtGateway({ kind: "stopped" }, "/data"))[0]).toMatch(/^warning: does not run/);
});

test.each([
  ["fresh", "ok"],
  ["late", "warning"],
  ["stale", "wrong"],
] as const)("a list that is %s", (freshness, level) => {
  expect(lookAtList({ revision: 7, freshness, refreshedAt: null }).level).toBe(level);
  expect(lookAtList({ revision: null, freshness, refreshedAt: null }).level).toBe("wrong");
  expect(lookAtList(null).level).toBe("wrong");
});
