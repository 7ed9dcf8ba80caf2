/**
 * The account that the gateway runs as, and what it may open. `doctor` is mostly run by root, to whom everything is
 * open: what counts is what the gateway's own account may do, and that is judged by owner, groups and mode.
 */
import type { Machine, Seen } from "../../drivers/ports.ts";

const ROOT = 0;
/** Where `grindvakt install` writes, and what goes after it: the package's own. */
const UNITS = ["/etc/systemd/system", "/lib/systemd/system"] as const;
const UNIT = /^grindvakt.*\.service$/;

export interface Account {
  uid: number;
  name: string;
  /** Group numbers. */
  groups: ReadonlySet<number>;
  /** Files that systemd hands to the service, whoever may read them; encrypted ones under the names they have so. */
  handed: ReadonlySet<string>;
}

/** Whose directory `dataDir` is; before the first start there is none, and it is whoever asks. */
export async function gatewayAccount(machine: Machine, dataDir: string): Promise<Account> {
  const uid = (await machine.look(dataDir))?.uid ?? machine.uid;
  const users = rowsOf(await machine.text("/etc/passwd"));
  const [name = `uid ${uid}`, , , gid] = users.find(([, , id]) => Number(id) === uid) ?? [];
  const groups = new Set(gid === undefined ? [] : [Number(gid)]);
  const units = await unitsOf(machine);
  const given = new Set(valuesOf(units, "SupplementaryGroups").flatMap((names) => names.split(/\s+/)));
  const handed = new Set(
    [...valuesOf(units, "LoadCredential"), ...valuesOf(units, "LoadCredentialEncrypted")].map((value) =>
      value.replace(/^[^:]*:/, "").replaceAll("%%", "%"),
    ),
  );
  for (const [group = "", , id, members = ""] of rowsOf(await machine.text("/etc/group"))) {
    if (given.has(group) || members.split(",").includes(name)) groups.add(Number(id));
  }
  return { uid, name, groups, handed };
}

/** What systemd adds when it starts the gateway: groups that are in no group file, and secrets. */
async function unitsOf(machine: Machine): Promise<string> {
  for (const dir of UNITS) {
    const names = (await machine.names(dir)).filter((name) => UNIT.test(name));
    if (names.length === 0) continue;
    const texts = await Promise.all(names.map((name) => machine.text(`${dir}/${name}`)));
    return texts.join("\n");
  }
  return "";
}

function valuesOf(units: string, key: string): string[] {
  return [...units.matchAll(new RegExp(`^${key}=(.*)$`, "gm"))].map(([, value = ""]) => value.trim());
}

export async function groupName(machine: Machine, gid: number): Promise<string> {
  const group = rowsOf(await machine.text("/etc/group")).find(([, , id]) => Number(id) === gid);
  return group?.[0] ?? `gid ${gid}`;
}

/** By the mode alone; what access lists (`setfacl`) add is not seen. */
export function mayUse(account: Account, seen: Seen, how: "read" | "write"): boolean {
  if (account.uid === ROOT) return true;
  const bit = how === "read" ? 0o4 : 0o2;
  if (seen.uid === account.uid) return (seen.mode & (bit << 6)) !== 0;
  if (account.groups.has(seen.gid)) return (seen.mode & (bit << 3)) !== 0;
  return (seen.mode & bit) !== 0;
}

function rowsOf(text: string | null): string[][] {
  return (text ?? "").split("\n").map((line) => line.split(":"));
}

export function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}
