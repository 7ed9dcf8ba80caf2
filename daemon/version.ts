import { readFileSync } from "node:fs";

/** The version of the package, from the sources and from `dist/` alike. */
export const VERSION: string = (
  JSON.parse(readFileSync(new URL("package.json", packageFolder()), "utf8")) as { version: string }
).version;

function packageFolder(): URL {
  const above = new URL("..", import.meta.url);
  return above.pathname.endsWith("/dist/") ? new URL("..", above) : above;
}
