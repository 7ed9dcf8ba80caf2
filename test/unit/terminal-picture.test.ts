import { expect, test } from "vitest";
import { pageOf, screenAfter } from "../../bench/terminal.ts";

const textOf = (written: string, columns = 20): string[] =>
  screenAfter(written, { columns }).map((cells) => cells.map(({ character }) => character).join(""));

test("what was written over is gone, and what follows the end of a line is on the next", () => {
  expect(textOf("one\r\ntwo\r\n")).toEqual(["one", "two"]);
  expect(textOf("first\r\nsecond\u001b[Hlast\u001b[K\r\n\u001b[J")).toEqual(["last"]);
  expect(textOf("abcdef", 4)).toEqual(["abcd", "ef"]);
  expect(textOf("\u001b[?1049h\u001b[?25ltext")).toEqual(["text"]);
});

test("colours are the command's, and nothing in it is markup", () => {
  const page = pageOf("a & b", screenAfter("\u001b[31m<\u001b[0mx", { columns: 9 }));
  expect(page).toContain(`<b>$ a &#38; b</b>\n<span class="red">&#60;</span>x</pre>`);
});
