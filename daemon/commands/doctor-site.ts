/**
 * What a configuration names that `doctor` looks at: devices, secrets, files and certificates.
 */
import type { Configuration } from "../../config/schema.ts";
import { readSecret } from "../../config/secrets.ts";
import type { Secret } from "../../config/words.ts";
import { BOARD_IDS } from "../../drivers/hid-boards.ts";
import { readSecretFile } from "../../drivers/secret-file.ts";
import type { DeviceState, DeviceUse, Place } from "../doctor/devices.ts";
import type { FileUse, SecretUse } from "../doctor/permissions.ts";
import type { Status } from "../report/status.ts";
import { parseTokenKey, TOKEN_KEY_WORDS } from "../token-key.ts";

/** Every reader, relay and contact, with what a running gateway says of it. */
export function devicesOf({ readers, accessPoints }: Configuration, status: Status | null): DeviceUse[] {
  return [
    ...readers.map((reader) => ({
      subject: reader.id,
      place: placeOf(reader),
      state: status?.readers[reader.id] ?? null,
    })),
    ...accessPoints.flatMap(({ id, relay }) =>
      relay === undefined
        ? []
        : [{ subject: `relay of ${id}`, place: placeOf(relay), state: status?.relays[id] ?? null }],
    ),
    ...accessPoints.flatMap(({ id, inputs = {} }) =>
      (Object.keys(inputs) as (keyof typeof inputs)[]).flatMap((use) => {
        const input = inputs[use];
        const known = status?.inputs[id]?.[use];
        const state = known === undefined ? null : { ...known, state: upIfRead(known.state) };
        return input === undefined ? [] : [{ subject: `${use} of ${id}`, place: placeOf(input), state }];
      }),
    ),
  ];
}

/** A contact that is open or closed is there. */
function upIfRead(state: "starting" | "open" | "closed" | "down"): DeviceState["state"] {
  return state === "open" || state === "closed" ? "up" : state;
}

function placeOf(options: Readonly<Record<string, unknown>> & { driver: string }): Place {
  const { driver, port, vendorId, productId, name, chip, reader } = options;
  if (typeof port === "string")
    return port.startsWith("tcp://")
      ? { kind: "tcp", address: port }
      : { kind: "serial", path: port, isOsdp: driver === "osdp" };
  if (typeof vendorId === "number" && typeof productId === "number")
    return { kind: "usb", vendorId, productId };
  switch (driver) {
    case "hid-relay":
      return { kind: "usb", ...BOARD_IDS };
    case "pcsc":
      return { kind: "pcsc", name: String(name) };
    case "gpio":
      return { kind: "gpio", chip: `/dev/${typeof chip === "string" ? chip : "gpiochip0"}` };
    case "osdp-output":
    case "osdp-input":
      return { kind: "none", what: `at reader ${String(reader)}` };
    default:
      return { kind: "none", what: `${driver}: nothing is plugged in` };
  }
}

/** Everything the configuration refers to instead of holding it, wherever it stands. */
export function secretsIn(value: unknown, path = ""): { path: string; place: Secret }[] {
  if (typeof value !== "object" || value === null) return [];
  if (Array.isArray(value)) return value.flatMap((item, index) => secretsIn(item, `${path}[${index}]`));
  const [[key, first] = [], ...others] = Object.entries(value);
  if (others.length === 0 && typeof first === "string") {
    if (key === "file") return [{ path, place: { file: first } }];
    if (key === "env") return [{ path, place: { env: first } }];
  }
  return Object.entries(value).flatMap(([name, inner]) =>
    secretsIn(inner, path === "" ? name : `${path}.${name}`),
  );
}

export interface SecretFound {
  use: SecretUse;
  /** Null where it cannot be had. */
  value: string | null;
}

export async function readSecrets(configuration: Configuration): Promise<SecretFound[]> {
  return Promise.all(
    secretsIn(configuration).map(async ({ path, place }) => {
      const outcome = await readSecret(place, process.env, readSecretFile);
      if (outcome.kind === "refused") return { use: { path, place, refused: outcome.why }, value: null };
      const { value } = outcome;
      const isNone = path === "cards.tokenKey" && parseTokenKey(value) === null;
      const refused = isNone ? `not ${TOKEN_KEY_WORDS}` : null;
      return { use: { path, place, refused }, value };
    }),
  );
}

/** TLS files by the section that names them, and what parts of it there are. */
export function tlsIn({ mqtt, cards, console }: Configuration) {
  const sections = { mqtt, cards, console };
  return Object.entries(sections).flatMap(([name, section]) =>
    section?.tls === undefined ? [] : [{ path: `${name}.tls`, ...section.tls }],
  );
}

/** Files that must be there, beside secrets. */
export function filesOf(configuration: Configuration): FileUse[] {
  const { root } = configuration.cards;
  const todo = "copy the feed's root.json to it, over a way that you trust";
  return [
    { path: "cards.root", file: root, isKey: false, todo },
    ...tlsIn(configuration).flatMap(({ path, ...parts }) =>
      (["ca", "cert", "key"] as const).flatMap((part) => {
        const file = parts[part];
        const use = { path: `${path}.${part}`, isKey: part === "key", todo: "put the PEM file there" };
        return file === undefined ? [] : [{ ...use, file }];
      }),
    ),
  ];
}
