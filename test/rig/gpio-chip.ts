/** A GPIO chip that the guest's kernel simulates (`guest/gpio-sim.sh` makes the module). */
import { execFile } from "node:child_process";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { onTestFinished, type TestContext } from "vitest";
import type { Guest } from "./guest.ts";

export interface Chip {
  name: string;
  /** The directory, in the guest, that shows and pulls its lines. */
  lines: string;
  /** What stands on a line that the gateway drives. */
  level(line: number): Promise<string>;
  /** Closes or opens a contact: to the supply or to ground. */
  pull(line: number, way: "pull-up" | "pull-down"): Promise<void>;
}

/** For as long as the test runs. Ends the test as not run where the kernel's module cannot be built. */
export async function makeChip(machine: Guest, { skip }: TestContext): Promise<Chip> {
  const script = join(import.meta.dirname, "guest/gpio-sim.sh");
  const built = promisify(execFile)("bash", [script, machine.place.image]);
  const module = await built
    .then(({ stdout }) => stdout.trim())
    .catch((error: { stderr: string }) => skip(error.stderr.trim()));
  await copyFile(String(module), join(machine.place.shared, "gpio-sim.ko"));
  const config = "/sys/kernel/config/gpio-sim/rig";
  await machine.sh(
    `modprobe configfs; mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config; ` +
      `{ lsmod | grep -q ^gpio_sim || insmod ${machine.place.shared}/gpio-sim.ko; } && mkdir -p ${config}/bank && echo 28 >${config}/bank/num_lines && echo 1 >${config}/live`,
  );
  onTestFinished(async () => {
    await machine.run(`echo 0 >${config}/live; rmdir ${config}/bank ${config}`);
  });
  const name = await machine.sh(`cat ${config}/bank/chip_name`);
  const lines = `/sys/devices/platform/${await machine.sh(`cat ${config}/dev_name`)}/${name}`;
  return {
    name,
    lines,
    level: (line) => machine.sh(`cat ${lines}/sim_gpio${line}/value`),
    pull: async (line, way) => {
      await machine.sh(`echo ${way} >${lines}/sim_gpio${line}/pull`);
    },
  };
}
