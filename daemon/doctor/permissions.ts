/**
 * Whether the gateway's account may read and write what the configuration names: its directory, secrets and certificates.
 */
import type { Machine } from "../../drivers/ports.ts";
import { type Account, mayUse, octal } from "./account.ts";
import { type Finding, findings } from "./finding.ts";

const { ok, warning, wrong } = findings("permissions");
/** Permission bits of group and others. */
const OTHERS_BITS = 0o077;

/** `refused`: why the secret cannot be had by whoever asks, or null. */
export interface SecretUse {
  /** Where it stands in the configuration. */
  path: string;
  place: { file: string } | { env: string };
  refused: string | null;
}

export interface FileUse {
  path: string;
  file: string;
  /** A private key. */
  isKey: boolean;
  /** What to do where it is not there. */
  todo: string;
}

export async function lookAtDataDir(machine: Machine, dataDir: string, account: Account): Promise<Finding[]> {
  const seen = await machine.look(dataDir);
  if (seen === null)
    return [
      warning("dataDir", `${dataDir} is not there`, "it is made when the gateway starts for the first time"),
    ];
  if (seen.kind !== "directory")
    return [
      wrong("dataDir", `${dataDir} is no directory`, "name another dataDir, or take away what is there"),
    ];
  const own = seen.uid === account.uid && (seen.mode & 0o700) === 0o700;
  if (!own)
    return [
      wrong(
        "dataDir",
        `${dataDir} has mode ${octal(seen.mode)}`,
        `sudo chmod 700 ${dataDir}: its owner must write there`,
      ),
    ];
  if ((seen.mode & OTHERS_BITS) !== 0)
    return [
      warning(
        "dataDir",
        `${dataDir} is open to other accounts (mode ${octal(seen.mode)})`,
        `sudo chmod 700 ${dataDir}: the journal names everybody who passed`,
      ),
    ];
  return [
    ok("dataDir", `${dataDir} belongs to ${account.name}`),
    ...(await lookInside(machine, dataDir, account)),
  ];
}

/** What a command that was run by another account left there: the gateway cannot go on with it. */
async function lookInside(machine: Machine, dataDir: string, account: Account): Promise<Finding[]> {
  const strange: string[] = [];
  for (const name of await machine.names(dataDir)) {
    const path = `${dataDir}/${name}`;
    const seen = await machine.look(path);
    if (seen !== null && seen.uid !== account.uid && !mayUse(account, seen, "write")) strange.push(path);
  }
  return strange.map((path) =>
    wrong(
      "dataDir",
      `${path} belongs to another account than ${account.name}`,
      `sudo chown -R ${account.name} ${dataDir}`,
    ),
  );
}

export async function lookAtSecret(machine: Machine, secret: SecretUse, account: Account): Promise<Finding> {
  const { path, place, refused } = secret;
  if ("env" in place) {
    // The service's environment is not ours.
    return refused === null
      ? ok(path, `${place.env} is set`)
      : warning(path, refused, "see that the service has it: EnvironmentFile= in its unit");
  }
  if (account.handed.has(`${place.file}.cred`))
    return ok(path, `${place.file}.cred, which only systemd can read, for the service`);
  if (refused !== null) return wrong(path, refused, "the gateway does not start until this is done");
  const seen = await machine.look(place.file);
  if (seen !== null && !account.handed.has(place.file) && !mayUse(account, seen, "read"))
    return wrong(
      path,
      `${place.file} is not open to ${account.name}`,
      `sudo chown ${account.name} ${place.file}`,
    );
  return ok(path, place.file);
}

/** `file`: where `cards.tokenKey` is read from; null: from the environment; undefined: it is left out. */
export function lookAtTokenKey(file: string | null | undefined, dataDir: string): Finding[] {
  const todo = `name a file outside ${dataDir} as cards.tokenKey: { file: … }, then sudo grindvakt install, which makes it`;
  if (file === undefined)
    return [
      warning("cards.tokenKey", `not set: the key of the chip UIDs lies in ${dataDir}, beside them`, todo),
    ];
  if (file?.startsWith(`${dataDir}/`) !== true) return [];
  return [warning("cards.tokenKey", `${file} lies in dataDir, beside the chip UIDs that it hides`, todo)];
}

export async function lookAtFile(machine: Machine, use: FileUse, account: Account): Promise<Finding> {
  const { path, file, isKey, todo } = use;
  const seen = await machine.look(file);
  if (seen === null) return wrong(path, `${file} is not there`, todo);
  if (!account.handed.has(file) && !mayUse(account, seen, "read"))
    return wrong(
      path,
      `${file} is not open to ${account.name} (mode ${octal(seen.mode)})`,
      isKey ? `sudo chown ${account.name} ${file}` : `sudo chmod a+r ${file}`,
    );
  if (isKey && (seen.mode & OTHERS_BITS) !== 0)
    return warning(path, `${file} is open to other accounts (mode ${octal(seen.mode)})`, `chmod 600 ${file}`);
  return ok(path, file);
}
