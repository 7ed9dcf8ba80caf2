/**
 * `npm run bench`: every bench in one run, side by side with what it is held against. `--check` exits 1 on a missed bound,
 * `--json` prints figures for a program, names choose benches, `--cards` says how long a list `index` takes. `--rivals`, and
 * `--check`, put it beside other databases, which are installed in a temporary folder for that.
 */
import { parseArgs } from "node:util";
import { benchBacklog } from "./backlog.ts";
import { benchBlock } from "./block.ts";
import { type Figure, isMissed, showFigures } from "./figures.ts";
import { benchGarbage } from "./garbage.ts";
import { benchIndex, CARDS } from "./index.ts";
import { benchJournalAge } from "./journal-age.ts";
import { benchLine } from "./line.ts";
import { benchOsdp } from "./osdp.ts";
import { benchReaders } from "./readers.ts";
import { benchSmallMachine } from "./small-machine.ts";
import { benchTap } from "./tap.ts";

const { values, positionals } = parseArgs({
  options: {
    cards: { type: "string", default: String(CARDS) },
    check: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    rivals: { type: "boolean", default: false },
  },
  allowPositionals: true,
});
const BENCHES: Readonly<Record<string, () => Promise<Figure[]>>> = {
  tap: benchTap,
  line: benchLine,
  block: benchBlock,
  backlog: benchBacklog,
  readers: benchReaders,
  garbage: benchGarbage,
  osdp: benchOsdp,
  "journal-age": benchJournalAge,
  index: () =>
    benchIndex({ cards: Number(values.cards), withRivals: values.rivals || values.check }, (what) =>
      process.stderr.write(`index: ${what}\n`),
    ),
  "small-machine": () => benchSmallMachine(Number(values.cards)),
};
/** Only when it is named: it takes root. */
const ASKED_FOR = "small-machine";
const names =
  positionals.length > 0 ? positionals : Object.keys(BENCHES).filter((name) => name !== ASKED_FOR);
let missed = 0;
for (const name of names) {
  const bench = BENCHES[name];
  if (bench === undefined) {
    process.stderr.write(`bench: there is no ${name}; there are ${Object.keys(BENCHES).join(", ")}\n`);
    process.exit(2);
  }
  const figures = await bench();
  missed += figures.filter(isMissed).length;
  if (values.json) process.stdout.write(`${JSON.stringify({ bench: name, figures })}\n`);
  else process.stdout.write(`\n${name}\n  ${showFigures(figures)}\n`);
}
if (missed > 0) process.stderr.write(`bench: ${missed} bounds missed\n`);
process.exit(values.check && missed > 0 ? 1 : 0);
