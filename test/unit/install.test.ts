/** What `install` writes, by facts: the devices of the configuration and no others, in systemd's own judgement where it is here. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Configuration } from "../../config/schema.ts";
import { needsOf, programOf } from "../../daemon/commands/install-site.ts";
import { loadSite } from "../../daemon/commands/terms.ts";
import type { Need, Needs } from "../../daemon/install/needs.ts";
import { type Paper, papersOf, standingOf, stepsOf } from "../../daemon/install/papers.ts";
import { udevText } from "../../daemon/install/rules.ts";
import { unitText, word } from "../../daemon/install/unit.ts";
import { createSystem } from "../../drivers/system.ts";

const SITE = `
gateway: { id: gate-07, site: slussen }
dataDir: /var/lib/grindvakt
cards: { feed: "https://lists.example.se/", root: ./root.json, username: a, password: { file: ./feed-password } }
readers:
  - { id: a, driver: serial, port: /dev/serial/by-id/usb-FTDI-if00 }
  - { id: b, driver: osdp, port: /dev/ttyAMA0, address: 1, scbk: { file: ./keys/b } }
  - { id: c, driver: pcsc, name: ACR }
  - { id: d, driver: hid, vendorId: 0x08ff, productId: 0x0009 }
  - { id: e, driver: serial, port: "tcp://10.0.0.5:4001" }
accessPoints:
  - { id: north-in, direction: entry, readers: [a, b, c, d], relay: { driver: gpio, line: 4 } }
  - { id: north-out, direction: exit, readers: [e], relay: { driver: hid-relay, channel: 1 } }
mqtt: { urls: ["mqtts://broker:8883"], username: a, password: { env: MQTT_PASSWORD }, tls: { cert: ./c.pem, key: ./k.pem } }
`;

const PROGRAM = ["/usr/bin/node", "/usr/lib/grindvakt/cli.js"];

async function siteOf(text: string): Promise<Configuration> {
  const dir = await mkdtemp(join(tmpdir(), "grindvakt-install-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const file = join(dir, "gate.yaml");
  await writeFile(file, text.replaceAll("./", "/etc/grindvakt/"));
  const system = await createSystem();
  try {
    return await loadSite(file, system.files);
  } finally {
    system.stop();
  }
}

async function needs(text = SITE): Promise<Needs> {
  return needsOf("/etc/grindvakt/grindvakt.yaml", await siteOf(text), PROGRAM);
}

const bare: Needs = {
  gateway: "gate-07",
  configFile: "/etc/grindvakt/grindvakt.yaml",
  program: PROGRAM,
  account: "grindvakt",
  dataDir: "/var/lib/grindvakt",
  devices: [],
  credentials: [],
  variables: [],
  paths: [],
};

/** The values of a key of the unit, in order. */
function valuesOf(unit: string, key: string): string[] {
  return [...unit.matchAll(new RegExp(`^${key}=(.*)$`, "gm"))].map(([, value]) => value!);
}

describe("the unit", () => {
  test("starts the daemon, is told how it is, and releases the relays after each end", async () => {
    const unit = unitText(await needs());
    expect(valuesOf(unit, "ExecStart")).toEqual([
      "/usr/bin/node /usr/lib/grindvakt/cli.js run -c /etc/grindvakt/grindvakt.yaml",
    ]);
    expect(valuesOf(unit, "ExecStopPost")).toEqual([
      "/usr/bin/node /usr/lib/grindvakt/cli.js release -c /etc/grindvakt/grindvakt.yaml",
    ]);
    const facts = { Type: "notify", NotifyAccess: "all", Restart: "always", StartLimitIntervalSec: "0" };
    for (const [key, value] of Object.entries({ ...facts, RestartPreventExitStatus: "2" }))
      expect(valuesOf(unit, key)).toEqual([value]);
  });

  test("lets in the devices of the configuration, and no others", async () => {
    expect(valuesOf(unitText(await needs()), "DeviceAllow").toSorted()).toEqual([
      "/dev/gpiochip0 rw",
      "/dev/ttyAMA0 rw",
      "char-hidraw rw",
      "char-ttyACM rw",
      "char-ttyUSB rw",
      "char-usb_device rw",
    ]);
    const unit = unitText(bare);
    expect(valuesOf(unit, "DeviceAllow")).toEqual([]);
    expect(valuesOf(unit, "DevicePolicy")).toEqual(["closed"]);
    expect(valuesOf(unit, "PrivateDevices")).toEqual(["yes"]);
    expect(valuesOf(unit, "Wants")).toEqual([]);
  });

  test("has the kernel's modules there before it names their devices", async () => {
    const unit = unitText(await needs());
    for (const name of ["usbserial", "cdc_acm"]) {
      expect(valuesOf(unit, "Wants")[0]).toContain(`modprobe@${name}.service`);
      expect(valuesOf(unit, "After")[0]).toContain(`modprobe@${name}.service`);
    }
  });

  test("hands over secrets that are files, keys of certificates too, and no others", async () => {
    const given = valuesOf(unitText(await needs()), "LoadCredential").map((value) => value.split(":"));
    expect(given.map(([, file]) => file)).toEqual([
      "/etc/grindvakt/feed-password",
      "/etc/grindvakt/keys/b",
      "/etc/grindvakt/k.pem",
    ]);
    // systemd.exec(5): fit for a file's name.
    for (const [name] of given) expect(name).toMatch(/^[A-Za-z0-9_-]{1,255}$/);
    expect(valuesOf(unitText(await needs()), "EnvironmentFile")).toEqual(["-/etc/grindvakt/environment"]);
    expect(valuesOf(unitText(bare), "EnvironmentFile")).toEqual([]);
  });

  test("hands over what systemd-creds has encrypted as such", () => {
    const credentials = [{ name: "token-key-1", file: "/etc/grindvakt/token.key", encrypted: true }];
    const unit = unitText({ ...bare, credentials });
    expect(valuesOf(unit, "LoadCredentialEncrypted")).toEqual(["token-key-1:/etc/grindvakt/token.key.cred"]);
    expect(valuesOf(unit, "LoadCredential")).toEqual([]);
  });

  test("owns its directory, wherever that is, and sees /home only where the configuration leads there", () => {
    expect(valuesOf(unitText(bare), "StateDirectory")).toEqual(["grindvakt"]);
    expect(valuesOf(unitText({ ...bare, dataDir: "/srv/gate 7" }), "ReadWritePaths")).toEqual([
      '"/srv/gate 7"',
    ]);
    expect(stepsOf({ ...bare, dataDir: "/srv/gate 7" }).join("\n")).toContain("/srv/gate 7");
    expect(valuesOf(unitText({ ...bare, dataDir: "/var/lib/../../etc" }), "StateDirectory")).toEqual([]);
    expect(valuesOf(unitText(bare), "ProtectHome")).toEqual(["yes"]);
    expect(valuesOf(unitText({ ...bare, paths: ["/home/a/root.json"] }), "ProtectHome")).toEqual([
      "read-only",
    ]);
  });

  test("is not made of a path that would begin a line of its own", async () => {
    const site = await siteOf(SITE);
    expect(() => needsOf("/etc/a\nExecStartPre=+/bin/sh", site, PROGRAM)).toThrow(/control character/);
    expect(() => needsOf("/etc/a", site, ["/usr/bin/node", "/srv/a\nb"])).toThrow(/control character/);
  });

  test("takes a dollar sign in a directory for what it is", () => {
    const unit = unitText({ ...bare, dataDir: "/srv/a$b" });
    expect(valuesOf(unit, "ReadWritePaths")).toEqual(['"/srv/a$b"']);
  });

  test("is one line a directive, whatever a path holds", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, unit: "grapheme" }), (name) => {
        fc.pre(!/[\p{Cc}\u2028\u2029]/u.test(name));
        const unit = unitText({ ...bare, configFile: `/etc/${name}` });
        expect(unit.split("\n")).toHaveLength(unitText(bare).split("\n").length);
      }),
    );
    expect(word('a "b" \\ %h $HOME')).toBe('"a \\"b\\" \\\\ %%h $$HOME"');
    expect(word("/etc/grindvakt/gate-07.yaml")).toBe("/etc/grindvakt/gate-07.yaml");
  });

  test("systemd understands it, and finds little exposed", async () => {
    const dir = await mkdtemp(join(tmpdir(), "grindvakt-unit-"));
    onTestFinished(() => rm(dir, { recursive: true, force: true }));
    for (const [name, needed] of Object.entries({
      site: await needs(),
      any: { ...bare, devices: null },
      bare,
    })) {
      const file = join(dir, `grindvakt-${name}.service`);
      // The check looks for programs: this one is there.
      await writeFile(file, unitText({ ...needed, program: [process.execPath, "/cli.js"] }));
      const run = promisify(execFile);
      const verified = await run("systemd-analyze", ["verify", "--recursive-errors=no", file]);
      expect(verified.stderr.split("\n").filter((line) => line.includes("grindvakt"))).toEqual([]);
      const judged = await run("systemd-analyze", ["security", "--offline=true", "--threshold=20", file]);
      expect(Number(/exposure level.*: ([0-9.]+)/.exec(judged.stdout)?.[1])).toBeLessThanOrEqual(2);
    }
  });
});

describe("udev's rules", () => {
  const rules = (devices: readonly Need[]) =>
    udevText({ ...bare, devices })
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"));

  test("open each device to the account alone, by its lasting name or its numbers", async () => {
    const { devices } = await needs();
    const text = rules(devices ?? []).join("\n");
    expect(text).toContain('SYMLINK=="serial/by-id/usb-FTDI-if00", GROUP:="grindvakt", MODE:="0660"');
    expect(text).toContain('KERNEL=="ttyAMA0", GROUP:="grindvakt"');
    expect(text).toContain('ATTR{idVendor}=="08ff", ATTR{idProduct}=="0009", GROUP:="grindvakt"');
    expect(text).toContain('ATTRS{idVendor}=="16c0", ATTRS{idProduct}=="05df", GROUP:="grindvakt"');
    expect(text).toContain('SUBSYSTEM=="gpio", KERNEL=="gpiochip0"');
    expect(text).toContain('ATTR{latency_timer}="1"');
  });

  test("keep the kernel's keyboard off a reader that types, and off nothing else", () => {
    const usb = { kind: "usb", vendorId: 1, productId: 2 } as const;
    expect(rules([{ ...usb, types: true }]).filter((rule) => rule.includes("unbind"))).toHaveLength(1);
    expect(rules([{ ...usb, types: false }]).filter((rule) => rule.includes("unbind"))).toEqual([]);
  });

  test("are one line each and quote nothing, whatever a port is called", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, unit: "grapheme" }), (name) => {
        const found = rules([{ kind: "serial", path: `/dev/serial/by-id/${name}`, isOsdp: false }]);
        expect(found).toHaveLength(1);
        expect(found[0]).toMatch(
          /^SUBSYSTEM=="tty", SYMLINK=="[A-Za-z0-9#+.:=@_/?-]+", GROUP:="grindvakt", /,
        );
      }),
    );
  });
});

describe("files", () => {
  test("are those that the configuration needs", async () => {
    const pathsOf = (found: Needs) => papersOf(found).map(({ path }) => path);
    const always = ["/etc/sysusers.d/grindvakt.conf", "/etc/systemd/system/grindvakt.service"];
    expect(pathsOf(bare)).toEqual(always);
    expect(pathsOf({ ...bare, devices: [{ kind: "pcsc" }] })).toEqual([
      ...always,
      "/etc/modprobe.d/grindvakt.conf",
      "/etc/polkit-1/rules.d/50-grindvakt.rules",
    ]);
    expect(pathsOf(await needs())).toHaveLength(5);
  });

  test("say where the account is at home in one word, whatever that holds", async () => {
    const dir = await mkdtemp(join(tmpdir(), "grindvakt-account-"));
    onTestFinished(() => rm(dir, { recursive: true, force: true }));
    for (const dataDir of ["/var/lib/grindvakt", '/srv/gate 7 %h "b" c\\d']) {
      const [account] = papersOf({ ...bare, dataDir });
      const file = join(dir, "account.conf");
      await writeFile(file, account!.content);
      const told = await promisify(execFile)("systemd-sysusers", ["--dry-run", file]);
      expect(told.stderr).toContain("Creating user 'grindvakt' (Grindvakt, the gateway)");
    }
  });

  test("that somebody else wrote or changed are told from our own", () => {
    const [, unit] = papersOf(bare) as [Paper, Paper];
    const [, older] = papersOf({ ...bare, gateway: "gate-08" }) as [Paper, Paper];
    expect(standingOf(null, unit)).toBe("absent");
    expect(standingOf(unit.content, unit)).toBe("same");
    expect(standingOf(older.content, unit)).toBe("ours");
    expect(standingOf(older.content.replace("Restart=always", "Restart=no"), unit)).toBe("changed");
    expect(standingOf("[Unit]\n", unit)).toBe("foreign");
  });
});

test("the program is started by the name it was called by, which stays when another version takes its place", () => {
  const link = "/usr/lib/grindvakt/current";
  expect(programOf(`${link}/node`, "/usr/lib/grindvakt/run-1/node", `${link}/dist/daemon/cli.js`)).toEqual([
    `${link}/node`,
    `${link}/dist/daemon/cli.js`,
  ]);
  expect(programOf("node", "/usr/bin/node", "/usr/local/bin/grindvakt")).toEqual([
    "/usr/bin/node",
    "/usr/local/bin/grindvakt",
  ]);
});
