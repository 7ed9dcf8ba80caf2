/** What doctor says of whose the files are: data, secrets and keys, for the account that the gateway runs as. */
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { parseConfiguration } from "../../config/load.ts";
import { readSecrets } from "../../daemon/commands/doctor-site.ts";
import { gatewayAccount, mayUse } from "../../daemon/doctor/account.ts";
import { lookAtDataDir, lookAtFile, lookAtSecret, lookAtTokenKey } from "../../daemon/doctor/permissions.ts";
import { INPUT_TYPES, READER_TYPES, RELAY_TYPES } from "../../drivers/registry.ts";
import { IN_DIALOUT, PI, told } from "./doctor-pi.ts";
import { type Node, paperMachine } from "./paper-machine.ts";

test("the account is the one whose data it is, with the groups that its unit adds", async () => {
  const account = await gatewayAccount(paperMachine({ ...PI, ...IN_DIALOUT }), "/data");
  expect({ ...account, groups: [...account.groups].sort((a, b) => a - b) }).toEqual({
    uid: 990,
    name: "grindvakt",
    groups: [20, 990, 997],
    handed: new Set(),
  });
  const seen = { kind: "device", mode: 0o640, uid: 0, gid: 20 } as const;
  expect([mayUse(account, seen, "read"), mayUse(account, seen, "write")]).toEqual([true, false]);
  expect(mayUse({ ...account, uid: 0 }, { ...seen, mode: 0 }, "write")).toBe(true);
  expect(mayUse(account, { ...seen, uid: 990, mode: 0o066 }, "read")).toBe(false);
});

test("a secret that is root's is the gateway's to read where its unit hands it over", async () => {
  const unit = "/etc/systemd/system/grindvakt.service";
  const file = "/etc/grindvakt/pass%word";
  const secret = { path: "mqtt.password", place: { file }, refused: null };
  const look = async (text: string) => {
    const machine = paperMachine({ ...PI, [unit]: { text }, [file]: { mode: 0o600, uid: 0 } });
    return (await lookAtSecret(machine, secret, await gatewayAccount(machine, "/data"))).level;
  };
  expect(await look("[Service]\n")).toBe("wrong");
  expect(await look("[Service]\nLoadCredential=password-1:/etc/grindvakt/pass%%word\n")).toBe("ok");
  const encrypted = "[Service]\nLoadCredentialEncrypted=password-1:/etc/grindvakt/pass%%word.cred\n";
  expect(await look(encrypted)).toBe("ok");
});

test("a key or a password that is open to more than the service is found, with the command that closes it", async () => {
  const dir = await mkdtemp(join(tmpdir(), "grindvakt-doctor-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const names = ["feed", "mqtt", "console", "scbk", "token"];
  for (const name of names) await writeFile(join(dir, name), "0".repeat(64), { mode: 0o600 });
  const text = `
gateway: { id: g, site: s }
cards: { feed: "https://f/", root: ./r, username: a, password: { file: ./feed }, tokenKey: { file: ./token } }
readers: [{ id: a, driver: osdp, port: /dev/ttyAMA0, address: 1, scbk: { file: ./scbk } }]
accessPoints: [{ id: in, direction: entry, readers: [a] }]
mqtt: { urls: ["mqtts://b"], username: a, password: { file: ./mqtt } }
console: { password: { file: ./console } }
`;
  const types = { readers: READER_TYPES, relays: RELAY_TYPES, inputs: INPUT_TYPES };
  const loaded = parseConfiguration(text, dir, types);
  if (loaded.kind !== "loaded") throw new Error(JSON.stringify(loaded.faults));
  const refusedOf = async () => (await readSecrets(loaded.configuration)).map(({ use }) => use.refused);
  expect(await refusedOf()).toEqual([null, null, null, null, null]);
  for (const mode of [0o604, 0o640, 0o620, 0o644]) {
    for (const name of names) await chmod(join(dir, name), mode);
    for (const refused of await refusedOf()) expect(refused).toMatch(/open to other users: chmod 600/);
  }
});

test("a token key that lies beside what it hides is warned of", () => {
  expect(lookAtTokenKey("/etc/grindvakt/token.key", "/var/lib/grindvakt")).toEqual([]);
  expect(lookAtTokenKey(null, "/var/lib/grindvakt")).toEqual([]);
  for (const file of [undefined, "/var/lib/grindvakt/keys/token.key"])
    expect(lookAtTokenKey(file, "/var/lib/grindvakt")).toMatchObject([{ level: "warning" }]);
});

test("dataDir: not there yet, open to others, not its owner's to write, with a stranger's file in it", async () => {
  const look = async (nodes: Readonly<Record<string, Node>>) => {
    const machine = paperMachine({ ...PI, ...nodes });
    return told(await lookAtDataDir(machine, "/data", await gatewayAccount(machine, "/data")));
  };
  expect(await look({})).toEqual(["ok"]);
  expect(await look({ "/data": { kind: "directory", mode: 0o755, uid: 990 } })).toEqual([
    expect.stringMatching(/^warning: .*open to other accounts \(mode 0755\) -> sudo chmod 700/),
  ]);
  expect((await look({ "/data": { kind: "directory", mode: 0o500, uid: 990 } }))[0]).toMatch(
    /^wrong: .*mode 0500/,
  );
  expect((await look({ "/data": { kind: "file" } }))[0]).toMatch(/^wrong: .*no directory/);
  expect(await look({ "/data/site-list.json": { mode: 0o600 } })).toEqual([
    "ok",
    expect.stringMatching(/^wrong: \/data\/site-list.json belongs to another account .*chown -R grindvakt/),
  ]);
  const bare = paperMachine({});
  expect(told(await lookAtDataDir(bare, "/data", await gatewayAccount(bare, "/data")))[0]).toMatch(
    /^warning: .*not there/,
  );
});

test("secrets and certificates that the gateway's account cannot read, or everybody can", async () => {
  const nodes = {
    ...PI,
    "/keys/mine": { mode: 0o600, uid: 990 },
    "/keys/roots": { mode: 0o600 },
    "/keys/all": { mode: 0o644 },
  };
  const machine = paperMachine(nodes);
  const account = await gatewayAccount(machine, "/data");
  const secret = async (file: string, refused: string | null = null) =>
    told([await lookAtSecret(machine, { path: "mqtt.password", place: { file }, refused }, account)])[0];
  expect(await secret("/keys/mine")).toBe("ok");
  expect(await secret("/keys/roots")).toMatch(/^wrong: .*not open to grindvakt -> sudo chown grindvakt/);
  expect(await secret("/keys/all", "/keys/all is open to other users: chmod 600 /keys/all")).toMatch(
    /^wrong/,
  );
  const env = { path: "mqtt.password", place: { env: "PASSWORD" }, refused: "PASSWORD is not set" };
  expect(told([await lookAtSecret(machine, env, account)])[0]).toMatch(/^warning: .*EnvironmentFile/);
  const file = async (path: string, isKey: boolean) =>
    told([
      await lookAtFile(machine, { path: "mqtt.tls.key", file: path, isKey, todo: "put it there" }, account),
    ])[0];
  expect(await file("/keys/absent", false)).toBe("wrong: /keys/absent is not there -> put it there");
  expect(await file("/keys/roots", false)).toMatch(/^wrong: .*mode 0600\) -> sudo chmod a\+r/);
  expect(await file("/keys/all", true)).toMatch(/^warning: .*chmod 600/);
  expect(await file("/keys/all", false)).toBe("ok");
});
