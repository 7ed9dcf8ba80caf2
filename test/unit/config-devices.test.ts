/** What devices may share, and what each input and OSDP reader needs. */
import { describe, expect, it } from "vitest";
import { EVERY_DRIVER, faultsOf, lines, load, MINIMAL } from "./config-site.ts";

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
