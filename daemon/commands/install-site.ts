/** From a configuration to what its service needs of the machine. */
import { resolve } from "node:path";
import type { Configuration } from "../../config/schema.ts";
import { credentialName } from "../../drivers/secret-file.ts";
import type { Place } from "../doctor/devices.ts";
import { type Need, type Needs, without } from "../install/needs.ts";
import { devicesOf, filesOf, secretsIn } from "./doctor-site.ts";
import { Exit } from "./exit.ts";

const ACCOUNT = "grindvakt";

export function needsOf(file: string, configuration: Configuration, program: readonly string[]): Needs {
  const { gateway, dataDir, cards } = configuration;
  // Those in the configuration are looked at where it is read.
  const ours = [resolve(file), ...program].find((path) => /\p{Cc}/u.test(path));
  if (ours !== undefined)
    throw new Exit(
      2,
      `no unit can name ${JSON.stringify(ours)}: it holds a line break or another control character`,
    );
  const secrets = secretsIn(configuration).map(({ place }) => place);
  const keys = filesOf(configuration).filter(({ isKey }) => isKey);
  const secretFiles = [
    ...secrets.flatMap((place) => ("file" in place ? [place.file] : [])),
    ...keys.map((key) => key.file),
  ];
  return {
    gateway: gateway.id,
    configFile: resolve(file),
    program,
    account: ACCOUNT,
    dataDir,
    devices: without(
      devicesOf(configuration, null).flatMap(({ place }) => needOf(place, typing(configuration))),
    ),
    credentials: without(secretFiles).map((path) => ({ name: credentialName(path), file: path })),
    variables: without(secrets.flatMap((place) => ("env" in place ? [place.env] : []))),
    paths: [
      ...filesOf(configuration).map((use) => use.file),
      ...(cards.feed.startsWith("/") ? [cards.feed] : []),
    ],
  };
}

/** The USB readers that type, as `vendor:product`. */
function typing({ readers }: Configuration): ReadonlySet<string> {
  return new Set(
    readers.flatMap((reader) =>
      reader.driver === "hid" && reader.mode === "keyboard" ? [`${reader.vendorId}:${reader.productId}`] : [],
    ),
  );
}

function needOf(place: Place, types: ReadonlySet<string>): Need[] {
  switch (place.kind) {
    case "serial":
      return [place];
    case "usb":
      return [{ ...place, types: types.has(`${place.vendorId}:${place.productId}`) }];
    case "pcsc":
      return [{ kind: "pcsc" }];
    case "gpio":
      return [place];
    case "tcp":
    case "none":
      return [];
  }
}

/**
 * The words that start this program again, as it was called: a name that stays when another version takes its place. A path to Node
 * itself is taken where it was found by its name alone.
 */
export function programOf(argv0: string, execPath: string, script: string): string[] {
  return [argv0.startsWith("/") ? argv0 : execPath, script];
}
