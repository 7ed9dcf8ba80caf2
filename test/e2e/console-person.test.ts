/** Signing in, what only then is done, and that it is written down. */
import { expect, test } from "vitest";
import type { ConsoleSettings } from "../../daemon/console/console.ts";
import type { ConsoleRooms } from "../../daemon/console/routes.ts";
import {
  basic,
  CARD,
  type House,
  IDENTIFIED,
  json,
  MASKED,
  open as openFor,
  postJson,
  readMessages,
} from "./console-house.ts";

const open = (settings?: Partial<ConsoleSettings>, rooms?: Partial<ConsoleRooms>): Promise<House> =>
  openFor({ password: "right", ...settings }, rooms);

interface Person {
  cookie: string;
  /** What a browser sends with a request that changes something. */
  headers: Record<string, string>;
}

async function signIn(url: string, name = "Alva Ek"): Promise<Person> {
  const response = await postJson(`${url}/api/session`, { name, password: "right" }, { origin: url });
  expect([response.status, await json(response)]).toEqual([200, { signedIn: true, name, canSignIn: true }]);
  const [cookie] = response.headers.getSetCookie();
  return { cookie: cookie!, headers: { cookie: cookie!.split(";")[0]!, origin: url } };
}

// ---------------------------------------------------------------- the session

test("who signs in gets a cookie that no script and no other site has, and sees whole numbers", async () => {
  const { url, port } = await open();
  const { cookie, headers } = await signIn(url);
  expect(cookie).toMatch(new RegExp(`^grindvakt-${port}=[\\w-]{43}; `));
  expect(cookie.split("; ").slice(1).sort()).toEqual([
    "HttpOnly",
    "Max-Age=43200",
    "Path=/",
    "SameSite=Strict",
  ]);
  expect(await (await fetch(`${url}/api/taps`, { headers })).text()).toContain(CARD);
  expect(await json(await fetch(`${url}/api/session`, { headers }))).toMatchObject({
    signedIn: true,
    name: "Alva Ek",
  });
  expect(
    await (
      await fetch(`${url}/api/taps`, { headers: { cookie: `grindvakt-${port}=${"A".repeat(43)}` } })
    ).text(),
  ).not.toContain(CARD);
});

test("a name is one line that can be written down, for people and for programs", async () => {
  const { url, noted } = await open();
  for (const name of ["two\nlines", "\u001b[2J", "x".repeat(101), "\u202eanna"]) {
    const answer = await postJson(`${url}/api/session`, { name, password: "right" }, { origin: url });
    expect([answer.status, (await json(answer)).error]).toEqual([
      422,
      "your name must be one line of at most 100 characters",
    ]);
    const authorization = `Basic ${Buffer.from(`${name}:right`).toString("base64")}`;
    const opening = { accessPoint: "north-in" };
    expect((await postJson(`${url}/api/openings`, opening, { authorization })).status).toBe(422);
  }
  expect(noted).toEqual([]);
});

test("a session ends when one signs out, and after twelve hours", async () => {
  const { url, clock } = await open();
  const seesWhole = async (headers: Record<string, string>) =>
    (await (await fetch(`${url}/api/taps`, { headers })).text()).includes(CARD);
  const [first, second] = [await signIn(url), await signIn(url)];
  const out = await fetch(`${url}/api/session`, { method: "DELETE", headers: first.headers });
  expect(await json(out)).toEqual({ signedIn: false, name: null, canSignIn: true });
  expect([await seesWhole(first.headers), await seesWhole(second.headers)]).toEqual([false, true]);
  await clock.advance(12 * 3_600_000);
  expect(await seesWhole(second.headers)).toBe(false);
});

test("a page that stays open after its session has ended is shown shortened numbers", async () => {
  const { url, clock, tapped } = await open();
  const { headers } = await signIn(url);
  const messages = readMessages(await fetch(`${url}/api/events`, { headers }));
  await messages.next();
  const view = {
    accessPoint: "north-in",
    reader: "north-in-1",
    time: "2026-11-22T06:58:12.345Z",
    monotonicMs: 0,
  };
  const tap = () =>
    tapped({ ...view, decision: { granted: true, reason: "granted", card: CARD, passbackViolated: false } });
  tap();
  await clock.advance(50);
  expect((await messages.next()).value?.data.card).toBe(CARD);
  await fetch(`${url}/api/session`, { method: "DELETE", headers });
  tap();
  await clock.advance(50);
  expect((await messages.next()).value?.data.card).toBe(MASKED);
});

test("with more sessions than anybody needs, the oldest ends", async () => {
  const { url } = await open();
  const first = await signIn(url);
  for (let count = 0; count < 64; count += 1) await signIn(url, `person ${count}`);
  expect((await json(await fetch(`${url}/api/session`, { headers: first.headers }))).signedIn).toBe(false);
});

test("a request with a session that changes something says where it comes from, and that is here", async () => {
  const { url, changes } = await open();
  const { headers } = await signIn(url);
  const block = { card: CARD, do: "block" };
  const { cookie } = headers as { cookie: string };
  const silent = await postJson(`${url}/api/site-blocks`, block, { cookie });
  expect([silent.status, (await json(silent)).error]).toEqual([
    403,
    "a request with a session must say its origin",
  ]);
  const forged = await postJson(`${url}/api/site-blocks`, block, { cookie, origin: "https://evil.example" });
  expect(forged.status).toBe(403);
  expect(changes).toEqual([]);
  expect((await postJson(`${url}/api/site-blocks`, block, headers)).status).toBe(200);
});

test("a wrong password opens no session, and ten of them close the door for a minute, also to the right one", async () => {
  const { url, clock } = await open();
  const ask = (password: string) => postJson(`${url}/api/session`, { name: "Alva", password });
  for (let count = 0; count < 10; count += 1) {
    const wrong = await ask(`wrong ${count}`);
    expect([wrong.status, wrong.headers.getSetCookie()]).toEqual([403, []]);
  }
  expect((await ask("right")).status).toBe(429);
  await clock.advance(60_000);
  expect((await ask("right")).status).toBe(200);
});

test("many different guesses at once are taken one after the other, and no more than a few", async () => {
  const { url } = await open();
  const guesses = Array.from({ length: 60 }, (_, index) =>
    postJson(`${url}/api/session`, { name: "Alva", password: `guess ${index}` }),
  );
  const statuses = (await Promise.all(guesses)).map(({ status }) => status);
  const count = (status: number) => statuses.filter((other) => other === status).length;
  expect(count(403)).toBe(10);
  expect(count(403) + count(429) + count(503)).toBe(60);
});

test("a console without a password says that nobody can sign in", async () => {
  const { url } = await open({ password: null });
  expect(await json(await fetch(`${url}/api/session`))).toEqual({
    signedIn: false,
    name: null,
    canSignIn: false,
  });
  const response = await postJson(`${url}/api/session`, { name: "Alva", password: "any" });
  expect(response.status).toBe(422);
});

test("off loopback a browser is shown where to sign in, and nothing of the gate", async () => {
  const { port } = await open({ host: "0.0.0.0" });
  const url = `http://127.0.0.1:${port}`;
  const page = await fetch(url, { headers: { accept: "text/html,application/xhtml+xml" } });
  const html = await page.text();
  expect([page.status, page.headers.get("www-authenticate")]).toEqual([401, 'Session realm="Grindvakt"']);
  expect(html).toContain('name="password"');
  for (const word of ["gate-07", "slussen", "north-in", "0.1.0"]) expect(html).not.toContain(word);
  expect(html).not.toMatch(/(?:src|href)=/);
  expect(page.headers.get("content-security-policy")).toMatch(
    /^default-src 'none'; style-src 'sha256-\S{44}'; script-src 'sha256-\S{44}'; connect-src 'self'; /,
  );
  // Our own page must not make the browser ask by itself.
  for (const accept of ["application/json", "text/event-stream"]) {
    const refused = await fetch(`${url}/api/events`, { headers: { accept } });
    expect([refused.status, refused.headers.get("www-authenticate")]).toEqual([
      401,
      'Session realm="Grindvakt"',
    ]);
  }
  const { headers } = await signIn(url);
  expect(await (await fetch(url, { headers: { ...headers, accept: "text/html" } })).text()).toContain(
    "/page/main.js",
  );
});

test("identify ends with the session that asked for it", async () => {
  const { url, identifying } = await open();
  const { headers } = await signIn(url);
  const messages = readMessages(await fetch(`${url}/api/identify/north-in-1`, { headers }));
  await fetch(`${url}/api/session`, { method: "DELETE", headers });
  for (const tell of identifying) tell(IDENTIFIED);
  const told = await messages.next().catch(() => null);
  expect(JSON.stringify(told?.value ?? null)).toBe("null");
  await expect.poll(() => identifying.size).toBe(0);
});

// ---------------------------------------------------------------- what is then done

test("a look-up by somebody signed in is journaled before it is answered, and bounded", async () => {
  const { url, noted, clock } = await open();
  const { headers } = await signIn(url);
  expect(await json(await fetch(`${url}/api/cards/${CARD}`, { headers }))).toMatchObject({ card: CARD });
  const who = { by: "console", name: "Alva Ek", address: "127.0.0.1" };
  expect(noted).toEqual([{ event: "card-looked-up", card: CARD, who }]);
  const more = await Promise.all(
    Array.from({ length: 70 }, () => fetch(`${url}/api/cards/${CARD}`, { headers })),
  );
  expect(more.filter(({ status }) => status === 200)).toHaveLength(59);
  expect(more.filter(({ status }) => status === 429)).toHaveLength(11);
  expect(noted).toHaveLength(60);
  await clock.advance(60_000);
  expect((await fetch(`${url}/api/cards/${CARD}`, { headers })).status).toBe(200);
});

test("somebody nobody knows asks for a card by its tap, and is not told its number", async () => {
  const { url, noted } = await open();
  expect(await json(await fetch(`${url}/api/cards/tap:98`))).toMatchObject({
    card: MASKED,
    status: "active",
  });
  const story = await (await fetch(`${url}/api/cards/tap:98/story`)).text();
  expect(story).toContain(MASKED);
  expect(story).not.toContain(CARD);
  expect((await fetch(`${url}/api/cards/tap:99`)).status).toBe(404);
  expect((await fetch(`${url}/api/cards/tap:0`)).status).toBe(200);
  expect(noted).toEqual([]);
});

test("digits that are not shown cannot be tried out", async () => {
  const { url } = await open();
  expect((await fetch(`${url}/api/taps?card=567890`)).status).toBe(200);
  expect((await fetch(`${url}/api/taps?card=4567890`)).status).toBe(403);
  expect((await fetch(`${url}/api/taps?card=4567890`, { headers: basic("right") })).status).toBe(200);
});

test("the site's own list is changed and read by somebody signed in only, under their name", async () => {
  const { url, changes } = await open();
  const block = { card: "bb 1234 567890", do: "block", until: "2026-12-24", why: "lost" };
  expect((await postJson(`${url}/api/site-blocks`, block)).status).toBe(403);
  expect((await fetch(`${url}/api/site-blocks`)).status).toBe(403);
  const { headers } = await signIn(url);
  const done = await postJson(`${url}/api/site-blocks`, block, headers);
  const change = { event: "site-blocked", card: CARD, until: "2026-12-24", why: "lost" };
  const who = { by: "console", name: "Alva Ek" };
  expect([done.status, await json(done)]).toMatchObject([200, { change: { ...change, who } }]);
  expect(changes).toMatchObject([{ ...change, who }]);
  const list = await json(await fetch(`${url}/api/site-blocks`, { headers }));
  expect(list).toMatchObject({ changes: [change], count: 1 });
  for (const [body, status] of [
    [{ ...block, do: "toString" }, 400],
    [{ ...block, card: "no card" }, 422],
    [{ ...block, until: "1999-01-01" }, 422],
    [{ ...block, why: "" }, 400],
    [{ ...block, who: "somebody else" }, 400],
  ] as const)
    expect((await postJson(`${url}/api/site-blocks`, body, headers)).status).toBe(status);
  expect(changes).toHaveLength(1);
});

test("a gate is opened by somebody signed in only, under their name, in words of one line, and so often", async () => {
  const { url, noted } = await open();
  const body = { accessPoint: "north-in", why: "delivery" };
  expect((await postJson(`${url}/api/openings`, body)).status).toBe(403);
  const { headers } = await signIn(url);
  const opened = await postJson(`${url}/api/openings`, body, headers);
  expect([opened.status, await json(opened)]).toEqual([202, { pulse: "started" }]);
  const who = { by: "console", name: "Alva Ek" };
  expect(noted).toEqual([{ event: "command", ...body, who }]);
  for (const [wrong, status] of [
    [{ accessPoint: "nowhere" }, 422],
    [{ ...body, why: "two\nlines" }, 422],
    [{ ...body, why: "x".repeat(201) }, 422],
    [{ ...body, pulseMs: "10000" }, 400],
    [{ ...body, why: "no disk" }, 503],
  ] as const)
    expect((await postJson(`${url}/api/openings`, wrong, headers)).status).toBe(status);
  const more = await Promise.all(
    Array.from({ length: 60 }, () => postJson(`${url}/api/openings`, body, headers)),
  );
  expect(more.filter(({ status }) => status === 202)).toHaveLength(57);
  expect(more.filter(({ status }) => status === 429)).toHaveLength(3);
});

test("somebody signed in says by hand that a card came or went, under their name, and so often", async () => {
  const { url, noted } = await open();
  const body = { card: "bb 1234 567890", do: "leave", why: "forgot to tap out" };
  expect((await postJson(`${url}/api/presence`, body)).status).toBe(403);
  const { headers } = await signIn(url);
  const said = await postJson(`${url}/api/presence`, body, headers);
  const word = { event: "left", card: CARD, why: body.why, who: { by: "console", name: "Alva Ek" } };
  expect([said.status, await json(said)]).toMatchObject([200, { word: { ...word, isDurable: true } }]);
  expect(noted).toEqual([{ ...word, accessPoint: null, when: null }]);
  for (const [wrong, status, words] of [
    [{ ...body, do: "constructor" }, 400, "do is one of enter, leave"],
    [{ ...body, card: "no card" }, 422, "this is no card number like BB-1234-567890"],
    [{ ...body, accessPoint: "nowhere" }, 422, "there is no access point nowhere"],
    [{ ...body, who: "somebody else" }, 400, expect.stringMatching(/^send/)],
    [{ card: CARD, do: "enter" }, 400, expect.stringMatching(/^send/)],
  ] as const) {
    const answer = await postJson(`${url}/api/presence`, wrong, headers);
    expect([answer.status, (await json(answer)).error]).toEqual([status, words]);
  }
  const more = await Promise.all(
    Array.from({ length: 60 }, () => postJson(`${url}/api/presence`, body, headers)),
  );
  expect(more.filter(({ status }) => status === 200)).toHaveLength(58);
  expect(more.filter(({ status }) => status === 429)).toHaveLength(2);
});

test("a roll call of thousands is whole, and is handed out a slice a turn of the loop", async () => {
  const person = { since: "2026-11-22T06:58:12.345Z", sinceTrusted: true, accessPoint: "in", overdue: false };
  const people = Array.from({ length: 5_000 }, (_, index) => {
    return { ...person, card: `BB-1234-${String(index).padStart(6, "0")}`, byHand: null };
  });
  const rollCall = { at: person.since, atTrusted: true, onSite: 5_000, overdue: 0, complete: true, people };
  const { url, clock } = await open({}, { rollCall: async () => rollCall });
  const response = await fetch(`${url}/api/presence`, { headers: basic("right") });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("BB-1234-000199")) text += (await reader.read()).value;
  // Time stands still: without another turn of the loop, no next slice.
  expect(text.endsWith("}")).toBe(true);
  expect(text).not.toContain("BB-1234-000200");
  for (;;) {
    await clock.advance(0);
    const { value, done } = await reader.read();
    if (done) break;
    text += value;
  }
  expect(JSON.parse(text)).toEqual(rollCall);
});

test("identify is for somebody signed in, tells a chip by its ends, and stops with the page", async () => {
  const { url, identifying } = await open();
  expect((await fetch(`${url}/api/identify/north-in-1`)).status).toBe(403);
  const { headers } = await signIn(url);
  const leaving = new AbortController();
  const response = await fetch(`${url}/api/identify/north-in-1`, { headers, signal: leaving.signal });
  const messages = readMessages(response);
  for (const tell of identifying) tell(IDENTIFIED);
  const told = (await messages.next()).value?.data as { ways: { shows: string }[] };
  expect(told.ways.map(({ shows }) => shows)).toEqual([
    "uid:04…F6 (7 bytes)",
    "uid:A1…D4 (4 bytes), the last bytes",
  ]);
  leaving.abort();
  await expect.poll(() => identifying.size).toBe(0);
});
