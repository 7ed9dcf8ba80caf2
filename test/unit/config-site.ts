/** The smallest site's configuration, one with a value of the test's own, and what is said of either. */
import { readFileSync } from "node:fs";
import { parse, stringify } from "yaml";
import type { Drivers } from "../../config/device-checks.ts";
import { type Fault, formatFault } from "../../config/faults.ts";
import { parseConfiguration } from "../../config/load.ts";
import type { Configuration } from "../../config/schema.ts";

const FIXTURES = "test/fixtures/config";
export const DRIVERS: Drivers = {
  readers: ["serial", "virtual"],
  relays: ["serial-relay", "virtual"],
  inputs: ["virtual"],
};
export const EVERY_DRIVER: Drivers = {
  readers: ["serial", "virtual", "pcsc", "osdp", "hid"],
  relays: ["serial-relay", "virtual", "hid-relay", "gpio", "osdp-output"],
  inputs: ["gpio", "osdp-input", "virtual"],
};
export const MINIMAL = `
gateway: { id: gate-1, site: test }
cards: { feed: ./feed, root: root.json }
readers:
  - { id: in, driver: virtual }
accessPoints:
  - { id: in, direction: entry, readers: [in] }
`;

export function fixture(name: string): string {
  return readFileSync(`${FIXTURES}/${name}`, "utf8");
}

export function load(text: string, drivers = DRIVERS): { configuration: Configuration; warnings: Fault[] } {
  const result = parseConfiguration(text, "/etc/grindvakt", drivers);
  if (result.kind === "faults") throw new Error(lines(result.faults));
  return result;
}

export function faultsOf(text: string, drivers = DRIVERS): Fault[] {
  const result = parseConfiguration(text, "/etc/grindvakt", drivers);
  return result.kind === "faults" ? result.faults : [];
}

export function lines(faults: readonly Fault[], file = "site.yaml"): string {
  return faults.map((fault) => `${formatFault(file, fault)}\n`).join("");
}

/** The minimal configuration with one value set, by a path such as `cards.refreshSeconds`. */
export function withValue(path: string, value: unknown): string {
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
