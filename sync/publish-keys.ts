/** The keys at hand: found by what root metadata says of them, whatever their files are called beside `ROLE….pem`. */
import type { Root } from "@tufjs/models";
import type { RoleName } from "./feed-metadata.ts";
import { KEY_FILE_BYTES_MAX, KeyFault, readKeyText, type SigningKey } from "./keys.ts";
import {
  CentreFault,
  type CentreWorld,
  type Place,
  type Repository,
  type SigningKeys,
} from "./publish-repository.ts";

export interface KeyFile {
  path: string;
  key: SigningKey;
}

/** Where the keys of a role are. */
export function keyDirs(role: RoleName, { keysDir, rootKeysDir, moreRootKeysDirs = [] }: Place): string[] {
  return role === "root" ? [...new Set([rootKeysDir, ...moreRootKeysDirs])] : [keysDir];
}

/** Every key file of a role, opened. */
export async function findKeys(
  role: RoleName,
  place: Place,
  { keyFiles }: Pick<CentreWorld, "keyFiles">,
): Promise<KeyFile[]> {
  const found: KeyFile[] = [];
  for (const dir of keyDirs(role, place)) {
    const names = (await keyFiles.names(dir)).filter((name) => isKeyName(name, role));
    for (const name of names) {
      const path = `${dir}/${name}`;
      const bytes = await keyFiles.read(path, KEY_FILE_BYTES_MAX);
      if (bytes !== null) found.push({ path, key: readKey(path, bytes, place.passphrase) });
    }
  }
  return found;
}

function isKeyName(name: string, role: RoleName): boolean {
  return (
    name === keyName(role, 1) ||
    (name.startsWith(`${role}-`) && /^\d+\.pem$/.test(name.slice(role.length + 1)))
  );
}

/** What the file of a role's `place`th key is called, from 1. */
export function keyName(role: RoleName, place: number): string {
  return place === 1 ? `${role}.pem` : `${role}-${place}.pem`;
}

/** The keys of `role` that `root` names, enough of them to sign. */
export async function openKeys(
  role: RoleName,
  root: Root,
  place: Place,
  world: Pick<CentreWorld, "keyFiles">,
): Promise<SigningKey[]> {
  const found = await findKeys(role, place, world);
  const [dir] = keyDirs(role, place);
  if (found.length === 0) {
    throw new CentreFault(`${dir}/${keyName(role, 1)} is not there: the ${role} key is needed`);
  }
  const { keyIDs, threshold } = root.roles[role]!;
  const keys = found.map(({ key }) => key).filter(({ id }) => keyIDs.includes(id));
  if (keys.length === 0) {
    throw new CentreFault(`${found[0]!.path} is no key that root.json names for ${role}`);
  }
  if (keys.length < threshold) {
    const more = role === "root" ? "; give --root-keys for each place they are in" : "";
    throw new CentreFault(
      `root.json wants ${threshold} signatures for ${role}, and ${keys.length} of its keys are here${more}`,
    );
  }
  return keys;
}

/** The keys that every change of a feed needs. */
export async function openSigningKeys(
  place: Place,
  { root }: Pick<Repository, "root">,
  world: Pick<CentreWorld, "keyFiles">,
): Promise<SigningKeys> {
  return {
    targets: await openKeys("targets", root.model.signed, place, world),
    snapshot: await openKeys("snapshot", root.model.signed, place, world),
    timestamp: await openKeys("timestamp", root.model.signed, place, world),
  };
}

function readKey(path: string, bytes: Uint8Array, passphrase: string | null): SigningKey {
  try {
    return readKeyText(Buffer.from(bytes).toString(), passphrase);
  } catch (error) {
    if (!(error instanceof KeyFault)) throw error;
    throw new CentreFault(`${path} ${error.message}`);
  }
}
