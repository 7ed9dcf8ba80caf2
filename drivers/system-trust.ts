import { execFile } from "node:child_process";
import { existsSync } from "node:fs";

/** No machine that runs this program can rightly believe an earlier time: a clock without battery starts there. */
const BUILT_MS = Date.parse("2026-11-01T00:00:00Z");

/** `timedatectl` waits for a bus that may hang early in a boot. */
const ASK_TIMEOUT_MS = 2_000;
const ASK_OUTPUT_BYTES_MAX = 1_024;

/** What the rule asks of the machine. */
export interface TrustSources {
  wallMs(): number;
  exists(path: string): boolean;
  /** What `timedatectl` says of the kernel's clock; `absent` when there is no such program. */
  timedatectl(): Promise<"yes" | "no" | "absent">;
}

export const systemTrustSources: TrustSources = {
  wallMs: () => Date.now(),
  exists: existsSync,
  // Waited for: a process that has nothing else to wait for would end in the middle of its start.
  timedatectl: () =>
    new Promise((resolve) => {
      execFile(
        "timedatectl",
        ["show", "--property=NTPSynchronized", "--value"],
        { timeout: ASK_TIMEOUT_MS, killSignal: "SIGKILL", maxBuffer: ASK_OUTPUT_BYTES_MAX },
        (error, output) => {
          if (error !== null) resolve(error.code === "ENOENT" ? "absent" : "no");
          else resolve(output.trim() === "yes" ? "yes" : "no");
        },
      );
    }),
};

/**
 * Whether the machine's time has been synchronised since it booted, by the first of these that can tell: the
 * build's own date, systemd-timesyncd's mark, the kernel's state as systemd tells it (which knows chrony and ntpd,
 * too). Where nobody can be asked, as in a container, the host's clock is believed.
 */
export async function wallClockTrusted(sources: TrustSources): Promise<boolean> {
  if (sources.wallMs() < BUILT_MS) return false;
  if (sources.exists("/run/systemd/timesync")) return sources.exists("/run/systemd/timesync/synchronized");
  if (!sources.exists("/run/systemd/system")) return true;
  // A failed answer is asked again; only a machine without the program has nobody to ask.
  return (await sources.timedatectl()) !== "no";
}
