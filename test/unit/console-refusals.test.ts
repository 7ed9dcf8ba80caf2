import { readdir, readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { REFUSALS } from "../../daemon/console/refusals.ts";
import { WHO_CHARACTERS_MAX, WHY_CHARACTERS_MAX } from "../../sync/site-change.ts";

interface PageWords {
  SWEDISH: Record<string, string>;
  wordsOfRefusal(answer: { error: string; code?: string }, language: string): string;
}

// A file as browsers have it, without types: TypeScript does not look for any behind a URL.
const address = new URL("../../daemon/console/page/refusals.js", import.meta.url).href;
const { SWEDISH, wordsOfRefusal } = (await import(address)) as PageWords;

test("the page has Swedish words for every refusal that a person may meet, and for no other", () => {
  expect(Object.keys(SWEDISH)).toEqual([...REFUSALS]);
  expect(new Set(Object.values(SWEDISH)).size).toBe(REFUSALS.length);
  expect(SWEDISH.name).toContain(`${WHO_CHARACTERS_MAX} tecken`);
  expect(SWEDISH.reason).toContain(`${WHY_CHARACTERS_MAX} tecken`);
});

test("says them in Swedish; in English, and where there is no code, the gateway's own", () => {
  const answer = { error: "sign in first", code: "sign-in" };
  expect(wordsOfRefusal(answer, "sv")).toBe("Logga in först.");
  expect(wordsOfRefusal(answer, "en")).toBe("sign in first");
  expect(wordsOfRefusal({ error: "send application/json" }, "sv")).toBe("send application/json");
});

test("every one of them is given by some room", async () => {
  const rooms = ["daemon/console", "daemon/site", "daemon/presence", "sync"];
  const files = await Promise.all(
    rooms.map(async (room) => {
      const names = (await readdir(room)).filter((name) => name.endsWith(".ts") && name !== "refusals.ts");
      return Promise.all(names.map((name) => readFile(`${room}/${name}`, "utf8")));
    }),
  );
  const text = files.flat().join("");
  expect(REFUSALS.filter((code) => !text.includes(`"${code}"`))).toEqual([]);
});
