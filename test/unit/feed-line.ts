/** `grindvakt feed …` of the built program, and what it said line by line. */
import { ask } from "../e2e/counter.ts";

export interface FeedEnd {
  code: number | null;
  out: string;
  errors: string[];
}

/** `program`: `grindvakt` of `site.ts`, for a process of its own. */
export async function feedIn(
  cwd: string,
  words: string,
  env: NodeJS.ProcessEnv = {},
  program = ask,
): Promise<FeedEnd> {
  const surroundings = { cwd, env: { GRINDVAKT_FEED_PASSPHRASE: undefined, ...env } };
  const { code, stdout, stderr } = await program(["feed", ...words.split(" ")], surroundings);
  return { code, out: stdout, errors: stderr.split("\n").filter((line) => line !== "") };
}
