import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { LATENCY_RULE, latencyMs, latencyWarning } from "../../drivers/latency-timer.ts";

/** A machine with an adapter `ttyUSB0`, and its name by its maker. `timer`: what the kernel shows of it; null: nothing. */
async function machine(timer: string | null): Promise<{ port: string; sysfs: string }> {
  const dir = await mkdtemp(join(tmpdir(), "grindvakt-sysfs-"));
  onTestFinished(() => rm(dir, { recursive: true }));
  const sysfs = join(dir, "usb-serial");
  await mkdir(join(sysfs, "ttyUSB0"), { recursive: true });
  await writeFile(join(dir, "ttyUSB0"), "");
  const port = join(dir, "usb-FTDI-if00-port0");
  await symlink("ttyUSB0", port);
  if (timer !== null) await writeFile(join(sysfs, "ttyUSB0", "latency_timer"), timer);
  return { port, sysfs };
}

test("an adapter that holds replies back is named, with the rule that sets it right", async () => {
  const { port, sysfs } = await machine("16\n");
  expect(await latencyMs(port, sysfs)).toBe(16);
  expect(await latencyWarning(port, sysfs)).toBe(
    `the adapter of ${port} holds each reply back for 16 ms; set it to 1 ms with the udev rule ${LATENCY_RULE}`,
  );
});

test.each(["1\n", "3\n", "no number\n", "", null])("one that shows %j is not", async (timer) => {
  const { port, sysfs } = await machine(timer);
  expect(await latencyWarning(port, sysfs)).toBeNull();
});

test.each(["tcp://127.0.0.1:4001", "/dev/there-is-none", "/dev/null"])("%s is none", async (port) => {
  expect(await latencyMs(port)).toBeNull();
});
