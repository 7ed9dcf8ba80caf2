/** Doctor at a real gate: each fault is made as it happens on a site, and must be found, named and given its cure. */
import { execFile } from "node:child_process";
import { chmod, chown, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { Aedes } from "aedes";
import { describe, expect, onTestFinished, test } from "vitest";
import { centreWorld } from "../../daemon/commands/centre.ts";
import type { Finding } from "../../daemon/doctor/finding.ts";
import { createSystemClock, systemRandom } from "../../drivers/system.ts";
import { cardRows, publishCards } from "../../sync/publish.ts";
import { initFeed } from "../../sync/publish-feed.ts";
import { makeAuthority } from "../peers/certificates.ts";
import { type MosquittoOptions, startMosquitto } from "../peers/mosquitto.ts";
import { ask, type Ended } from "./counter.ts";
import { CARDS, type Configuration, grindvakt, makeSite, type Site, sharedFeed, until } from "./site.ts";
import { pluggedPty, setStage } from "./stage.ts";

const DAY_MS = 24 * 3_600_000;
const run = promisify(execFile);

const feedDir = await sharedFeed();

async function gate(configure: (configuration: Configuration) => Promise<void> | void): Promise<Site> {
  const site = await makeSite(feedDir, "./device", async (configuration) => {
    configuration.readers = [{ id: "north-in-1", driver: "virtual" }];
    await configure(configuration);
  });
  onTestFinished(() => site.dispose());
  return site;
}

async function broker(options: MosquittoOptions = {}) {
  const mosquitto = await startMosquitto(options);
  onTestFinished(() => mosquitto.dispose());
  return mosquitto;
}

/** What was found, as `level group subject`, by that name. */
function foundIn({ stdout }: Ended): Map<string, Finding> {
  const { findings } = JSON.parse(stdout) as { findings: Finding[] };
  return new Map(findings.map((finding) => [`${finding.group} ${finding.subject}`, finding]));
}

async function doctor(site: Site, ...args: string[]) {
  const ended = await site.command("doctor", "--json", ...args);
  return { ...ended, found: foundIn(ended) };
}

/** A feed without a card, made and last renewed that long ago. */
async function feedOfDaysAgo(days: number, dir: string, rootKeysDir: string): Promise<void> {
  const clock = { ...createSystemClock(), wallMs: () => Date.now() - days * DAY_MS, trusted: () => true };
  const place = { dir, keysDir: `${dir}.keys`, rootKeysDir, passphrase: null };
  const centre = centreWorld({ clock, random: systemRandom });
  await initFeed(place, "test", centre);
  await publishCards(place, cardRows([]), { allowChange: 0, dryRun: false }, centre, () => undefined);
}

describe("doctor", () => {
  test("finds nothing wrong with a gate that works, and leaves it alone", async () => {
    const { site, broker, line } = await setStage(feedDir);
    const daemon = await (await site.run()).healthy();
    await daemon.become("the broker is up", ({ broker }) => broker.state === "up");
    const { code, found } = await doctor(site);
    const bad = [...found.values()].filter(({ level }) => level !== "ok");
    // A pseudo-terminal's mode is nobody's but root's.
    expect(bad.filter(({ group }) => group !== "devices")).toEqual([]);
    expect(code).toBe(0);
    expect(found.get("devices north-in-1")).toMatchObject({ level: "ok" });
    expect(found.get(`broker ${broker.url}`)?.what).toMatch(/^(lets gate-07 in|takes events)/);
    expect(broker.log()).toContain("grindvakt-gate-07-doctor");
    expect(daemon.stderr + daemon.stdout).not.toContain("broker is down");
    expect((await daemon.status()).readers["north-in-1"]).toMatchObject({ state: "up", misreads: 0 });
    expect(line.plugged).toBe(true);
    // For a person the same, in groups.
    const { stdout } = await site.command("doctor");
    expect(stdout).toMatch(
      /^configuration\n {2}ok +\S+gate.yaml: gate-07 at slussen: readers: 1, access points: 1\n/,
    );
    expect(stdout).toMatch(/nothing is wrong\n$/);
  });

  test("goes in a site's own order, from the configuration to the age of the list", async () => {
    const authority = await makeAuthority(await mkdtemp(join(tmpdir(), "grindvakt-order-")));
    onTestFinished(() => rm(dirname(authority.caFile), { recursive: true, force: true }));
    const site = await gate((configuration) => {
      configuration.readers.push({ id: "north-in-2", driver: "pcsc", name: "ACR1252" });
      configuration.accessPoints[0].readers.push("north-in-2");
      configuration.mqtt = { urls: ["mqtts://127.0.0.1:1"], tls: { ca: authority.caFile } };
    });
    await mkdir(join(site.dir, "data"), { mode: 0o700 });
    const { found } = await doctor(site);
    expect([...new Set([...found.values()].map(({ group }) => group))]).toEqual([
      "configuration",
      "gateway",
      "permissions",
      "devices",
      "pcsc",
      "clock",
      "disk",
      "broker",
      "certificates",
      "feed",
      "list",
    ]);
  });

  test("goes through the doors of a cluster one after the other: two visits of one name would throw each other out", async () => {
    const { url, log } = await broker();
    const doors = [url, url.replace("127.0.0.1", "localhost")];
    const site = await gate((configuration) => {
      configuration.mqtt = { urls: doors };
    });
    const { found } = await doctor(site);
    for (const door of doors) expect(found.get(`broker ${door}`)).toMatchObject({ level: "ok" });
    expect(log()).not.toContain("already connected");
  });

  test("says whom it could not ask, and why, where a secret is not there", async () => {
    const site = await gate((configuration) => {
      configuration.mqtt = {
        urls: ["mqtt://127.0.0.1:1"],
        username: "gate-07",
        password: { file: "./missing" },
      };
    });
    const { found } = await doctor(site);
    const what = expect.stringMatching(/^not asked: mqtt\.password: \S+missing is not there: /);
    expect(found.get("broker broker")).toMatchObject({ level: "warning", what });
    expect(found.get("permissions mqtt.password")).toMatchObject({ level: "wrong" });
  });

  test("finds what is missing at a gate that does not run: port, broker, list", async () => {
    const dead = await broker();
    await dead.stop();
    const site = await gate((configuration) => {
      configuration.readers = [
        { id: "north-in-1", driver: "serial", port: "./unplugged" },
        { id: "north-in-2", driver: "serial", port: `tcp://127.0.0.1:${dead.port}` },
      ];
      configuration.accessPoints[0].readers = ["north-in-1", "north-in-2"];
      configuration.mqtt = { urls: [dead.url] };
    });
    const { code, found } = await doctor(site);
    expect(code).toBe(1);
    expect(found.get("gateway gateway")).toMatchObject({ level: "warning", what: "does not run" });
    expect(found.get("devices north-in-1")).toMatchObject({
      level: "wrong",
      what: `${join(site.dir, "unplugged")} is not there`,
    });
    expect(found.get("devices north-in-2")).toMatchObject({
      level: "wrong",
      what: `nothing listens at 127.0.0.1:${dead.port}`,
    });
    expect(found.get(`broker ${dead.url}`)?.what).toContain("connection refused");
    expect(found.get(`broker ${dead.url}`)?.todo).toContain("the address in mqtt.urls");
    expect(found.get("list list")).toMatchObject({ level: "wrong" });
    expect(found.get("list list")?.todo).toContain("as soon as it runs");
    expect(found.get(`feed ${join(site.dir, "feed")}`)).toMatchObject({ level: "ok" });
    for (const { level, todo } of found.values()) expect(todo === null).toBe(level === "ok");
    // A line for each on standard output, nothing but that, and no stack.
    const { stdout, stderr } = await site.command("doctor");
    expect(stderr).toBe("");
    expect(stdout).toMatch(/things are wrong, \d warnings?\n$/);
  });

  test("finds a port that the gateway's account may not open, whoever asks", async () => {
    const port = await pluggedPty();
    const site = await gate((configuration) => {
      configuration.readers = [{ id: "north-in-1", driver: "serial", port: port.path }];
    });
    await mkdir(join(site.dir, "data"), { mode: 0o700 });
    // Root may do everything: the gateway is then another account. Else the port is closed to ourselves.
    if (process.getuid?.() === 0) await chown(join(site.dir, "data"), 65_534, 65_534);
    else await chmod(port.path, 0o000);
    const { code, found } = await doctor(site);
    expect(code).toBe(1);
    expect(found.get("devices north-in-1")).toMatchObject({ level: "wrong" });
    expect(found.get("devices north-in-1")?.what).toMatch(/belongs to group \S+, and \S+ is not in it/);
    expect(found.get("devices north-in-1")?.todo).toMatch(/^sudo usermod -aG /);
  });

  test("finds that the broker refuses this gateway's events, or the gateway itself", async () => {
    const acl = ["user gate-07", "topic read grindvakt/#", "topic write grindvakt/slussen/gate-08/#"];
    const strict = await broker({ users: { "gate-07": "correct horse" }, acl });
    const site = await gate(async (configuration) => {
      configuration.mqtt = { urls: [strict.url], username: "gate-07", password: { file: "./password" } };
    });
    const password = join(site.dir, "password");
    await writeFile(password, "correct horse\n", { mode: 0o600 });
    const refused = (await doctor(site)).found.get(`broker ${strict.url}`);
    expect(refused).toMatchObject({
      level: "wrong",
      what: "takes no event on grindvakt/slussen/gate-07/gateway: not authorized",
      todo: "give this gateway the right to publish under grindvakt/slussen/gate-07/#",
    });
    await writeFile(password, "wrong horse\n");
    expect((await doctor(site)).found.get(`broker ${strict.url}`)?.what).toContain(
      "does not let this gateway in: check mqtt.username",
    );
    await chmod(password, 0o644);
    const { found } = await doctor(site);
    expect(found.get("permissions mqtt.password")).toMatchObject({ level: "wrong" });
    expect(found.get("permissions mqtt.password")?.what).toContain(`chmod 600 ${password}`);
  });

  test.each([
    { does: "hands events on", isHeard: true },
    { does: "acknowledges events and throws them away", isHeard: false },
  ])("proves by hearing itself whether a broker of MQTT 3.1.1 $does", async ({ isHeard }) => {
    const aedes = await Aedes.createBroker({
      authorizeForward: (_client, packet) => (isHeard ? packet : null),
    });
    const server = createServer(aedes.handle);
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    onTestFinished(async () => {
      await new Promise<void>((done) => aedes.close(() => done()));
      server.close();
    });
    const url = `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const site = await gate((configuration) => {
      configuration.mqtt = { urls: [url] };
    });
    expect((await doctor(site)).found.get(`broker ${url}`)).toMatchObject(
      isHeard
        ? { level: "ok", what: "takes events on grindvakt/slussen/gate-07/gateway: a test event came back" }
        : { level: "wrong", what: expect.stringContaining("did not come back") },
    );
  });

  test("finds certificates that have expired, at the broker and here, and a key that does not fit", async () => {
    const dir = await mkdtemp(join(tmpdir(), "grindvakt-tls-"));
    onTestFinished(() => rm(dir, { recursive: true }));
    const authority = await makeAuthority(dir);
    const old = await authority.issue("old", { days: -1 });
    const other = await authority.issue("other");
    const expired = await broker({ tls: { caFile: authority.caFile, ...old } });
    const site = await gate((configuration) => {
      configuration.mqtt = {
        urls: [expired.url],
        tls: { ca: authority.caFile, cert: old.certFile, key: old.keyFile },
      };
      configuration.console.tls = { cert: other.certFile, key: old.keyFile };
    });
    const { found } = await doctor(site);
    expect(found.get(`broker ${expired.url}`)?.what).toContain("certificate has expired");
    expect(found.get("certificates mqtt.tls.cert")).toMatchObject({ level: "wrong" });
    expect(found.get("certificates mqtt.tls.cert")?.what).toMatch(/^CN=old expired on \d{4}-/);
    expect(found.get("certificates console.tls.key")?.what).toBe("is not the key of its certificate");
    // Of the authority itself, which ends in thirty days.
    expect(found.get("certificates mqtt.tls.ca")).toMatchObject({ level: "warning" });
  });

  test("finds a broker's certificate that is about to end", async () => {
    const dir = await mkdtemp(join(tmpdir(), "grindvakt-tls-"));
    onTestFinished(() => rm(dir, { recursive: true }));
    const authority = await makeAuthority(dir);
    const soon = await authority.issue("soon", { days: 3 });
    const { url } = await broker({ tls: { caFile: authority.caFile, ...soon } });
    const site = await gate((configuration) => {
      configuration.mqtt = { urls: [url], tls: { ca: authority.caFile } };
    });
    const { found } = await doctor(site);
    expect(found.get(`broker ${url}`)).toMatchObject({ level: "ok" });
    expect(found.get(`certificates ${url}`)).toMatchObject({ level: "warning" });
    expect(found.get(`certificates ${url}`)?.what).toMatch(/^CN=soon is valid until /);
  });

  test("finds a feed that nobody renewed, and one that is not there", async () => {
    const site = await gate(() => undefined);
    const old = join(site.dir, "old");
    await feedOfDaysAgo(30, old, join(site.dir, "safe"));
    const text = (await readFile(site.file, "utf8")).replace("feed: ./feed", "feed: ./old");
    await writeFile(site.file, text);
    const strange = (await doctor(site)).found.get(`feed ${old}`);
    expect(strange?.what).toMatch(/^bad-signature: /);
    expect(strange?.todo).toContain("are cards.feed and cards.root those of one feed?");
    await writeFile(site.file, text.replace("root: ./root.json", "root: ./old/root.json"));
    const { code, found } = await doctor(site);
    expect(code).toBe(1);
    expect(found.get(`feed ${old}`)?.what).toMatch(/^expired: timestamp/);
    expect(found.get(`feed ${old}`)?.todo).toContain("grindvakt feed refresh");
    await rm(old, { recursive: true });
    const gone = (await doctor(site)).found;
    expect(gone.get("permissions cards.root")).toMatchObject({ level: "wrong" });
    expect(gone.get(`feed ${old}`)).toMatchObject({ level: "wrong" });
  });

  test.each([
    { days: 345, level: "warning", subject: "root.json" },
    { days: 400, level: "wrong", subject: null },
  ])("says how to renew a root of $days days, and that mends it", async ({ days, level, subject }) => {
    const site = await gate(() => undefined);
    const old = join(site.dir, "old");
    await feedOfDaysAgo(days, old, join(site.dir, "safe"));
    const text = (await readFile(site.file, "utf8")).replace("feed: ./feed", "feed: ./old");
    await writeFile(site.file, text.replace("root: ./root.json", "root: ./old/1.root.json"));
    await ask(["feed", "refresh", old]);
    const found = (await doctor(site)).found.get(`feed ${subject ?? old}`);
    expect(found).toMatchObject({
      level,
      todo: expect.stringContaining("feed refresh DIR --root-keys DIR2"),
    });
    await ask(["feed", "refresh", old, "--root-keys", join(site.dir, "safe")]);
    const { found: renewed } = await doctor(site);
    expect(renewed.get(`feed ${old}`)).toMatchObject({ level: "ok" });
    expect(renewed.has("feed root.json")).toBe(false);
  });

  test("finds a full disk", async () => {
    const site = await gate(() => undefined);
    const data = join(site.dir, "data");
    await mkdir(data, { mode: 0o700 });
    const program = join(import.meta.dirname, "../../dist/daemon/cli.js");
    // In a namespace of its own: nobody else sees the small disk, and it is gone with the process.
    const script = `mount -t tmpfs -o size=64k,mode=700 small "$1" && { cat /dev/zero >"$1/filler" 2>/dev/null; exec "$2" "$3" doctor --json -c "$4"; }`;
    const flags = process.getuid?.() === 0 ? ["-m"] : ["-r", "-m"];
    const ended = await run("unshare", [
      ...flags,
      "sh",
      "-c",
      script,
      "sh",
      data,
      process.execPath,
      program,
      site.file,
    ]).catch((error: { stdout: string; code: number }) => error);
    const found = foundIn({ code: 1, stderr: "", stdout: ended.stdout });
    expect(found.get("disk writing")).toMatchObject({ level: "wrong" });
    expect(found.get("disk writing")?.todo).toContain("the disk is full");
    expect(found.get("disk space")).toMatchObject({ level: "wrong" });
  });

  test("tells every fault of a configuration and ends with 2, and 2 where there is none", async () => {
    const site = await gate(() => undefined);
    const file = join(site.dir, "wrong.yaml");
    await writeFile(file, "gateway: { id: Gate 07, site: slussen }\n");
    for (const [path, words] of [
      [file, "wrong.yaml:1:16: gateway.id"],
      [join(site.dir, "absent.yaml"), "absent.yaml:1:1: "],
    ] as const) {
      const plain = await grindvakt(["doctor", "-c", path]);
      expect({ ...plain, stderr: "" }).toEqual({ code: 2, stdout: "", stderr: "" });
      expect(plain.stderr).toContain(words);
      const { code, stdout } = await ask(["doctor", "-c", path, "--json"]);
      expect(code).toBe(2);
      expect(JSON.parse(stdout)).toMatchObject({ ok: false, findings: expect.any(Array) });
      expect(stdout).toContain(words);
    }
  });
});

describe("the bundle", () => {
  test("has everything a supplier asks for, and neither secrets, whole card numbers nor chips", async () => {
    const { url } = await broker({ users: { "gate-07": "correct horse" } });
    const site = await gate((configuration) => {
      configuration.mqtt = { urls: [url], username: "gate-07", password: { file: "./password" } };
    });
    await writeFile(join(site.dir, "password"), "correct horse\n", { mode: 0o600 });
    const daemon = await (await site.run()).healthy();
    for (const credential of [CARDS.blocked, "uid:04A1B2C3D4E5F6"])
      await daemon.post("/api/taps", { reader: "north-in-1", credential });
    await until("both taps are journaled", async () => {
      const taps = (await site.journal()).filter(({ type }) => type === "grindvakt.tap.v1");
      return taps.length >= 2 || null;
    });
    const archive = join(site.dir, "gate-07.tar.gz");
    const { code, stdout } = await site.command("doctor", "--bundle", archive);
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining(`${archive}: written`) });
    const { stdout: names } = await run("tar", ["tzf", archive]);
    expect(names.trim().split("\n")).toEqual(
      [
        "findings.json",
        "status.json",
        "configuration.yaml",
        "versions.json",
        "journal.ndjson",
        "log.txt",
      ].map((name) => `gate-07/${name}`),
    );
    const { stdout: all } = await run("tar", ["xzOf", archive]);
    expect(all).toContain("BB-…-000003");
    expect(all).toContain('"granted":true');
    expect(all).toContain(join(site.dir, "password"));
    for (const secret of ["correct horse", CARDS.blocked, CARDS.granted, "04A1B2C3"])
      expect(all).not.toContain(secret);
    expect(all).not.toMatch(/"hash":"[0-9a-f]/);
    // Nothing is written over.
    expect(await site.command("doctor", "--bundle", archive)).toMatchObject({
      code: 1,
      stderr: `grindvakt: ${archive} is there already: give another name\n`,
    });
    const folder = join(site.dir, "bundle");
    expect((await site.command("doctor", "--bundle", folder)).code).toBe(0);
    const versions = JSON.parse(await readFile(join(folder, "versions.json"), "utf8")) as Record<
      string,
      unknown
    >;
    expect(versions).toMatchObject({ node: { node: process.versions.node } });
  });
});
