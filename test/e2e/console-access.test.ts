/** Who may ask the console, and who sees whole card numbers. */
import { once } from "node:events";
import { connect } from "node:net";
import { expect, test } from "vitest";
import type { Status } from "../../daemon/report/status.ts";
import { basic, CARD, json, MASKED, open, postJson, rawRequest, TOKEN, wellStatus } from "./console-house.ts";

test("on loopback Host must be a loopback name with our port", async () => {
  const { port } = await open();
  const statusOf = async (host: string): Promise<number> => (await rawRequest(port, { host })).status;
  for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`, `127.9.9.9:${port}`]) {
    expect([host, await statusOf(host)]).toEqual([host, 200]);
  }
  for (const host of [
    `evil.example:${port}`,
    `127.0.0.1.evil.example:${port}`,
    `localhost.evil.example:${port}`,
    "127.0.0.1:1",
    "localhost",
    `0.0.0.0:${port}`,
  ]) {
    expect([host, await statusOf(host)]).toEqual([host, 403]);
  }
  expect(await statusOf("")).toBe(400);
});

test("a page from elsewhere cannot ask nor tap", async () => {
  const { url, port, presented } = await open();
  const tap = { reader: "office", credential: CARD };
  for (const origin of [
    "https://evil.example",
    "null",
    `http://localhost:${port}`,
    "http://127.0.0.1",
    "x",
  ]) {
    const response = await postJson(`${url}/api/taps`, tap, { origin });
    expect([origin, response.status]).toEqual([origin, 403]);
    expect((await fetch(`${url}/api/status`, { headers: { origin } })).status).toBe(403);
  }
  expect(presented).toEqual([]);
  expect((await postJson(`${url}/api/taps`, tap, { origin: url })).status).toBe(202);
});

test.each([
  "text/plain",
  "application/x-www-form-urlencoded",
  "multipart/form-data; boundary=x",
  "text/json",
])("a body of type %s is refused", async (type) => {
  const { url, presented } = await open();
  const tap = { reader: "office", credential: CARD };
  expect((await postJson(`${url}/api/taps`, tap, { "content-type": type })).status).toBe(415);
  expect(presented).toEqual([]);
});

test("a body over 4 KiB, or one of unsaid length, is refused", async () => {
  const { url } = await open();
  const large = { reader: "office", credential: "B".repeat(4_096) };
  expect((await postJson(`${url}/api/taps`, large)).status).toBe(413);
  const body = new Blob(["{}"]).stream();
  const headers = { "content-type": "application/json" };
  const chunked = await fetch(`${url}/api/taps`, { method: "POST", body, headers, duplex: "half" });
  expect([chunked.status, await json(chunked)]).toEqual([411, { error: "say the body's length" }]);
});

test("off loopback nothing is served without the password", async () => {
  const { port, logged } = await open({ host: "0.0.0.0", password: "hård grind" });
  const url = `http://127.0.0.1:${port}`;
  for (const path of ["/", "/healthz", "/api/status", "/api/taps", "/api/events", "/api/nothing"]) {
    const response = await fetch(url + path);
    expect([path, response.status]).toEqual([path, 401]);
    expect(response.headers.get("www-authenticate")).toMatch(/^Basic/);
    expect(await json(response)).toEqual({ error: "the console's password is required" });
  }
  expect((await postJson(`${url}/api/taps`, { reader: "office", credential: CARD })).status).toBe(401);
  expect((await fetch(`${url}/api/status`, { headers: basic("hård grind!") })).status).toBe(401);

  const headers = basic("hård grind");
  expect((await fetch(`${url}/healthz`, { headers })).status).toBe(200);
  const taps = await json(await fetch(`${url}/api/taps?limit=1`, { headers }));
  expect(JSON.stringify(taps)).toContain(CARD);
  expect(logged[0]).toBe(
    "warn the console's password crosses the network in clear; console.tls would protect it",
  );
});

test("ten wrong passwords from one address close the console to it for a minute", async () => {
  const { port, clock, logged } = await open({ host: "0.0.0.0", password: "right" });
  const ask = (password: string): Promise<Response> =>
    fetch(`http://127.0.0.1:${port}/healthz`, { headers: basic(password) });
  const wrong = await Promise.all(Array.from({ length: 30 }, () => ask("wrong")));
  const statuses = wrong.map(({ status }) => status);
  expect(statuses.filter((status) => status === 401)).toHaveLength(10);
  expect(statuses.filter((status) => status === 429)).toHaveLength(20);
  expect((await ask("right")).status).toBe(429);
  // Said once, whatever somebody tries.
  expect(logged.filter((line) => line === "warn wrong password at the console")).toHaveLength(1);

  await clock.advance(60_000);
  expect((await ask("right")).status).toBe(200);
});

test("who asks without end before hearing an answer is cut off, and not one request more is worked on", async () => {
  let asked = 0;
  const status = (): Status => {
    asked += 1;
    return wellStatus();
  };
  const { url, port } = await open({}, { status });
  const ask = `GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`;
  const socket = connect(port, "127.0.0.1", () => socket.write(ask.repeat(500)));
  socket.on("error", () => undefined);
  socket.resume();
  await once(socket, "close");
  expect(asked).toBeLessThanOrEqual(4);
  // One after the other, as many as one likes.
  for (let count = 0; count < 20; count += 1) expect((await fetch(`${url}/healthz`)).status).toBe(200);
});

test("on loopback nobody needs the password, and who gives it sees whole numbers", async () => {
  const { url } = await open({ password: "right" });
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  expect(await (await fetch(`${url}/api/taps`)).text()).not.toContain(CARD);
  const headers = basic("right");
  expect(await (await fetch(`${url}/api/taps`, { headers })).text()).toContain(CARD);
  const byToken = await fetch(`${url}/api/cards/${encodeURIComponent(TOKEN)}`, { headers });
  expect((await json(byToken)).card).toBe(CARD);
  expect((await fetch(`${url}/api/taps`, { headers: basic("wrong") })).status).toBe(401);
});

test("no answer to somebody who has not signed in holds a whole card number", async () => {
  const { url } = await open({ password: "right" });
  for (const path of [
    "/api/status",
    "/api/taps?limit=500",
    "/api/taps?reason=granted",
    `/api/cards/${CARD}/story`,
  ]) {
    const text = await (await fetch(url + path)).text();
    expect(text).toContain(MASKED);
    expect(text).not.toContain(CARD);
    // The hash of a line of which only four digits are not known tells them.
    expect(text).not.toContain('"chain"');
  }
  const headers = basic("right");
  expect(await (await fetch(`${url}/api/taps`, { headers })).text()).toContain('"chain"');
});

test("nobody tries out the digits that are not shown", async () => {
  const { url, clock } = await open({ password: "right" });
  const statusesOf = async (path: (guess: string) => string, headers = {}) => {
    const guesses = Array.from({ length: 40 }, (_, index) => `BB-${1200 + index}-567890`);
    const answers = await Promise.all(guesses.map((guess) => fetch(url + path(guess), { headers })));
    return new Set(answers.map(({ status }) => status));
  };
  for (const end of ["", "/story"]) {
    await clock.advance(60_000);
    expect(await statusesOf((guess) => `/api/cards/${guess}${end}`)).toContain(429);
    // What a tap is asked about guesses nothing, and who has signed in sees it all.
    expect(await statusesOf(() => `/api/cards/tap:98${end}`)).not.toContain(429);
    expect(await statusesOf((guess) => `/api/cards/${guess}${end}`, basic("right"))).not.toContain(429);
  }
});
