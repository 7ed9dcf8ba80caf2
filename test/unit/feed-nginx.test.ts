/** The feed behind a real nginx with the configuration that docs/fleet.md gives. */
import { mkdir, readdir, utimes, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createHttpSource } from "../../drivers/feed-http.ts";
import { makeAuthority } from "../peers/certificates.ts";
import { type Nginx, startNginx } from "../peers/nginx.ts";
import { collect, manyCards, numberOf, verified, Workshop } from "./feed-workshop.ts";

const DOCUMENTED = join(import.meta.dirname, "../../docs/nginx-feed.conf");

let workshop: Workshop;
let nginx: Nginx | null = null;
beforeEach(async () => {
  workshop = await Workshop.open();
  await workshop.publish(manyCards(100));
});
afterEach(async () => {
  await nginx?.dispose();
  await workshop.close();
});

/** The head of an answer. */
function head(url: string, headers: Record<string, string> = {}) {
  return new Promise<{ status: number | undefined; headers: NodeJS.Dict<string | string[]> }>(
    (resolve, reject) => {
      const asking = request(url, { headers }, (reply) => {
        reply.resume();
        resolve({ status: reply.statusCode, headers: reply.headers });
      });
      asking.on("error", reject).end();
    },
  );
}

it("is fetched, and says at each refresh without news no more than it must", async () => {
  const server = await startNginx({ root: workshop.place.dir, documented: DOCUMENTED });
  nginx = server;
  // Of a file so young nobody could say that it has not changed within its second.
  await utimes(join(workshop.place.dir, "timestamp.json"), 1_700_000_000, 1_700_000_000);
  const feed = workshop.client(createHttpSource(server.url));
  const { targets } = await verified(feed);
  expect((await collect(feed.download(targets[0]!))).length).toBe(targets[0]!.lengthBytes);
  const before = (await server.asked()).length;
  await verified(feed);
  expect((await server.asked(before)).map(({ path, status }) => `${path} ${status}`)).toEqual([
    "/2.root.json 404",
    "/timestamp.json 304",
  ]);
  await workshop.set(numberOf(1), "blocked");
  expect((await verified(feed)).targets.length).toBeGreaterThan(targets.length);
});

it("tells caches what changes and what never does, and gives nothing but the feed", async () => {
  const server = await startNginx({ root: workshop.place.dir, documented: DOCUMENTED });
  nginx = server;
  await mkdir(join(workshop.place.dir, "other"));
  await writeFile(join(workshop.place.dir, "other", "file"), "not the feed's");
  const [list] = await readdir(join(workshop.place.dir, "targets/cards"));
  const forEver = "public, max-age=31536000, immutable";
  const cacheControl = async (path: string) => (await head(server.url + path)).headers["cache-control"];
  expect(await cacheControl("timestamp.json")).toBe("public, max-age=1");
  for (const path of ["1.root.json", "2.snapshot.json", "2.targets.json", `targets/cards/${list}`])
    expect({ path, says: await cacheControl(path) }).toEqual({ path, says: forEver });
  // That a file is not there must not be kept: tomorrow it is.
  expect(await head(`${server.url}2.root.json`)).toMatchObject({ status: 404 });
  expect(await cacheControl("2.root.json")).toBeUndefined();
  expect(await head(`${server.url}other/file`)).toMatchObject({ status: 404 });
  const gzip = await head(`${server.url}targets/cards/${list}`, { "accept-encoding": "gzip" });
  expect(gzip.headers["content-encoding"]).toBeUndefined();
  expect(await head(`${server.url}targets/cards/${list}`, { range: "bytes=5-" })).toMatchObject({
    status: 206,
  });
});

it("goes on with a list where it broke off when the server was restarted", async () => {
  await workshop.publish(manyCards(20_000));
  const server = await startNginx({ root: workshop.place.dir, documented: DOCUMENTED });
  nginx = server;
  const feed = workshop.client(createHttpSource(server.url, { limits: { resumeMs: 20 } }));
  const target = (await verified(feed)).targets.find(({ base }) => base === null)!;
  await server.stop();
  // What it gives at once is more than is asked for anew, and less than the list.
  await server.start(["limit_rate_after 70k;", "limit_rate 1k;"]);
  const before = (await server.asked()).length;
  let bytes = 0;
  let isRestarted = false;
  for await (const piece of feed.download(target)) {
    bytes += piece.length;
    if (isRestarted || bytes < 65 * 1024) continue;
    await server.stop();
    await server.start();
    isRestarted = true;
  }
  expect(isRestarted).toBe(true);
  expect(bytes).toBe(target.lengthBytes);
  expect((await server.asked(before)).map(({ status }) => status)).toContain(206);
});

it("is fetched over TLS", async () => {
  const authority = await makeAuthority(workshop.folder);
  const certificate = await authority.issue("lists");
  nginx = await startNginx({ root: workshop.place.dir, documented: DOCUMENTED, certificate });
  const ca = await workshop.files.read(authority.caFile, 10_000);
  const source = createHttpSource(nginx.url, { tls: { ca: Buffer.from(ca!).toString() } });
  expect((await verified(workshop.client(source))).targets).toHaveLength(1);
});
