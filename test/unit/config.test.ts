/** What a gateway gets of its file: every default, path and size, the warnings beside it, and what is no file at all. */
import { describe, expect, it } from "vitest";
import { FILE_BYTES_MAX, loadConfiguration } from "../../config/load.ts";
import { DRIVERS, EVERY_DRIVER, faultsOf, fixture, lines, load, MINIMAL, withValue } from "./config-site.ts";

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

describe("what stands open", () => {
  const at = (host: string): string =>
    MINIMAL.replace("./feed", `"http://${host}/"`).concat(
      `mqtt: { urls: ["mqtt://${host}:1883"] }\nconsole: { listen: "${host}:8606" }\n`,
    );

  it.each(["127.0.0.1", "127.1.2.3", "localhost", "[::1]"])("is nothing at %s", (host) => {
    expect(load(at(host)).warnings).toEqual([]);
  });

  it.each(["10.0.0.1", "127.example.se", "localhost.example.se", "gate", "[::]", "[fe80::1]"])(
    "is all at %s: the console is refused without a password, and each of the others is warned of",
    (host) => {
      expect(lines(faultsOf(at(host)))).toContain(
        "console.listen: is open to the network without a password",
      );
      const { warnings } = load(at(host).replace('8606"', '8606", password: { env: P }'));
      expect(warnings.map(({ path }) => path)).toEqual(["cards.feed", "mqtt.urls[0]", "console.listen"]);
    },
  );
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
