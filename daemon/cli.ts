#!/usr/bin/env node
/**
 * The `grindvakt` command. Only the module of the command that was asked for is loaded, so that `--help` is there
 * at once. Exit codes and where errors go: CONTRACT 2.
 */
import { Command, CommanderError } from "commander";
import { Exit } from "./commands/exit.ts";
import { VERSION } from "./version.ts";
import { systemWords } from "./words.ts";

interface Entry {
  name: string;
  description: string;
  load(): Promise<Command>;
}

const COMMANDS: readonly Entry[] = [
  {
    name: "demo",
    description: "the whole gateway in one process, with nothing to set up",
    load: async () => (await import("./commands/demo.ts")).demoCommand(),
  },
  {
    name: "run",
    description: "the daemon",
    load: async () => (await import("./commands/run.ts")).runCommand(),
  },
  {
    name: "check",
    description: "every fault of a configuration at once",
    load: async () => (await import("./commands/check.ts")).checkCommand(),
  },
  {
    name: "doctor",
    description: "walks the site's own order of checks, and says what to do",
    load: async () => (await import("./commands/doctor.ts")).doctorCommand(),
  },
  {
    name: "watch",
    description: "a live view of the running gateway in the terminal",
    load: async () => (await import("./commands/watch.ts")).watchCommand(),
  },
  {
    name: "lookup",
    description: "what the list says of a card, and what the person should do",
    load: async () => (await import("./commands/lookup.ts")).lookupCommand(),
  },
  {
    name: "trace",
    description: "the raw bytes or reports of a reader, with times",
    load: async () => (await import("./commands/trace.ts")).traceCommand(),
  },
  {
    name: "identify",
    description: "every reading of the next taps, and the `reads` to write",
    load: async () => (await import("./commands/identify.ts")).identifyCommand(),
  },
  {
    name: "site",
    description: "the site's own list: block or allow a card here",
    load: async () => (await import("./commands/site.ts")).siteCommand(),
  },
  {
    name: "presence",
    description: "who is on site: the roll call, and what the taps did not tell",
    load: async () => (await import("./commands/presence.ts")).presenceCommand(),
  },
  {
    name: "journal",
    description: "prove, follow or export what was written down",
    load: async () => (await import("./commands/journal.ts")).journalCommand(),
  },
  {
    name: "install",
    description: "the systemd unit, udev rules and module blacklist for a configuration",
    load: async () => (await import("./commands/install.ts")).installCommand(),
  },
  {
    name: "release",
    description: "releases the relays of a gateway that does not run",
    load: async () => (await import("./commands/release.ts")).releaseCommand(),
  },
  {
    name: "feed",
    description: "the central side: make, fill, renew and check a feed of cards",
    load: async () => (await import("./commands/feed.ts")).feedCommand(),
  },
  {
    name: "osdp",
    description: "give an OSDP reader its key, or another place on its line",
    load: async () => (await import("./commands/osdp.ts")).osdpCommand(),
  },
  {
    name: "osdp-pd",
    description: "OSDP readers without the readers, to learn and to try with",
    load: async () => (await import("./commands/osdp-pd.ts")).osdpPdCommand(),
  },
];

async function main(argv: readonly string[]): Promise<number> {
  const program = new Command("grindvakt");
  program.description("Decides at the turnstiles of construction sites.");
  program.version(VERSION);
  const wanted = argv[2] === "help" ? argv[3] : argv[2];
  for (const { name, description, load } of COMMANDS) {
    program.addCommand(wanted === name ? await load() : new Command(name).description(description));
  }
  answerInContract(program);
  try {
    await program.parseAsync(argv);
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (isOfTheSystem(error)) {
      process.stderr.write(`grindvakt: ${systemWords(error)}\n`);
      return 1;
    }
    if (!(error instanceof Exit)) throw error;
    if (error.message !== "") process.stderr.write(`grindvakt: ${error.message}\n`);
    return error.exitCode;
  }
}

/** What the disk or the network says, and no fault of ours: a line, never a stack trace. */
function isOfTheSystem(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error && "errno" in error;
}

/** Usage errors: one line, exit 2, on every level of subcommands. */
function answerInContract(command: Command): void {
  command.exitOverride();
  command.configureOutput({
    outputError: (text, write) =>
      write(
        `grindvakt: ${text
          .replace(/^error: /, "")
          .trim()
          .replaceAll("\n", " ")}\n`,
      ),
  });
  for (const inner of command.commands) answerInContract(inner);
}

process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  // A reader such as `head` has seen enough.
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});
process.exitCode = await main(process.argv);
