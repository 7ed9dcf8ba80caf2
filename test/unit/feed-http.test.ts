/** The feed over real sockets: what servers answer, and what the gateway makes of it. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createHttpSource, type HttpFeedOptions } from "../../drivers/feed-http.ts";
import { createFeedSource } from "../../drivers/feed-source.ts";
import { createFeed } from "../../sync/feed.ts";
import { makeAuthority } from "../peers/certificates.ts";
import { type Answer, serveWeb, type Web } from "../peers/web.ts";
import { HurriedClock, until } from "./broker-watch.ts";
import { collect, silentLog, Workshop } from "./feed-workshop.ts";

let folder: string;
let web: Web;
const stops: (() => Promise<unknown>)[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "grindvakt-web-"));
  await writeFile(join(folder, "timestamp.json"), "now");
  await writeFile(join(folder, "big"), Buffer.alloc(300_000, 7));
});
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
  await rm(folder, { recursive: true, force: true });
});

async function serve(options: Parameters<typeof serveWeb>[1] = {}): Promise<Web> {
  web = await serveWeb(folder, options);
  stops.push(web.stop);
  return web;
}

/** The text of a file, or what came instead. */
async function get(url: string, path = "timestamp.json", options: HttpFeedOptions = {}): Promise<string> {
  const reply = await createHttpSource(url, options).fetch(path);
  if (reply.kind === "found") return (await collect(reply.body)).toString();
  return reply.kind === "missing" ? "missing" : reply.why;
}

const always =
  (status: number, headers: Record<string, string> = {}): Answer =>
  (_, response) => {
    response.writeHead(status, headers).end("a page that nobody reads");
    return true;
  };

describe("answers", () => {
  it("gives files, below the address with or without its slash", async () => {
    await serve();
    expect(await get(web.url)).toBe("now");
    expect(await get(web.url.slice(0, -1))).toBe("now");
    expect(await get(web.url, "big")).toHaveLength(300_000);
    expect(web.asked).toEqual(["/timestamp.json", "/timestamp.json", "/big"]);
  });

  it("keeps its connection from file to file", async () => {
    await serve();
    const source = createHttpSource(web.url);
    for (let file = 0; file < 5; file++) {
      const reply = await source.fetch("timestamp.json");
      if (reply.kind === "found") await collect(reply.body);
    }
    expect(web.connections()).toBe(1);
  });

  it("keeps its connection when a file is not there, but not for the sake of a page without end", async () => {
    await serve();
    const source = createHttpSource(web.url);
    for (let file = 0; file < 5; file++)
      expect(await source.fetch("2.root.json")).toEqual({ kind: "missing" });
    expect(web.connections()).toBe(1);
    await serve({
      answer: (_, response) => {
        response.writeHead(404);
        const page = Buffer.alloc(10_000);
        const more = () => void (response.destroyed || response.write(page, more));
        more();
        return true;
      },
    });
    expect(await get(web.url)).toBe("missing");
  });

  it.each([404, 410, 403])("takes %i for a file that is not there", async (status) => {
    await serve({ answer: always(status) });
    expect(await get(web.url)).toBe("missing");
  });

  it.each([
    [500, /the server answers 500/],
    [503, /the server answers 503/],
    [304, /the server answers 304/],
    [401, /username and password/],
  ])("is unreachable with a word for %i", async (status, word) => {
    await serve({ answer: always(status) });
    expect(await get(web.url)).toMatch(word);
  });

  it("takes gzip as it lies there, whatever the server calls it", async () => {
    await serve({
      answer: (request, response) => {
        expect(request.headers["accept-encoding"]).toBe("identity");
        response.writeHead(200, { "content-encoding": "gzip" }).end(Buffer.from([0x1f, 0x8b, 0]));
        return true;
      },
    });
    expect(await get(web.url)).toBe(Buffer.from([0x1f, 0x8b, 0]).toString());
  });

  it("a body that breaks off rejects", async () => {
    await serve({
      answer: (_, response) => {
        response.writeHead(200, { "content-length": "1000" });
        response.write("half", () => response.destroy());
        return true;
      },
    });
    await expect(get(web.url)).rejects.toThrow();
  });
});

describe("a server that asks for peace", () => {
  const DATE = "Sun, 22 Nov 2026 06:00:00 GMT";
  it.each([
    [429, { "retry-after": "30" }, 30_000],
    [503, { "retry-after": "Sun, 22 Nov 2026 06:02:00 GMT", date: DATE }, 120_000],
    [503, { "retry-after": "Sun, 22 Nov 2026 05:00:00 GMT", date: DATE }, undefined],
    [503, { "retry-after": "a while" }, undefined],
    [503, {}, undefined],
  ])("with %i and %o is heard", async (status, headers, retryAfterMs) => {
    await serve({ answer: always(status, headers) });
    const reply = await createHttpSource(web.url).fetch("timestamp.json");
    expect(reply.kind === "unreachable" ? reply.retryAfterMs : reply).toBe(retryAfterMs);
  });
});

describe("names and passwords", () => {
  const asksFor =
    (credentials: string): Answer =>
    (request, response) => {
      if (request.headers.authorization === `Basic ${Buffer.from(credentials).toString("base64")}`)
        return false;
      response.writeHead(401).end();
      return true;
    };

  it("are sent", async () => {
    await serve({ answer: asksFor("gate-07:hemligt åäö") });
    expect(await get(web.url, "timestamp.json", { username: "gate-07", password: "hemligt åäö" })).toBe(
      "now",
    );
    expect(await get(web.url, "timestamp.json", { username: "gate-07", password: "fel" })).toMatch(
      /username/,
    );
  });

  it("in the address are sent too, and never shown", async () => {
    await serve({ answer: asksFor("u:p") });
    const address = web.url.replace("http://", "http://u:p@");
    expect(await get(address)).toBe("now");
    expect(createHttpSource(address).name).toBe(web.url);
  });
});

describe("redirects", () => {
  it("are followed on the same host", async () => {
    await serve({
      answer: (request, response) => {
        if (request.url !== "/old/timestamp.json") return false;
        response.writeHead(301, { location: "/timestamp.json" }).end();
        return true;
      },
    });
    expect(await get(`${web.url}old/`)).toBe("now");
  });

  it("are not followed to another host, nor without end, nor to nowhere", async () => {
    await serve({ answer: always(302, { location: "http://elsewhere.example/timestamp.json" }) });
    expect(await get(web.url)).toMatch(/redirected elsewhere/);
    await serve({ answer: always(302, { location: "/timestamp.json" }) });
    expect(await get(web.url)).toMatch(/too often/);
    expect(web.asked).toHaveLength(4);
    await serve({ answer: always(302) });
    expect(await get(web.url)).toMatch(/redirected elsewhere/);
  });
});

describe("silence", () => {
  const limits = { connectMs: 5_000, idleMs: 50, replyMs: 10_000 };

  it("before the answer is unreachable", async () => {
    await serve({ answer: () => true });
    expect(await get(web.url, "timestamp.json", { limits })).toMatch(/silent for 0.05 s/);
  });

  it("within the answer rejects", async () => {
    await serve({
      answer: (_, response) => {
        response.writeHead(200).write("half");
        return true;
      },
    });
    await expect(get(web.url, "timestamp.json", { limits })).rejects.toThrow(/silent for 0.05 s/);
  });

  it("of a handshake is unreachable", async () => {
    const taken: Socket[] = [];
    const mute = createServer((socket) => taken.push(socket));
    await new Promise<void>((listening) => mute.listen(0, "127.0.0.1", listening));
    stops.push(async () => {
      for (const socket of taken) socket.destroy();
      await new Promise((closed) => mute.close(closed));
    });
    const { port } = mute.address() as AddressInfo;
    const slow = { connectMs: 50, idleMs: 10_000, replyMs: 10_000 };
    expect(await get(`https://127.0.0.1:${port}/`, "x", { limits: slow })).toMatch(
      /no connection within 0.05 s/,
    );
  });

  it("between headers that never end is unreachable, and hangs up", async () => {
    let ready: (port: number) => void = () => undefined;
    const port = new Promise<number>((listening) => {
      ready = listening;
    });
    const hungUp = new Promise<void>((done) => {
      const drip = createServer((socket) => {
        const beat = setInterval(() => socket.write("HTTP/1.1 100 Continue\r\n\r\n"), 5);
        socket
          .on("error", () => undefined)
          .on("close", () => {
            clearInterval(beat);
            done();
          });
      });
      drip.listen(0, "127.0.0.1", () => ready((drip.address() as AddressInfo).port));
      stops.push(() => new Promise((closed) => drip.close(closed)));
    });
    expect(
      await get(`http://127.0.0.1:${await port}/`, "x", {
        limits: { connectMs: 5_000, idleMs: 10_000, replyMs: 100 },
      }),
    ).toMatch(/no whole answer within 0.1 s/);
    await hungUp;
  });

  it("between bytes, each in time and the file never, is given up, and hung up on", async () => {
    const workshop = await Workshop.open();
    stops.push(() => workshop.close());
    const bytes = await workshop.read("timestamp.json");
    const server = await serveWeb(workshop.place.dir, {
      answer: (request, response) => {
        if (request.url !== "/timestamp.json") return false;
        let at = 0;
        const beat = setInterval(() => response.write(bytes.subarray(at, ++at)), 50);
        response.on("close", () => clearInterval(beat));
        return true;
      },
    });
    stops.push(server.stop);
    const rootPath = join(workshop.place.dir, "1.root.json");
    const world = { clock: new HurriedClock(10), files: workshop.files, log: silentLog };
    const feed = createFeed(
      { rootPath, metadataDir: join(folder, "metadata") },
      { ...world, source: createHttpSource(server.url) },
    );
    expect(await feed.refresh()).toEqual({
      kind: "unreachable",
      why: "timestamp.json: not done after 30 s",
    });
    await until(() => server.open() === 0, "it is hung up on");
  });

  it("of a port where nobody listens is told as that", async () => {
    await serve();
    await web.stop();
    stops.length = 0;
    expect(await get(web.url)).toMatch(/nothing listens there/);
  });
});

it("speaks TLS with the site's own authority and its own certificate, and with no other", async () => {
  const authority = await makeAuthority(folder);
  const server = await authority.issue("server");
  const gate = await authority.issue("gate");
  const read = async (file: string) => (await readFile(file)).toString();
  const ca = await read(authority.caFile);
  await serve({
    tls: {
      cert: await read(server.certFile),
      key: await read(server.keyFile),
      ca,
      requestCert: true,
      rejectUnauthorized: true,
    },
  });
  const own = { ca, cert: await read(gate.certFile), key: await read(gate.keyFile) };
  expect(await get(web.url, "timestamp.json", { tls: own })).toBe("now");
  expect(await get(web.url)).toMatch(/authority unknown here: see tls.ca/);
  expect(await get(web.url, "timestamp.json", { tls: { ca } })).not.toBe("now");
});

describe("where a feed is", () => {
  it("is an address or a directory", async () => {
    await serve();
    expect(createFeedSource(web.url).name).toBe(web.url);
    const source = createFeedSource(folder);
    expect(source.name).toBe(folder);
    const reply = await source.fetch("timestamp.json");
    expect(reply.kind === "found" && (await collect(reply.body)).toString()).toBe("now");
    expect(await source.fetch("no/such")).toEqual({ kind: "missing" });
    expect(await createFeedSource(join(folder, "gone")).fetch("timestamp.json")).toEqual({ kind: "missing" });
  });

  it("is refused when it is something else", () => {
    expect(() => createHttpSource("ftp://lists.example/")).toThrow(/no http/);
  });
});
