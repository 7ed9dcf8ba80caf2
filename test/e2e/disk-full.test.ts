/** A disk that is really full, and one that can only be read: a file system of 8 MB of its own. Needs root, as CI has it. */
import { execFileSync } from "node:child_process";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { CARDS, type Daemon, type Site, sharedFeed, until } from "./site.ts";
import { setStage } from "./stage.ts";

const MIB = 1024 * 1024;

const feedDir = await sharedFeed();

/** `dataDir` on a small file system of its own. Returns what changes how that is mounted. */
async function mountData({ dir }: Site): Promise<(options: string) => void> {
  const data = join(dir, "data");
  await mkdir(data, { mode: 0o700 });
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=8m,mode=0700", "tmpfs", data]);
  // Also while a daemon that did not end still holds it.
  onTestFinished(() => void execFileSync("umount", ["--lazy", data]));
  return (options) => void execFileSync("mount", ["-o", `remount,${options}`, data]);
}

const wellAndSent = ({ journal, outbox }: Awaited<ReturnType<Daemon["status"]>>): boolean =>
  journal.state === "well" && outbox.unsent === 0;

describe("a file system", () => {
  test("that is full, or can only be read: taps are decided and sent from memory, and written down once there is room, or they may be", async () => {
    const { line, ear, site } = await setStage(feedDir);
    const remount = await mountData(site);
    const daemon = await (await site.run()).healthy();
    await daemon.become("everything is sent", wellAndSent);
    const ballast = join(site.dir, "data", "ballast");
    await writeFile(ballast, Buffer.alloc(8 * MIB)).catch((error: NodeJS.ErrnoException) =>
      expect(error.code).toBe("ENOSPC"),
    );
    // The block that the journal's last line stands in has room for a few more.
    let taps = 0;
    const tap = async () => {
      await line.send(`${CARDS.granted}\r\n`);
      taps += 1;
      return (await ear.hearTaps(`tap ${taps}`, ({ length }) => length === taps)).at(-1)!;
    };
    while ((await tap()).data.durable) expect(taps).toBeLessThan(50);
    const failed = await ear.hear("gateway", ({ data }) => data.event === "journal-failed");
    expect(failed.data.why).toMatch(/ENOSPC|no space/);
    expect(await tap()).toMatchObject({ data: { granted: true, durable: false, seq: null } });
    expect((await site.command("journal", "verify")).code).toBe(0);

    await rm(ballast);
    await daemon.become("the journal is written again", wellAndSent);
    await tap();
    await daemon.end();
    const journal = await site.journal();
    await ear.hearUpTo(journal.length);
    expect(journal.filter(({ type }) => type === "grindvakt.tap.v1")).toHaveLength(taps);
    expect(ear.events().map(({ data }) => data.durable)).not.toContain(false);
    expect((await site.command("journal", "verify")).code).toBe(0);

    remount("ro");
    const again = await (await site.run()).healthy();
    const unwritten = await tap();
    expect(unwritten).toMatchObject({ data: { granted: true, durable: false, seq: null } });
    await ear.hear(
      "gateway",
      ({ data }) => data.event === "journal-failed" && /EROFS|read-only/.test(data.why),
    );
    expect(await again.status()).toMatchObject({ journal: { state: "failed" }, presence: { onSite: 1 } });
    remount("rw");
    await again.become("the journal is written", wellAndSent);
    await again.end();
    const whole = await site.journal();
    await ear.hearUpTo(whole.length);
    expect(whole.filter(({ id }) => id === unwritten.id)).toHaveLength(1);
    expect((await site.command("journal", "verify")).code).toBe(0);
    expect(ear.faults()).toEqual([]);
  });

  test("whose journal somebody deletes under the gateway: it says so, and goes on with the numbers", async () => {
    const { line, ear, site } = await setStage(feedDir);
    const daemon = await (await site.run()).healthy();
    await line.send(`${CARDS.granted}\r\n`);
    await daemon.become("everything is sent", wellAndSent);
    const { headSeq } = (await daemon.status()).journal;
    await rm(join(site.dir, "data", "journal"), { recursive: true });
    let taps = 1;
    const gone = await until("it is missed", async () => {
      await line.send(`${CARDS.granted}\r\n`);
      taps += 1;
      await ear.hearTaps(`tap ${taps}`, ({ length }) => length === taps);
      return ear.events().find(({ data }) => data.event === "journal-gone") ?? null;
    });
    expect(gone.data).toMatchObject({ from: 1, to: expect.any(Number), durable: true });
    expect(gone.data.to).toBeGreaterThanOrEqual(headSeq);
    await daemon.said("somebody took journal segments away");
    await daemon.become("everything is sent", wellAndSent);
    await daemon.end();
    expect((await site.journal())[0]?.seq).toBe(gone.data.to + 1);
    expect((await site.command("journal", "verify")).code).toBe(0);
    // In sequence and without gaps, for the broker had them before they went.
    expect(ear.faults()).toEqual([]);
  });
});
