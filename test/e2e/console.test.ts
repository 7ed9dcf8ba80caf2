/** What the console answers, as it happens too, and how it opens and closes. */
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { get } from "node:https";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import type { TapPage } from "../../daemon/answers/recent-taps.ts";
import { createConsole } from "../../daemon/console/console.ts";
import { systemRandom } from "../../drivers/system.ts";
import { makeAuthority } from "../peers/certificates.ts";
import { SimClock } from "../sim/clock.ts";
import {
  basic,
  CARD,
  json,
  MASKED,
  makeRooms,
  open,
  openHouse,
  pageOnDisk,
  postJson,
  readMessages,
  recordingLog,
  TOKEN,
  tapView,
  wellStatus,
} from "./console-house.ts";

/** For what takes a moment on a busy machine. */
const WAIT_MS_MAX = 10_000;

// ---------------------------------------------------------------- what it answers

test("healthz says ok, or what ails the gateway", async () => {
  let status = wellStatus();
  const { url } = await open({}, { status: () => status });
  const well = await fetch(`${url}/healthz`);
  expect([well.status, await json(well)]).toEqual([200, { status: "ok" }]);

  status = { ...status, list: { ...status.list, revision: null } };
  const ailing = await fetch(`${url}/healthz`);
  expect(ailing.status).toBe(503);
  expect(await json(ailing)).toEqual({ status: "ailing", error: "no verified card list is in force" });
});

test("taps come newest first, in pages that join without gap or overlap", async () => {
  const { url } = await open();
  const seen: unknown[] = [];
  let next: unknown = null;
  let pages = 0;
  do {
    pages += 1;
    const page = await json(await fetch(`${url}/api/taps?limit=30${next === null ? "" : `&before=${next}`}`));
    seen.push(...(page.taps as { data: { seq: number } }[]).map(({ data }) => data.seq));
    next = page.next;
  } while (next !== null);
  expect(pages).toBe(4);
  expect(seen).toEqual(Array.from({ length: 100 }, (_, index) => 100 - index));
  // As docs/openapi.yaml has it where nobody says how many.
  expect((await json(await fetch(`${url}/api/taps`))).taps).toHaveLength(50);
});

test.each([
  "limit=0",
  "limit=501",
  "limit=-1",
  "limit=1e2",
  "limit=",
  "before=0",
  "before=x",
  "before=99999999999999999",
])("%s is refused", async (query) => {
  const { url } = await open();
  const response = await fetch(`${url}/api/taps?${query}`);
  expect(response.status).toBe(400);
  expect((await json(response)).error).toMatch(/is a whole number from 1 to/);
});

test("the newest taps are read once for all pages until something is written down, and shown to each as it may see them", async () => {
  const status = wellStatus();
  let reads = 0;
  const made = makeRooms().rooms;
  const taps = (limit: number, before: number | null): Promise<TapPage> => {
    reads += 1;
    return made.taps(limit, before);
  };
  const { url } = await open({ password: "a long password" }, { taps, status: () => status });
  const ask = async (headers = {}): Promise<string> => (await fetch(`${url}/api/taps`, { headers })).text();
  const [first, ...others] = await Promise.all(Array.from({ length: 50 }, () => ask()));
  expect(reads).toBe(1);
  expect(new Set(others)).toEqual(new Set([first]));
  const whole = await ask(basic("a long password"));
  expect([first?.includes(CARD), whole.includes(CARD), await ask()]).toEqual([false, true, first]);
  const before = reads;
  await ask();
  expect(reads).toBe(before);
  status.journal = { ...status.journal, headSeq: status.journal.headSeq + 1 };
  await ask();
  expect(reads).toBe(before + 1);
});

test("the journal is read for one page at a time, and many more are told to come back", async () => {
  let reading = 0;
  let readingMax = 0;
  let release = (): void => {};
  const gate = new Promise<void>((done) => {
    release = done;
  });
  const taps = async (): Promise<TapPage> => {
    reading += 1;
    readingMax = Math.max(readingMax, reading);
    await gate;
    reading -= 1;
    return { taps: [], next: null };
  };
  const { url } = await open({}, { taps });
  const asked = Array.from({ length: 40 }, (_, index) => fetch(`${url}/api/taps?before=${index + 1}`));
  let answered = 0;
  for (const request of asked) request.then(() => (answered += 1));
  // Those that are refused are answered while the first is still being read.
  await vi.waitFor(() => expect(answered).toBe(8), WAIT_MS_MAX);
  release();
  const statuses = (await Promise.all(asked)).map(({ status }) => status);
  expect(statuses.filter((status) => status === 200)).toHaveLength(32);
  expect(statuses.filter((status) => status === 503)).toHaveLength(8);
  expect(readingMax).toBe(1);
});

test("a virtual reader takes a test tap; another reader refuses it in words", async () => {
  const { url, presented } = await open();
  const taken = await postJson(`${url}/api/taps`, { reader: "office", credential: CARD });
  expect([taken.status, await json(taken)]).toEqual([202, { taken: true }]);
  expect(presented).toEqual([{ reader: "office", credential: CARD }]);

  const refused = await postJson(`${url}/api/taps`, { reader: "north-in-1", credential: CARD });
  expect([refused.status, await json(refused)]).toEqual([
    422,
    { error: "north-in-1 is no virtual reader", code: "no-test-tap" },
  ]);
});

test.each([
  ["no JSON", "{reader"],
  ["no object", "[]"],
  ["null", "null"],
  ["no credential", { reader: "office" }],
  ["a number", { reader: "office", credential: 7 }],
  ["an empty one", { reader: "office", credential: "" }],
  ["a long one", { reader: "office", credential: "B".repeat(129) }],
  ["one key more", { reader: "office", credential: CARD, granted: true }],
])("a body with %s is refused", async (_what, body) => {
  const { url, presented } = await open();
  const response = await postJson(`${url}/api/taps`, body);
  expect([response.status, await json(response)]).toEqual([
    400,
    { error: 'send {"reader": "…", "credential": "…"}' },
  ]);
  expect(presented).toEqual([]);
});

test("a look-up echoes the number that was asked, and does not tell the number behind a token", async () => {
  const { url } = await open();
  const byNumber = await json(await fetch(`${url}/api/cards/bb%201234%20567890`));
  expect(byNumber).toMatchObject({
    card: CARD,
    status: "active",
    granted: true,
    texts: { sv: "Välkommen." },
  });
  expect((await json(await fetch(`${url}/api/cards/${encodeURIComponent(TOKEN)}`))).card).toBe(MASKED);
  expect((await json(await fetch(`${url}/api/cards/BB-9999-999999`))).reason).toBe("unknown");
  expect((await fetch(`${url}/api/cards/${"9".repeat(129)}`)).status).toBe(400);
});

test("the page comes in the browser's language, and with all it needs from the gateway itself", async () => {
  const { url } = await open();
  const pageIn = async (language: string): Promise<string> => {
    const response = await fetch(url, { headers: { "accept-language": language } });
    expect(response.headers.get("content-type")).toMatch(/^text\/html/);
    return response.text();
  };
  expect(await pageIn("en-GB,en;q=0.9,sv;q=0.8")).toContain('<html lang="en">');
  expect(await pageIn("de, sv;q=0.5, en;q=0.4")).toContain('<html lang="sv">');
  expect(await pageIn("*")).toContain('<html lang="sv">');
  const page = await pageIn("sv");
  const linked = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path!);
  expect(linked.filter((path) => !path.startsWith("/"))).toEqual([]);
  let bytes = Buffer.byteLength(page);
  for (const path of linked.filter((path) => path.startsWith("/page/"))) {
    const file = await fetch(url + path);
    expect([path, file.status]).toEqual([path, 200]);
    const text = await file.text();
    expect(text).not.toMatch(/https?:\/\/(?!www\.w3\.org)/);
    bytes += Buffer.byteLength(text);
  }
  // What a telephone at a bad network has to fetch.
  expect(bytes).toBeLessThan(150_000);
});

test("every module of the page is loaded with it, not one after the other", async () => {
  const { files } = await pageOnDisk();
  const index = files.get("index.html")!.text;
  const modules = [...files.keys()].filter((name) => name.endsWith(".js"));
  expect(modules.filter((name) => !index.includes(`/page/${name}"`))).toEqual([]);
});

test("a file of the page is sent again only when it is another", async () => {
  const { url } = await open();
  const first = await fetch(`${url}/page/style.css`);
  const tag = first.headers.get("etag")!;
  expect(first.headers.get("cache-control")).toBe("no-cache");
  const again = await fetch(`${url}/page/style.css`, { headers: { "if-none-match": tag } });
  expect([again.status, await again.text()]).toEqual([304, ""]);
  for (const path of ["/page/none.js", "/page/..%2fpage.ts", "/page/%2e%2e%2f%2e%2e%2fmain.ts"])
    expect([path, (await fetch(url + path)).status]).toEqual([path, 404]);
});

test("what is not there is 404, a wrong method 405, a fault of ours 500 without its inside", async () => {
  const { url, logged, loggedFields } = await open(
    {},
    {
      status: () => {
        throw new Error(`inner words of ${CARD}`);
      },
    },
  );
  const missing = await fetch(`${url}/api/nothing`);
  expect([missing.status, await json(missing)]).toEqual([404, { error: "there is nothing here" }]);
  const wrong = await fetch(`${url}/api/taps`, { method: "DELETE" });
  expect([wrong.status, wrong.headers.get("allow")]).toEqual([405, "GET, HEAD, POST"]);
  expect((await json(wrong)).error).toBe("only GET, HEAD, POST here");
  const failed = await fetch(`${url}/api/status`);
  expect(failed.status).toBe(500);
  expect(await failed.text()).not.toContain("inner words");
  expect(logged).toEqual(["error the console failed to answer"]);
  expect(loggedFields).toEqual([{ why: `inner words of ${MASKED}` }]);
});

test("every answer carries the security headers, refusals too", async () => {
  const { url } = await open();
  for (const path of ["/", "/api/status", "/api/session", "/api/nothing", "/api/taps?limit=0"]) {
    const { headers } = await fetch(url + path);
    expect(headers.get("content-security-policy")).toBe(
      "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    );
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("referrer-policy")).toBe("no-referrer");
    expect(headers.get("cache-control")).toBe("no-store");
  }
});

// ---------------------------------------------------------------- as it happens

test("events: the status at once and at every beat, each tap with its words", async () => {
  const { url, clock, tapped } = await open();
  const response = await fetch(`${url}/api/events`);
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  const messages = readMessages(response);
  expect((await messages.next()).value).toMatchObject({ event: "status", data: { gateway: "gate-07" } });

  tapped(tapView());
  tapped(tapView(null));
  await clock.advance(50);
  expect((await messages.next()).value).toMatchObject({
    event: "tap",
    data: {
      accessPoint: "north-in",
      card: MASKED,
      reason: "granted",
      texts: { sv: "Välkommen.", en: "Welcome." },
    },
  });
  expect((await messages.next()).value).toMatchObject({ event: "tap", data: { card: null } });

  await clock.advance(10_000);
  const beat = (await messages.next()).value;
  expect(beat?.event).toBe("status");
  expect(JSON.stringify(beat)).not.toContain(CARD);
});

test("taps beyond what a page can show are counted", async () => {
  const { url, clock, tapped } = await open();
  const messages = readMessages(await fetch(`${url}/api/events`));
  await messages.next();
  for (let tap = 0; tap < 300; tap += 1) tapped(tapView());
  await clock.advance(50);
  for (let tap = 0; tap < 256; tap += 1) expect((await messages.next()).value?.event).toBe("tap");
  expect((await messages.next()).value).toEqual({ event: "missed", data: { count: 44 } });
});

test("at most 32 pages are open at once; one that leaves makes room, and HEAD takes none", async () => {
  const { url } = await open();
  const leaving = new AbortController();
  const streams = await Promise.all(
    Array.from({ length: 32 }, (_, index) =>
      fetch(`${url}/api/events`, index === 0 ? { signal: leaving.signal } : {}),
    ),
  );
  expect(streams.map(({ status }) => status)).toEqual(Array(32).fill(200));
  const refused = await fetch(`${url}/api/events`);
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "1"]);

  leaving.abort();
  await vi.waitFor(
    async () => expect((await fetch(`${url}/api/events`, { method: "HEAD" })).status).toBe(200),
    WAIT_MS_MAX,
  );
  await vi.waitFor(async () => {
    const again = await fetch(`${url}/api/events`);
    if (again.status !== 200) await again.text();
    expect(again.status).toBe(200);
  }, WAIT_MS_MAX);
});

test("a page that does not take what it is sent is cut off, and no other page notices", async () => {
  const { port, url, clock, tapped } = await open();
  const stuck = connect(port, "127.0.0.1");
  stuck.pause();
  stuck.on("error", () => {});
  stuck.write(`GET /api/events HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
  const live = readMessages(await fetch(`${url}/api/events`));
  const tap = { ...tapView(), reader: "x".repeat(200) };
  // About 30 MB, more than the buffers of any kernel hold.
  for (let round = 0; round < 300; round += 1) {
    for (let count = 0; count < 256; count += 1) tapped(tap);
    await clock.advance(50);
    for (let seen = 0; seen < 256; ) if ((await live.next()).value?.event === "tap") seen += 1;
  }
  // Were it not cut off, it would stay open for ever.
  stuck.resume();
  await once(stuck, "close");
});

// ---------------------------------------------------------------- opening and closing

test("a taken port is said in words, with the code for a program", async () => {
  const { port } = await open();
  await expect(openHouse({ port })).rejects.toMatchObject({
    code: "EADDRINUSE",
    message: `console.listen: port ${port} on 127.0.0.1 is taken by another program; choose a free one`,
  });
});

test("an address that is not this machine's is said in words", async () => {
  await expect(openHouse({ host: "203.0.113.7", password: "right" })).rejects.toThrow(
    "console.listen: this machine has no address 203.0.113.7",
  );
});

test.each([null, ""])("off loopback it does not open with the password %j", async (password) => {
  await expect(openHouse({ host: "0.0.0.0", password })).rejects.toThrow(
    /nothing is served without console\.password/,
  );
});

test("after a failed start it may be tried again, and stop is safe at any time", async () => {
  const holder = createServer().listen(0, "127.0.0.1");
  await once(holder, "listening");
  const { port } = holder.address() as { port: number };
  const world = { clock: new SimClock(), log: recordingLog([]), random: systemRandom };
  const settings = { host: "127.0.0.1", port, password: null, tls: null };
  const console = createConsole(settings, world, await pageOnDisk(), makeRooms().rooms);
  await console.stop();
  await expect(console.start()).rejects.toThrow("is taken");
  await console.stop();
  holder.close();
  await once(holder, "close");
  const { url } = await console.start();
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  await Promise.all([console.stop(), console.stop()]);
  await expect(fetch(`${url}/healthz`)).rejects.toThrow();
});

test("over TLS where configured; a certificate that cannot be used is said in words", async () => {
  const dir = await mkdtemp(join(tmpdir(), "console-"));
  try {
    const { certFile, keyFile } = await (await makeAuthority(dir)).issue("gate");
    const tls = { cert: await readFile(certFile, "utf8"), key: await readFile(keyFile, "utf8") };
    const { url, port, logged } = await open({ host: "0.0.0.0", password: "right", tls });
    expect(url).toBe(`https://0.0.0.0:${port}`);
    expect(logged).toEqual([]);
    const ask = (headers: Record<string, string>): Promise<IncomingMessage> =>
      new Promise((done, fail) => {
        const options = { host: "127.0.0.1", port, path: "/healthz", headers, rejectUnauthorized: false };
        get(options, done).on("error", fail);
      });
    expect((await ask({})).statusCode).toBe(401);
    expect((await ask({ ...basic("right"), origin: `https://127.0.0.1:${port}` })).statusCode).toBe(200);
    await expect(openHouse({ tls: { cert: "none", key: tls.key } })).rejects.toThrow(
      /^console\.tls: the certificate/,
    );
  } finally {
    await rm(dir, { recursive: true });
  }
});

test("the process's own Request and Response stay what they are", async () => {
  const { Request, Response } = globalThis;
  await open();
  expect(globalThis.Request).toBe(Request);
  expect(globalThis.Response).toBe(Response);
});

test("it listens on IPv6 loopback, or says that the machine has none", async () => {
  const house = await open({ host: "::1" }).catch((error: Error) => error.message);
  if (typeof house === "string") {
    expect(house).toBe("console.listen: this machine has no address ::1");
    return;
  }
  const { url, port } = house;
  expect(url).toBe(`http://[::1]:${port}`);
  expect((await fetch(`${url}/healthz`, { headers: { origin: url } })).status).toBe(200);
});

test("stop ends the open streams and leaves no timer", async () => {
  const { url, clock, tapped, stop } = await open();
  const messages = readMessages(await fetch(`${url}/api/events`));
  await messages.next();
  tapped(tapView());
  await stop();
  await expect(messages.next()).rejects.toThrow();
  await clock.runUntilIdle();
});
