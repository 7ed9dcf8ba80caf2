import { Command } from "commander";
import type { Configuration } from "../../config/schema.ts";
import type { System } from "../../drivers/system.ts";
import type { LiveTap } from "../console/live.ts";
import type { TapsSince } from "../console/tap-ring.ts";
import { changes, lineOf, type Row, type ScreenWords, screen, tapRow } from "../console/watch.ts";
import { askControl } from "../control.ts";
import { pathsOf } from "../data-paths.ts";
import type { Status } from "../report/status.ts";
import { closedTo } from "../words.ts";
import { Exit } from "./exit.ts";
import { CONFIGURATION_OPTION, paint, print, printJson, withSite } from "./terms.ts";

const LOOK_MS = 1_000;
/** Kept for the screen; no terminal is higher. */
const TAPS_MAX = 200;
/** Where the terminal does not say. */
const COLUMNS_DEFAULT = 100;
const ROWS_DEFAULT = 30;

const ENTER_SCREEN = "\u001b[?1049h\u001b[?25l";
const LEAVE_SCREEN = "\u001b[?25h\u001b[?1049l";

export function watchCommand(): Command {
  return new Command("watch")
    .description(
      "a live view of the running gateway: access points, readers, taps and why, list, unsent; Ctrl-C ends it",
    )
    .requiredOption(...CONFIGURATION_OPTION)
    .option("--json", "a line for a program whenever something changes")
    .action(({ config, json }: { config: string; json?: true }) =>
      withSite(config, (configuration, system) => watch(configuration, system, json === true)),
    );
}

/** What can be seen at one look; `gone`: why nothing can be, or null. */
interface Sight {
  status: Status | null;
  gone: string | null;
  /** Oldest first; decided since the look before. */
  taps: readonly LiveTap[];
}

/** Where it is shown. */
interface Stage {
  show(sight: Sight): void;
  end(): void;
}

async function watch(configuration: Configuration, { clock }: System, json: boolean): Promise<void> {
  const words = { ...wordsOf(configuration), clock };
  const stage = json ? jsonLines() : process.stdout.isTTY === true ? wholeScreen(words) : plainLines(words);
  let told = false;
  let wake = (): void => undefined;
  const stop = (): void => {
    told = true;
    wake();
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, stop);
  try {
    const look = createLook(pathsOf(configuration.dataDir).control);
    while (!told) {
      stage.show(await look());
      if (told) break;
      await new Promise<void>((go) => {
        wake = go;
        clock.after(LOOK_MS, go);
      });
    }
  } finally {
    stage.end();
  }
}

/** Asks the daemon; one that starts anew is followed from its first tap on. */
function createLook(socket: string): () => Promise<Sight> {
  let next = 0;
  let boot: string | null = null;
  return async () => {
    const answer = await askControl(socket, "status", {});
    if (answer.kind === "none") return { status: null, gone: "the gateway does not run", taps: [] };
    if (answer.kind === "error") {
      // A socket that is somebody else's stays so; a daemon that hung up comes back.
      if (answer.why === closedTo(socket)) throw new Exit(1, answer.why);
      return { status: null, gone: answer.why, taps: [] };
    }
    const status = answer.result as Status;
    if (status.boot !== boot) next = 0;
    boot = status.boot;
    const asked = await askControl(socket, "taps", { since: next });
    if (asked.kind !== "result") return { status, gone: null, taps: [] };
    const { taps, next: after } = asked.result as TapsSince;
    next = after;
    return { status, gone: null, taps };
  };
}

// ---------------------------------------------------------------- three ways to show it

type Words = Pick<ScreenWords, "timeOf"> & { clock: System["clock"] };

function wordsOf({ gateway: { timeZone } }: Configuration): Pick<ScreenWords, "timeOf"> {
  const format = new Intl.DateTimeFormat("sv-SE", { timeZone, timeStyle: "medium" });
  return { timeOf: (rfc3339) => format.format(Date.parse(rfc3339)) };
}

function wholeScreen({ timeOf, clock }: Words): Stage {
  let taps: LiveTap[] = [];
  let shown = "";
  process.stdout.write(ENTER_SCREEN);
  return {
    show({ status, gone, taps: fresh }) {
      taps = [...fresh.toReversed(), ...taps].slice(0, TAPS_MAX);
      const { columns = COLUMNS_DEFAULT, rows = ROWS_DEFAULT } = process.stdout;
      const words = { timeOf, nowMs: clock.wallMs() };
      const drawn: Row[] =
        status === null
          ? [
              [{ text: `${gone ?? ""}; waiting for it`, colour: "red" }],
              [],
              ...taps.map((tap) => tapRow(tap, words)),
            ]
          : screen(status, taps, words, rows);
      const lines = drawn.slice(0, rows).map((row) => lineOf(row, columns, paint));
      const text = `\u001b[H${lines.map((line) => `${line}\u001b[K`).join("\r\n")}\u001b[J`;
      if (text !== shown) process.stdout.write(text);
      shown = text;
    },
    end: () => void process.stdout.write(LEAVE_SCREEN),
  };
}

function plainLines({ timeOf, clock }: Words): Stage {
  let before: Status | null = null;
  let wasGone = false;
  const tell = (row: Row): void => print(lineOf(row, Number.POSITIVE_INFINITY, paint));
  return {
    show({ status, gone, taps }) {
      const nowMs = clock.wallMs();
      const at = { text: `${timeOf(new Date(nowMs).toISOString())} ` };
      if (status === null) {
        if (!wasGone) tell([at, { text: `${gone ?? ""}; waiting for it`, colour: "red" }]);
        wasGone = true;
        return;
      }
      const known = wasGone ? null : before;
      for (const row of changes(known, status)) tell([at, ...row]);
      for (const tap of taps) tell(tapRow(tap, { timeOf, nowMs }));
      before = status;
      wasGone = false;
    },
    end: () => undefined,
  };
}

function jsonLines(): Stage {
  let before = "";
  return {
    show({ status, gone, taps }) {
      const now = JSON.stringify(status === null ? { type: "gone", why: gone } : { type: "status", status });
      if (now !== before) print(now);
      before = now;
      for (const tap of taps) printJson({ type: "tap", tap });
    },
    end: () => undefined,
  };
}
