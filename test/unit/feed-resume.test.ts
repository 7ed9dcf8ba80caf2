/** The feed on a bad line: what has not changed is not sent again, and what broke off is taken up where it broke. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createHttpSource, type HttpFeedOptions } from "../../drivers/feed-http.ts";
import { type Answer, serveWeb, type Web } from "../peers/web.ts";
import { collect, sha256 } from "./feed-workshop.ts";

let folder: string;
const stops: (() => Promise<unknown>)[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "grindvakt-line-"));
});
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
  await rm(folder, { recursive: true, force: true });
});

async function serve(answer: Answer): Promise<Web> {
  const web = await serveWeb(folder, { answer });
  stops.push(web.stop);
  return web;
}

async function get(source: ReturnType<typeof createHttpSource>, path: string): Promise<Buffer> {
  const reply = await source.fetch(path);
  if (reply.kind !== "found") throw new Error(JSON.stringify(reply));
  return collect(reply.body);
}

describe("what has not changed", () => {
  const date = "Sun, 22 Nov 2026 06:00:10 GMT";
  const settled = "Sun, 22 Nov 2026 06:00:00 GMT";

  /** A server whose file has these headers; what it was asked by, in order. */
  async function server(file: { headers: Record<string, string>; text: string }) {
    const conditions: (string | undefined)[] = [];
    const web = await serve((request, response) => {
      const { "if-none-match": match, "if-modified-since": since } = request.headers;
      conditions.push(match ?? since);
      const { etag, "last-modified": modified } = file.headers;
      const isSame = match !== undefined ? match === etag : since !== undefined && since === modified;
      response.writeHead(isSame ? 304 : 200, { date, ...file.headers });
      response.end(isSame ? undefined : file.text);
      return true;
    });
    return { conditions, web };
  }

  it.each([
    ["an ETag", { etag: '"1"' }, '"1"'],
    ["an ETag and a time", { etag: 'W/"1"', "last-modified": settled }, 'W/"1"'],
    ["a time", { "last-modified": settled }, settled],
  ])("costs a 304 by %s, until it changes", async (_, headers, condition) => {
    const file = { headers: headers as Record<string, string>, text: "one" };
    const { conditions, web } = await server(file);
    const source = createHttpSource(web.url);
    for (let time = 0; time < 3; time++) expect((await get(source, "timestamp.json")).toString()).toBe("one");
    expect(conditions).toEqual([undefined, condition, condition]);
    expect(web.connections()).toBe(1);
    file.text = "two";
    file.headers = { etag: '"2"' };
    expect((await get(source, "timestamp.json")).toString()).toBe("two");
    expect((await get(source, "timestamp.json")).toString()).toBe("two");
    expect(conditions.slice(3)).toEqual([condition, '"2"']);
  });

  it("is asked for anew while the file is so young that it may change within its second", async () => {
    const file = { headers: { etag: '"1-3"', "last-modified": date }, text: "one" };
    const { conditions, web } = await server(file);
    const source = createHttpSource(web.url);
    await get(source, "timestamp.json");
    // Published again within the second, with the same length: such a server's validators are the same.
    file.text = "two";
    expect((await get(source, "timestamp.json")).toString()).toBe("two");
    expect(conditions).toEqual([undefined, undefined]);
  });

  it("is asked for anew where the server has no word for it, and for every other file", async () => {
    const { conditions, web } = await server({ headers: {}, text: "one" });
    const source = createHttpSource(web.url);
    await get(source, "timestamp.json");
    await get(source, "timestamp.json");
    await get(source, "2.root.json");
    expect(conditions).toEqual([undefined, undefined, undefined]);
  });

  it("is not kept of a transfer that broke, nor of one without end", async () => {
    let breaks = true;
    const conditions: (string | undefined)[] = [];
    const web = await serve((request, response) => {
      conditions.push(request.headers["if-none-match"]);
      response.writeHead(200, { etag: '"1"', "content-length": breaks ? "1000" : "100000" });
      if (breaks) response.write("half", () => response.destroy());
      else response.end(Buffer.alloc(100_000));
      return true;
    });
    const source = createHttpSource(web.url);
    await expect(get(source, "timestamp.json")).rejects.toThrow();
    breaks = false;
    await get(source, "timestamp.json");
    await get(source, "timestamp.json");
    expect(conditions).toEqual([undefined, undefined, undefined]);
  });
});

describe("a long transfer that breaks", () => {
  const bytes = Buffer.from(Array.from({ length: 400_000 }, (_, at) => (at * 7919) >> 5));
  const quick: HttpFeedOptions = { limits: { resumeMs: 1 } };
  beforeEach(() => writeFile(join(folder, "list"), bytes));

  interface Line {
    /** Bytes after which each answer breaks off, in order; then they are whole. */
    breaks: number[];
    ranges?: boolean;
    etag?: string;
  }

  /** A server on a line that breaks; what of the file it was asked for, in order. */
  async function server({ breaks, ranges = true, etag }: Line) {
    const asked: [range: string | undefined, condition: string | undefined][] = [];
    const web = await serve((request, response) => {
      const { range } = request.headers;
      asked.push([range, request.headers["if-range"] as string | undefined]);
      const from = ranges ? Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0) : 0;
      const rest = bytes.subarray(from);
      response.writeHead(from > 0 ? 206 : 200, {
        "content-length": rest.length,
        ...(etag !== undefined && { etag }),
        ...(from > 0 && { "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` }),
      });
      const end = breaks.shift();
      if (end === undefined) response.end(rest);
      else response.write(rest.subarray(0, end), () => setTimeout(() => response.destroy(), 20));
      return true;
    });
    return { asked, web };
  }

  it("is taken up where it broke, as often as need be", async () => {
    const { asked, web } = await server({ breaks: [100_000, 50_000, 0], etag: '"x"' });
    expect(sha256(await get(createHttpSource(web.url, quick), "list"))).toBe(sha256(bytes));
    expect(asked).toEqual([
      [undefined, undefined],
      ["bytes=100000-", '"x"'],
      ["bytes=150000-", '"x"'],
      ["bytes=150000-", '"x"'],
    ]);
  });

  it("asks no condition of a server that has no strong validator", async () => {
    const { asked, web } = await server({ breaks: [100_000], etag: 'W/"x"' });
    expect(sha256(await get(createHttpSource(web.url, quick), "list"))).toBe(sha256(bytes));
    expect(asked[1]).toEqual(["bytes=100000-", undefined]);
  });

  it("goes on with a server that knows no ranges, without handing on anything twice", async () => {
    const { asked, web } = await server({ breaks: [100_000, 70_000, 250_000], ranges: false });
    expect(sha256(await get(createHttpSource(web.url, quick), "list"))).toBe(sha256(bytes));
    expect(asked.map(([range]) => range)).toEqual([
      undefined,
      "bytes=100000-",
      "bytes=100000-",
      "bytes=250000-",
    ]);
  });

  it("is given up after so many breaks", async () => {
    const { asked, web } = await server({ breaks: Array<number>(20).fill(70_000), ranges: false });
    await expect(get(createHttpSource(web.url, quick), "list")).rejects.toThrow(/aborted/);
    expect(asked).toHaveLength(9);
  });

  it("is given up at once when it has hardly begun, and when the rest is not there", async () => {
    const early = await server({ breaks: [10_000] });
    await expect(get(createHttpSource(early.web.url, quick), "list")).rejects.toThrow(/aborted/);
    expect(early.asked).toHaveLength(1);
    let answers = 0;
    const gone = await serve((_, response) => {
      if (answers++ > 0) response.writeHead(404).end();
      else {
        response.writeHead(200, { "content-length": bytes.length });
        response.write(bytes.subarray(0, 90_000), () => setTimeout(() => response.destroy(), 20));
      }
      return true;
    });
    await expect(get(createHttpSource(gone.url, quick), "list")).rejects.toThrow(/aborted/);
    expect(answers).toBe(2);
  });

  it("is not believed when the rest begins elsewhere", async () => {
    let answers = 0;
    const web = await serve((_, response) => {
      if (answers++ > 0)
        response.writeHead(206, { "content-range": `bytes 90001-399999/400000` }).end(bytes.subarray(90_001));
      else {
        response.writeHead(200, { "content-length": bytes.length });
        response.write(bytes.subarray(0, 90_000), () => setTimeout(() => response.destroy(), 20));
      }
      return true;
    });
    await expect(get(createHttpSource(web.url, quick), "list")).rejects.toThrow(/aborted/);
  });
});
