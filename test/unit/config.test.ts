/** What `grindvakt check` says: the fixtures hold whole files, the table one change each. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import type { Drivers } from "../../config/device-checks.ts";
import { type Fault, formatFault } from "../../config/faults.ts";
import { FILE_BYTES_MAX, loadConfiguration, parseConfiguration } from "../../config/load.ts";
import type { Configuration } from "../../config/schema.ts";

const FIXTURES = "test/fixtures/config";
const DRIVERS: Drivers = {
  readers: ["serial", "virtual"],
  relays: ["serial-relay", "virtual"],
  inputs: ["virtual"],
};
const EVERY_DRIVER: Drivers = {
  readers: ["serial", "virtual", "pcsc", "osdp", "hid"],
  relays: ["serial-relay", "virtual", "hid-relay", "gpio", "osdp-output"],
  inputs: ["gpio", "osdp-input", "virtual"],
};
const MINIMAL = `
gateway: { id: gate-1, site: test }
cards: { feed: ./feed, root: root.json }
readers:
  - { id: in, driver: virtual }
accessPoints:
  - { id: in, direction: entry, readers: [in] }
`;

function fixture(name: string): string {
  return readFileSync(`${FIXTURES}/${name}`, "utf8");
}

function load(text: string, drivers = DRIVERS): { configuration: Configuration; warnings: Fault[] } {
  const result = parseConfiguration(text, "/etc/grindvakt", drivers);
  if (result.kind === "faults") throw new Error(lines(result.faults));
  return result;
}

function faultsOf(text: string, drivers = DRIVERS): Fault[] {
  const result = parseConfiguration(text, "/etc/grindvakt", drivers);
  return result.kind === "faults" ? result.faults : [];
}

function lines(faults: readonly Fault[], file = "site.yaml"): string {
  return faults.map((fault) => `${formatFault(file, fault)}\n`).join("");
}

/** The minimal configuration with one value set, by a path such as `cards.refreshSeconds`. */
function withValue(path: string, value: unknown): string {
  const draft = parse(MINIMAL);
  const keys = path.split(".");
  const last = keys.pop()!;
  let place = draft;
  for (const key of keys) {
    place[key] ??= {};
    place = place[key];
  }
  place[last] = value;
  return stringify(draft);
}

describe("a configuration", () => {
  it("has every default filled in, paths absolute and sizes in bytes", () => {
    expect(load(MINIMAL)).toEqual({
      kind: "loaded",
      configuration: {
        gateway: { id: "gate-1", site: "test", timeZone: "Europe/Stockholm" },
        dataDir: "/var/lib/grindvakt",
        cards: {
          feed: "/etc/grindvakt/feed",
          name: "id06",
          root: "/etc/grindvakt/root.json",
          issuers: ["BB"],
          refreshSeconds: 60,
          lateAfterMinutes: 15,
          staleAfterHours: 24,
          whenStale: "grant-listed",
          admit: "listed",
        },
        readers: [{ id: "in", driver: "virtual" }],
        accessPoints: [
          {
            id: "in",
            direction: "entry",
            readers: ["in"],
            inputs: {},
            repeatSeconds: 2,
            passback: { mode: "off", resetMinutes: 720 },
            hours: [],
            whenJournalFails: "grant",
          },
        ],
        journal: { keepDays: 740, maxBytes: 2 * 1024 ** 3 },
        log: { level: "info" },
        format: 1,
      },
      warnings: [],
    });
  });

  it("takes every driver of the contract, once it is there", () => {
    const { configuration } = load(fixture("every-driver.yaml"), EVERY_DRIVER);
    expect(configuration.readers.map(({ driver }) => driver)).toEqual([
      "serial",
      "pcsc",
      "osdp",
      "osdp",
      "hid",
    ]);
    expect(configuration.readers[4]).toEqual({
      id: "office",
      driver: "hid",
      vendorId: 0x08ff,
      productId: 9,
      mode: "keyboard",
      layout: "us",
      terminator: "enter",
      keyTimeoutMs: 500,
      reads: { uid: "dec", order: "lsb", bytes: 4 },
    });
    expect(configuration.readers[2]).toMatchObject({ scbk: { file: "/etc/grindvakt/keys/out-1" } });
  });

  it("says which drivers are not in this version", () => {
    const said = lines(faultsOf(fixture("every-driver.yaml")));
    expect(said.match(/driver "[a-z-]+" is not in this version/g)).toEqual(
      ["pcsc", "osdp", "osdp", "hid", "hid-relay", "gpio", "gpio", "osdp-input", "osdp-output"].map(
        (driver) => `driver "${driver}" is not in this version`,
      ),
    );
  });

  it("resolves each path against the folder of the file", () => {
    const { configuration } = load(`${MINIMAL}
dataDir: data
mqtt: { urls: [mqtts://b/], username: u, password: { file: ../p }, tls: { ca: ca.pem, cert: /c.pem, key: k.pem } }
console: {}
`);
    expect(configuration.dataDir).toBe("/etc/grindvakt/data");
    expect(configuration.mqtt).toEqual({
      urls: ["mqtts://b"],
      username: "u",
      password: { file: "/etc/p" },
      tls: { ca: "/etc/grindvakt/ca.pem", cert: "/c.pem", key: "/etc/grindvakt/k.pem" },
      prefix: "grindvakt",
      commands: [],
      homeAssistant: false,
    });
    expect(configuration.console).toEqual({ listen: { host: "127.0.0.1", port: 8606 } });
  });

  it("writes anchors and aliases out, each value its own", () => {
    const { configuration } = load(`
gateway: { id: gate-1, site: test }
cards: { feed: ./feed, root: root.json }
readers: [{ id: in, driver: virtual }, { id: out, driver: virtual }]
accessPoints:
  - { id: in, direction: entry, readers: [in], relay: &relay { driver: virtual }, hours: &hours ["22:00-06:00"] }
  - { id: out, direction: exit, readers: [out], relay: *relay, hours: *hours }
`);
    const [one, two] = configuration.accessPoints;
    expect(two?.relay).toEqual({ driver: "virtual", pulseMs: 800 });
    expect(two?.hours).toEqual(["mon-sun 22:00-06:00"]);
    expect(two?.relay).not.toBe(one?.relay);
  });

  it("is warned of what stands open on a network", async () => {
    await expect(lines(load(fixture("open.yaml")).warnings, "open.yaml")).toMatchFileSnapshot(
      `../fixtures/config/open.txt`,
    );
  });
});

describe("faults", () => {
  it("come all at once, in order, each with its place", async () => {
    await expect(lines(faultsOf(fixture("faulty.yaml")), "faulty.yaml")).toMatchFileSnapshot(
      `../fixtures/config/faulty.txt`,
    );
  });

  it.each<[path: string, value: unknown, said: string]>([
    ["gateway.workplaceId", 123, "gateway.workplaceId: is a number and must be put in quotes"],
    ["gateway.site", true, "gateway.site: is true or false and must be put in quotes"],
    ["gateway.id", "a".repeat(41), "allowed: 1 to 40 of a-z, 0-9 and -"],
    ["gateway", null, "gateway: is empty, allowed: the keys id, site, workplaceId, timeZone"],
    ["cards.refreshSeconds", 0, "is 0, allowed: a whole number from 1 to 86400"],
    ["cards.refreshSeconds", 1.5, "is 1.5, allowed: a whole number from 1 to 86400"],
    ["cards.refreshSeconds", Number.NaN, "is NaN, allowed: a whole number from 1 to 86400"],
    ["cards.refreshSeconds", "60", "is a text and must not be in quotes"],
    ["cards.feed", "ftp://host/", "is no address of a feed, allowed: https://HOST/PATH/"],
    ["cards.feed", "https://host/?a=1", "has a ? or # part"],
    ["cards.password", { env: "P" }, "cards.username: is missing beside password, allowed: a text"],
    ["cards.password", {}, "allowed: { file: PATH } or { env: NAME }"],
    ["cards.password", { env: "A", file: "b" }, "allowed: { file: PATH } or { env: NAME }"],
    ["cards.issuers", [], "is an empty list, allowed: at least one entry"],
    ["cards.root", "", "is an empty path"],
    ["dataDir", "/srv/gate\nExecStartPre=+/bin/sh", "holds a line break or another control character"],
    ["cards.root", "/srv/\u0000", "holds a line break or another control character"],
    ["cards.admit", "Listed", 'is "Listed" (did you mean listed?), allowed: listed, site-allowed'],
    ["journal.maxBytes", "2 TiB", "is too large, allowed: a size from 1MiB to 1TiB"],
    ["journal.maxBytes", 1000, "is too small, allowed: a size from 1MiB to 1TiB"],
    ["console.listen", "8606", "is no address to listen on, allowed: HOST:PORT"],
    ["console.listen", "127.0.0.1:70000", "is no address to listen on"],
    ["console.listen", "10.0.0.1:80", "is open to the network without a password"],
    ["console.tls", { ca: "ca.pem" }, "has no certificate, allowed: cert and key"],
    ["mqtt.prefix", "a/+/b", "allowed: letters, digits, -, _ and ., in levels parted by /"],
    ["mqtt.urls", ["mqtt://broker/path"], "has a path"],
    ["mqtt.url", "mqtt://broker", "mqtt.url: is an unknown key (did you mean urls?)"],
    ["constructor", 1, "constructor: is an unknown key, allowed: gateway"],
    ["readers", {}, "readers: has keys of its own, allowed: a list"],
    ["readers", [], "readers: is an empty list"],
    ["accessPoints.0.passback.mode", false, "is false, allowed: off, report, deny"],
    ["accessPoints.0.readers", ["out"], "readers[0].id: is named by no access point"],
    [
      "accessPoints.0.relay",
      { driver: "serial-relay", port: "/dev/r" },
      "is a virtual reader beside a real relay",
    ],
    ["accessPoints.0.relay.driver", 7, "is 7, allowed: hid-relay, serial-relay, gpio, osdp-output, virtual"],
    [
      "readers.0",
      { id: "in", driver: "serial", port: "tcp://h:0" },
      "is no address of a serial device server",
    ],
    ["readers.0.driver", "serial", "readers[0].port: is missing, allowed: a device such as"],
  ])("%s as %j: %s", (path, value, said) => {
    expect(lines(faultsOf(withValue(path, value)))).toContain(said);
  });

  it.each<[text: string, said: string]>([
    ["", "site.yaml:1:1: (file): is empty"],
    ["# nothing\n", "site.yaml:1:1: (file): is empty"],
    ["~", "site.yaml:1:1: (file): is empty"],
    ["- a\n", "site.yaml:1:1: (file): is a list, allowed: the keys gateway"],
    ["gateway:\n\tid: a\n", "site.yaml:2:1: (file): is not YAML: Tabs are not allowed"],
    ["a: [1\n", "(file): is not YAML: "],
    ["a: 1\n---\nb: 2\n", "site.yaml:2:1: (file): holds several documents, allowed: one"],
    ["%YAML 1.1\n---\na: 1\n", "asks for YAML 1.1, allowed: YAML 1.2"],
    ["gateway: *x\n", "site.yaml:1:10: gateway: *x has no &x before it"],
    ["gateway: !js a\n", "site.yaml:1:10: (file): is not YAML: Unresolved tag: !js"],
    ["log: {}\nlog: {}\n", "site.yaml:2:1: log: is given twice, allowed: once"],
    ["? [a]\n: b\n", "(file): has a key that is no short text"],
    ["gateway: &a [*a]\n", "is larger or nests deeper than any configuration"],
  ])("of the text %j: %s", (text, said) => {
    expect(lines(faultsOf(text))).toContain(said);
  });

  it("name a site without readers once, not at each access point too", () => {
    expect(faultsOf(withValue("readers", [])).map(({ path }) => path)).toEqual(["readers"]);
  });

  it("are shown on one line whatever a key holds", () => {
    expect(lines(faultsOf('"a\\n\\e[31m": 1')).split("\n").at(-2)).toMatch(
      /^site\.yaml:1:1: a\?\?\[31m: is an unknown key/,
    );
  });

  it("are no more than anyone reads", () => {
    const faults = faultsOf(Array.from({ length: 500 }, (_, index) => `key${index}: 1\n`).join(""));
    expect(faults).toHaveLength(101);
    expect(faults.at(-1)?.message).toBe("has 404 more faults");
  });
});

describe("shared ports and names", () => {
  it.each<[first: string, second: string, said: string]>([
    ["driver: osdp, port: /dev/a, address: 1", "driver: osdp, port: /dev/a, address: 2", ""],
    ["driver: osdp, port: /dev/a, address: 1", "driver: osdp, port: /dev/b, address: 1", ""],
    [
      "driver: osdp, port: /dev/a, address: 1",
      "driver: osdp, port: /dev/a, address: 1",
      "address: another device has this address",
    ],
    [
      "driver: osdp, port: /dev/a, address: 1",
      "driver: osdp, port: /dev/a, address: 2, baudRate: 19200",
      "allowed: 9600",
    ],
    [
      "driver: osdp, port: /dev/a, address: 1",
      "driver: serial, port: /dev/a",
      "port: is the port of another device too",
    ],
    [
      "driver: serial, port: /dev/a",
      "driver: serial, port: ../../dev/a",
      "port: is the port of another device too",
    ],
    [
      "driver: serial, port: tcp://A:1",
      "driver: serial, port: tcp://a:1",
      "port: is the port of another device too",
    ],
    ["driver: serial, port: tcp://a:1", "driver: serial, port: tcp://a:2", ""],
    ["driver: pcsc, name: ACR122U 00 00", "driver: pcsc, name: ACR122U 01 00", ""],
    ["driver: pcsc, name: ACR122U", "driver: pcsc, name: ACR122U", "name: may be the name of another reader"],
    [
      "driver: pcsc, name: ACS ACR122U 01 00",
      "driver: pcsc, name: acr122u",
      "name: may be the name of another reader",
    ],
  ])("%s beside %s", (first, second, said) => {
    const text = `
gateway: { id: gate-1, site: test }
cards: { feed: ./feed, root: root.json }
readers: [{ id: one, ${first} }, { id: two, ${second} }]
accessPoints: [{ id: in, direction: entry, readers: [one, two] }]
`;
    const faults = faultsOf(text, EVERY_DRIVER);
    expect(faults).toHaveLength(said === "" ? 0 : 1);
    expect(lines(faults)).toContain(said);
  });
});

describe("OSDP readers", () => {
  const withOutputs = (first: number, second: number) => `
gateway: { id: gate-1, site: test }
cards: { feed: ./feed, root: root.json }
readers:
  - { id: in, driver: osdp, port: /dev/a, address: 1, scbk: { file: ./key } }
  - { id: out, driver: osdp, port: /dev/a, address: 2 }
accessPoints:
  - { id: in, direction: entry, readers: [in], relay: { driver: osdp-output, reader: in, output: ${first} } }
  - { id: out, direction: exit, readers: [out], relay: { driver: osdp-output, reader: in, output: ${second} } }
`;

  it("give each output to one access point", () => {
    expect(lines(faultsOf(withOutputs(1, 1), EVERY_DRIVER))).toBe(
      "site.yaml:9:99: accessPoints[1].relay.output: another device has this output, allowed: one of its own\n",
    );
  });

  it("are warned of where they have no key", () => {
    expect(lines(load(withOutputs(0, 1), EVERY_DRIVER).warnings)).toBe(
      "site.yaml:6:5: readers[1]: anyone at the cable can present cards, better: scbk, the reader's own key\n",
    );
  });
});

describe("inputs", () => {
  const RELAY = "relay: { driver: virtual }, ";
  it.each<[what: string, point: string, said: string]>([
    ["nothing", "", ""],
    [
      "all three",
      `${RELAY}inputs: { passage: { driver: gpio, line: 1 }, request-to-exit: { driver: gpio, line: 2 }, tamper: { driver: virtual } }`,
      "",
    ],
    [
      "passageSeconds",
      "inputs: { passage: { driver: virtual, passageSeconds: 61 } }",
      "passageSeconds: is 61, allowed: a whole number from 1 to 60",
    ],
    [
      "passageSeconds elsewhere",
      "inputs: { tamper: { driver: virtual, passageSeconds: 5 } }",
      "passageSeconds: is an unknown key",
    ],
    ["another use", "inputs: { fire: { driver: virtual } }", "fire: is an unknown key"],
    [
      "a button without a relay",
      "inputs: { request-to-exit: { driver: virtual } }",
      "there is no relay that it could open",
    ],
    ["no line", "inputs: { passage: { driver: gpio } }", "line: is missing"],
    [
      "no chip",
      "inputs: { passage: { driver: gpio, chip: ../x, line: 1 } }",
      "allowed: gpiochip0, gpiochip1 and so on",
    ],
    [
      "one line twice",
      "relay: { driver: gpio, line: 1 }, inputs: { passage: { driver: gpio, line: 1 } }",
      "another device has this line",
    ],
    [
      "one line of two chips",
      "relay: { driver: gpio, line: 1 }, inputs: { passage: { driver: gpio, chip: gpiochip1, line: 1 } }",
      "",
    ],
    ["no OSDP reader", "inputs: { passage: { driver: osdp-input, reader: in } }", "is no OSDP reader"],
    ["no such driver", "inputs: { passage: { driver: pigpio } }", "driver"],
  ])("%s", (_what, point, said) => {
    const text = MINIMAL.replace("driver: virtual", "driver: serial, port: /dev/a").replace(
      "readers: [in] }",
      `readers: [in], ${point} }`,
    );
    const faults = faultsOf(text, EVERY_DRIVER);
    expect(lines(faults)).toContain(said);
    expect(faults).toHaveLength(said === "" ? 0 : 1);
  });
});

describe("reads", () => {
  it.each<[driver: string, reads: string, said: string]>([
    ["serial", "uid", ""],
    ["serial", "{ uid: hex, bytes: 7 }", ""],
    ["serial", "{ uid: hex, bytes: 3, cut: last }", ""],
    ["serial", "{ uid: hex, order: lsb }", "reads.bytes: is missing, allowed: 3, 4, 7, 10"],
    ["serial", "{ uid: hex, bytes: 3 }", "3 bytes are no whole UID"],
    ["serial", "{ uid: hex, bytes: 10, cut: last }", "no UID is longer than 10 bytes"],
    ["serial", "{ uid: hex, bytes: 5 }", "is 5, allowed: 3, 4, 7, 10"],
    ["serial", "{ wiegand: 34 }", "wiegand is not in this version for driver serial"],
    ["osdp, address: 1", "{ wiegand: 34 }", ""],
    ["osdp, address: 1", "{ wiegand: 26 }", "26 bits tell only 65,536 cards apart"],
    ["osdp, address: 1", "{ wiegand: 26, identityOf16Bits: true }", ""],
    ["osdp, address: 1", "{ wiegand: 34, order: lsb, cut: last }", ""],
    [
      "osdp, address: 1",
      "{ wiegand: 58, cut: last }",
      "58 bits hold a whole UID of 7 bytes, allowed: no cut",
    ],
    ["osdp, address: 1", "{ wiegand: 27 }", "is 27, allowed: 26, 32, 34, 37, 40, 56, 58"],
  ])("driver %s, %s", (driver, reads, said) => {
    const text = MINIMAL.replace("driver: virtual", `driver: ${driver}, port: /dev/a, reads: ${reads}`);
    const faults = faultsOf(text, EVERY_DRIVER);
    expect(faults).toHaveLength(said === "" ? 0 : 1);
    expect(lines(faults)).toContain(said);
  });
});

describe("hours", () => {
  it.each([
    ["mon-fri 06:00-18:00", "mon-fri 06:00-18:00"],
    ["Sat  08:00-24:00", "sat 08:00-24:00"],
    ["fri-mon 22:00-06:00", "fri-mon 22:00-06:00"],
    ["00:00-24:00", "mon-sun 00:00-24:00"],
  ])("%s is %s", (written, read) => {
    expect(load(withValue("accessPoints.0.hours", [written])).configuration.accessPoints[0]?.hours).toEqual([
      read,
    ]);
  });

  it.each([
    "mon-fri",
    "mon 6:00-8:00",
    "man 06:00-08:00",
    "mon 06:60-08:00",
    "mon 06:00-24:01",
    "mon 08:00-08:00",
  ])("%s is a fault", (written) => {
    expect(faultsOf(withValue("accessPoints.0.hours", [written]))).toHaveLength(1);
  });
});

describe("a file", () => {
  it("is read whole", async () => {
    const result = await loadConfiguration(
      "/site/a.yaml",
      async () => Buffer.from(`\ufeff${MINIMAL}`),
      DRIVERS,
    );
    expect(result).toMatchObject({ kind: "loaded", configuration: { cards: { root: "/site/root.json" } } });
  });

  it.each<[why: string, read: () => Promise<Uint8Array | null>, said: string]>([
    ["is missing", async () => null, "a.yaml:1:1: (file): cannot be read: there is no such file"],
    [
      "may not be read",
      () => Promise.reject(new Error("EACCES: permission denied")),
      "cannot be read: EACCES",
    ],
    ["is not UTF-8", async () => Uint8Array.of(0xff, 0xfe), "cannot be read: it is not UTF-8"],
    ["is too large", async () => new Uint8Array(FILE_BYTES_MAX + 1), "it is larger than 1048576 bytes"],
  ])("that %s is a fault", async (_why, read, said) => {
    const result = await loadConfiguration("a.yaml", read, DRIVERS);
    expect(result.kind === "faults" ? lines(result.faults, "a.yaml") : "").toContain(said);
  });
});
