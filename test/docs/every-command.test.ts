/** No command of the README or the docs is passed over in silence: it is carried out by a test beside this one, or named in `elsewhere.ts`. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { ELSEWHERE } from "./elsewhere.ts";
import { commandsOf, fencesOf, PAGES } from "./pages.ts";

const tests = readdirSync(import.meta.dirname)
  .filter((name) => name.endsWith(".test.ts"))
  .map((name) => readFileSync(`${import.meta.dirname}/${name}`, "utf8"))
  .join("\n");
/** What begins a command, in a fence that does not say that it holds any. */
const COMMAND =
  /^(?:\$ |(?:sudo|npm|npx|node|grindvakt|curl|openssl|mosquitto_\w+|git|systemctl|rabbitmqctl|socat) )/m;

const withCommands = PAGES.filter((page) => commandsOf(page).length > 0);

test.each(withCommands)("%s: each command is carried out, or it is said why not", (page) => {
  const elsewhere = Object.entries(ELSEWHERE[page] ?? {});
  const texts = commandsOf(page).map(({ text }) => text);
  const left = texts.filter((text) => !elsewhere.some(([words]) => text.startsWith(words)));
  expect(elsewhere.filter(([words]) => !texts.some((text) => text.startsWith(words)))).toEqual([]);
  expect(elsewhere.filter(([, { heldBy }]) => !existsSync(heldBy))).toEqual([]);
  const what = `${left.length} commands of ${page}: a test in test/docs/ reads the page (readPage), or test/docs/elsewhere.ts says why not`;
  if (left.length > 0) expect(tests.includes(`readPage("${page}"`), what).toBe(true);
});

test("pages that are named here are there", () => {
  expect(Object.keys(ELSEWHERE).filter((page) => !withCommands.includes(page))).toEqual([]);
});

test.each(PAGES)("%s: every fence says what it holds", (page) => {
  const silent = fencesOf(page).filter(({ language }) => language === "");
  expect(silent, "sh, console, text or another language").toEqual([]);
  const hidden = fencesOf(page).filter(({ language, text }) => language === "text" && COMMAND.test(text));
  expect(hidden, "commands stand in a fence sh or console").toEqual([]);
});
