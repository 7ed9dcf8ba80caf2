/** A machine on paper, for `doctor`: what lies where is written down, and nothing else is there. */
import type { Machine, Seen } from "../../drivers/ports.ts";

export interface Node extends Partial<Seen> {
  text?: string;
  /** A link to another path. */
  to?: string;
  /** A socket with a program behind it. */
  answers?: true;
}

export function paperMachine(nodes: Readonly<Record<string, Node>>, uid = 0): Machine {
  const end = (path: string): string => {
    const to = nodes[path]?.to;
    return to === undefined ? path : end(to);
  };
  const at = (path: string): Node | undefined => nodes[end(path)];
  const below = (path: string): string[] =>
    Object.keys(nodes).flatMap((name) =>
      name.startsWith(`${path}/`) ? [name.slice(path.length + 1).split("/")[0] ?? ""] : [],
    );
  return {
    uid,
    async look(path) {
      const node = at(path);
      if (node === undefined) return null;
      const { kind = "file", mode = 0o644, uid: owner = 0, gid = 0 } = node;
      return { kind, mode, uid: owner, gid };
    },
    text: async (path) => at(path)?.text ?? null,
    names: async (path) => [...new Set(below(path))].sort(),
    target: async (path) => (at(path) === undefined ? null : end(path)),
    answers: async (path) => at(path)?.answers === true,
  };
}
