/**
 * A command run on a terminal of its own, and what then stands on it, as a page that a browser can take a picture of. It knows what
 * our commands write (CSI H, J, K, m and the other screen), and nothing more of ECMA-48.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";

export interface Cell {
  character: string;
  /** Select graphic rendition: `31` red, `1` bold …; empty: plain. */
  rendition: string;
}

export interface Terminal {
  columns: number;
  rows: number;
}

const NUDGE_MS = 1_000;
const CLASSES: Readonly<Record<string, string>> = {
  1: "bold",
  2: "dim",
  31: "red",
  32: "green",
  33: "yellow",
};

/**
 * Runs `command` (for a shell) and returns what it wrote, when it has ended, or when it has written `last`: then Ctrl-C ends it.
 * `nudge` is called again and again until then: what is done to the gate is not heard of before the command listens.
 */
export async function runOnTerminal(
  command: string,
  { columns, rows }: Terminal,
  { cwd, last, nudge }: { cwd: string; last?: RegExp | undefined; nudge?: (() => void) | undefined },
): Promise<string> {
  const typed = `stty rows ${rows} columns ${columns}; exec ${command}`;
  const child = spawn("script", ["-qec", typed, "/dev/null"], {
    cwd,
    env: { ...process.env, TERM: "xterm-256color" },
    stdio: ["pipe", "pipe", "inherit"],
  });
  let written = "";
  let seen: string | null = null;
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    written += text;
    if (seen !== null || last === undefined || !last.test(written)) return;
    seen = written;
    child.stdin.write("\u0003");
  });
  const nudging = setInterval(() => nudge?.(), NUDGE_MS);
  await once(child, "close");
  clearInterval(nudging);
  return seen ?? written;
}

/** What stands on the terminal after `written`, as far down as anything stands there. */
export function screenAfter(written: string, { columns }: Pick<Terminal, "columns">): Cell[][] {
  const screen: Cell[][] = [[]];
  let [row, column, rendition] = [0, 0, ""];
  const line = (): Cell[] => {
    while (screen.length <= row) screen.push([]);
    return screen[row]!;
  };
  for (const [piece, , parameters = "", final] of written.matchAll(
    /(\u001b\[([?0-9;]*)([A-Za-z]))|\r|\n|[^\u001b\r\n]/gu,
  )) {
    if (piece === "\r") column = 0;
    else if (piece === "\n") row += 1;
    else if (final === "m") rendition = parameters === "0" ? "" : parameters;
    else if (final === "H") [row, column] = [0, 0];
    else if (final === "K" || final === "J") {
      line().length = Math.min(line().length, column);
      if (final === "J") screen.length = row + 1;
    } else if (final === undefined) {
      if (column === columns) [row, column] = [row + 1, 0];
      const cells = line();
      while (cells.length < column) cells.push({ character: " ", rendition: "" });
      cells[column] = { character: piece, rendition };
      column += 1;
    }
  }
  while (screen.at(-1)?.length === 0) screen.pop();
  return screen;
}

/** A window with `$ command` above what it wrote. */
export function pageOf(command: string, screen: readonly (readonly Cell[])[]): string {
  const lines = screen.map((cells) => cells.map(spanOf).join("")).join("\n");
  return `<!doctype html><meta charset="utf-8"><style>${STYLE}</style>
<main><header><i></i><i></i><i></i></header><pre><b>$ ${textOf(command)}</b>\n${lines}</pre></main>`;
}

function spanOf({ character, rendition }: Cell): string {
  const names = rendition.split(";").flatMap((code) => CLASSES[code] ?? []);
  return names.length === 0
    ? textOf(character)
    : `<span class="${names.join(" ")}">${textOf(character)}</span>`;
}

function textOf(text: string): string {
  return text.replace(/[&<>]/g, (character) => `&#${character.codePointAt(0)};`);
}

const STYLE = `
body { margin: 0; padding: 12px; width: max-content; background: transparent; }
main { background: #14181c; color: #d9dee3; border-radius: 12px; overflow: hidden; border: 1px solid #2a3036; }
header { display: flex; gap: 8px; padding: 12px 16px 4px; }
header i { width: 11px; height: 11px; border-radius: 50%; background: #3a424a; }
pre { margin: 0; padding: 8px 18px 18px; font: 14px/1.45 "DejaVu Sans Mono", monospace; }
b { color: #fff; }
.bold { font-weight: 700; color: #fff; }
.dim { color: #8b959f; }
.red { color: #ff8f88; }
.green { color: #74d6a2; }
.yellow { color: #f3c972; }
`;
