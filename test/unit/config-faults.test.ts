/** What `grindvakt check` says of faults: the fixture holds a whole file, the tables one change each. */
import { describe, expect, it } from "vitest";
import { faultsOf, fixture, lines, withValue } from "./config-site.ts";

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
