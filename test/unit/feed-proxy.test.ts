/** The feed through a proxy: which one, when, and what is said when it does not let us through. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createHttpSource, type HttpFeedOptions } from "../../drivers/feed-http.ts";
import { chooseProxy } from "../../drivers/feed-proxy.ts";
import { makeAuthority } from "../peers/certificates.ts";
import { startProxy } from "../peers/proxy.ts";
import { serveWeb } from "../peers/web.ts";
import { collect } from "./feed-workshop.ts";

describe("the choice", () => {
  const both = { HTTP_PROXY: "http://plain:3128", HTTPS_PROXY: "secure:3129" };
  it.each([
    ["http://lists.example/", both, "plain:3128"],
    ["https://lists.example/", both, "secure:3129"],
    ["http://lists.example/", { ...both, http_proxy: "http://lower" }, "lower:80"],
    ["http://lists.example/", {}, "direct"],
    ["http://lists.example/", { HTTP_PROXY: "" }, "direct"],
    ["http://localhost/", both, "direct"],
    ["http://127.0.0.1:8080/", both, "direct"],
    ["http://[::1]:8080/", both, "direct"],
    ["http://lists.example/", { ...both, NO_PROXY: "*" }, "direct"],
    ["http://lists.example/", { ...both, NO_PROXY: "other.example, lists.example" }, "direct"],
    ["http://a.lists.example/", { ...both, NO_PROXY: "lists.example" }, "direct"],
    ["http://a.lists.example/", { ...both, NO_PROXY: ".lists.example" }, "direct"],
    ["http://a.lists.example/", { ...both, NO_PROXY: "*.lists.example" }, "direct"],
    ["http://LISTS.example/", { ...both, no_proxy: "Lists.Example" }, "direct"],
    ["http://mylists.example/", { ...both, NO_PROXY: "lists.example" }, "plain:3128"],
    ["http://lists.example:8080/", { ...both, NO_PROXY: "lists.example:8080" }, "direct"],
    ["http://lists.example/", { ...both, NO_PROXY: "lists.example:8080" }, "plain:3128"],
    ["https://lists.example/", { ...both, NO_PROXY: "lists.example:443" }, "direct"],
    ["http://10.0.0.7/", { ...both, NO_PROXY: "10.0.0.7" }, "direct"],
    ["http://10.0.0.7/", { ...both, NO_PROXY: "0.0.7" }, "plain:3128"],
    ["http://[fd00::7]/", { ...both, NO_PROXY: "fd00::7" }, "direct"],
    [
      "http://lists.example/",
      { HTTP_PROXY: "https://proxy" },
      "HTTP_PROXY is https://; only http:// proxies",
    ],
    ["http://lists.example/", { HTTP_PROXY: "http://:" }, "HTTP_PROXY is no address like http://proxy:3128"],
  ] as [string, Record<string, string>, string][])("%s with %j: %s", (url, environment, expected) => {
    const choice = chooseProxy(new URL(url), environment);
    const told =
      choice.kind === "proxy" ? choice.proxy.name : choice.kind === "fault" ? choice.why : "direct";
    expect(told.startsWith(expected)).toBe(true);
  });

  it("keeps the proxy's password out of its name", () => {
    const choice = chooseProxy(new URL("http://a.example/"), { HTTP_PROXY: "http://u:p%40ss@proxy:1" });
    expect(choice).toEqual({
      kind: "proxy",
      proxy: {
        host: "proxy",
        port: 1,
        name: "proxy:1",
        headers: { "proxy-authorization": `Basic ${Buffer.from("u:p@ss").toString("base64")}` },
      },
    });
  });
});

describe("through a proxy", () => {
  let folder: string;
  const stops: (() => Promise<unknown>)[] = [];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "grindvakt-proxy-"));
    await writeFile(join(folder, "timestamp.json"), "now");
  });
  afterEach(async () => {
    for (const stop of stops.splice(0)) await stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function proxy(options?: { credentials: string }) {
    const started = await startProxy(options);
    stops.push(started.stop);
    return started;
  }

  async function serve(options: Parameters<typeof serveWeb>[1] = {}) {
    const web = await serveWeb(folder, options);
    stops.push(web.stop);
    return web;
  }

  /** The text of the file by a name that is not this machine's own, so that the proxy is asked. */
  async function get(url: string, options: HttpFeedOptions): Promise<string> {
    const reply = await createHttpSource(url, options).fetch("timestamp.json");
    if (reply.kind === "found") return (await collect(reply.body)).toString();
    return reply.kind === "missing" ? "missing" : reply.why;
  }

  // The proxy finds 127.0.0.1 under this name; we, who may not look it up, never have to.
  const elsewhere = (url: string) => url.replace("127.0.0.1", "0.0.0.0");

  it("an http feed is asked of the proxy", async () => {
    const [web, via] = [await serve(), await proxy()];
    const url = elsewhere(web.url);
    expect(await get(url, { environment: { HTTP_PROXY: `http://${via.name}` } })).toBe("now");
    expect(via.asked).toEqual([`GET ${url}timestamp.json`]);
    expect(web.asked).toEqual(["/timestamp.json"]);
  });

  it("an https feed is spoken to in a tunnel that the proxy cannot see into, and the tunnel is kept", async () => {
    const authority = await makeAuthority(folder);
    const { certFile, keyFile } = await authority.issue("server", { names: ["IP:0.0.0.0"] });
    const read = async (file: string) => (await readFile(file)).toString();
    const web = await serve({ tls: { cert: await read(certFile), key: await read(keyFile) } });
    const via = await proxy();
    const url = elsewhere(web.url);
    const environment = { HTTPS_PROXY: `http://${via.name}` };
    const source = createHttpSource(url, { environment, tls: { ca: await read(authority.caFile) } });
    for (let time = 0; time < 3; time++) {
      const reply = await source.fetch("timestamp.json");
      expect(reply.kind === "found" && (await collect(reply.body)).toString()).toBe("now");
    }
    expect(via.asked).toEqual([`CONNECT ${new URL(url).host}`]);
    expect(await get(url, { environment })).toMatch(/authority unknown here: see tls.ca/);
  });

  it("with a name and password where it asks for them, and a word where they are missing", async () => {
    const [web, via] = [await serve(), await proxy({ credentials: "gate:hemligt" })];
    const url = elsewhere(web.url);
    const environment = { HTTP_PROXY: `http://gate:hemligt@${via.name}` };
    expect(await get(url, { environment })).toBe("now");
    const without = { HTTP_PROXY: `http://${via.name}`, HTTPS_PROXY: `http://${via.name}` };
    expect(await get(url, { environment: without })).toMatch(/by the proxy .* wants a username and password/);
    expect(await get(url.replace("http:", "https:"), { environment: without })).toMatch(
      /answers 407: it wants a username and password, in HTTPS_PROXY/,
    );
  });

  it("that is not there, or cannot reach the feed, is told as that", async () => {
    const via = await proxy();
    const gone = { HTTP_PROXY: "http://127.0.0.1:1", HTTPS_PROXY: "http://127.0.0.1:1" };
    expect(await get("http://0.0.0.0:1/", { environment: gone })).toMatch(
      /by the proxy 127.0.0.1:1: nothing listens there/,
    );
    expect(await get("https://0.0.0.0:1/", { environment: gone })).toMatch(
      /by the proxy 127.0.0.1:1: nothing listens there/,
    );
    const here = { HTTPS_PROXY: `http://${via.name}` };
    expect(await get("https://0.0.0.0:1/", { environment: here })).toMatch(/the proxy .* answers 502/);
    expect(await get("http://0.0.0.0:1/", { environment: { HTTP_PROXY: "ftp://x" } })).toMatch(
      /HTTP_PROXY is ftp:\/\//,
    );
  });
});
