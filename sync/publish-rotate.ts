/**
 * Keys are replaced: a new root names the new one. What a role has said is signed by the old and the new key before
 * that, so that it holds under the root before and under the one after, whenever a gateway or a power cut comes between.
 */
import { type Document, expiresMs, ROLES, type RoleName } from "./feed-metadata.ts";
import type { SigningKey } from "./keys.ts";
import { makeKey } from "./publish-feed.ts";
import { findKeys, keyDirs, keyName, openKeys, openSigningKeys } from "./publish-keys.ts";
import {
  CentreFault,
  type CentreWorld,
  locked,
  nextRoot,
  openRepository,
  type Place,
  type Say,
  type SignedRole,
  writeRoot,
  writeUpdate,
} from "./publish-repository.ts";

// ---------------------------------------------------------------- which keys count

/** `path`: where the private half is at hand; null elsewhere, or encrypted with another passphrase. */
export interface RoleKeys {
  role: RoleName;
  threshold: number;
  expiresMs: number;
  keys: { id: string; type: string; path: string | null }[];
}

export async function listKeys(place: Place, world: CentreWorld): Promise<RoleKeys[]> {
  const { root, targets, snapshot, timestamp } = await openRepository(place, world);
  const documents: Record<RoleName, Document<RoleName>> = { root, targets, snapshot, timestamp };
  const { roles, keys } = root.model.signed;
  const listed: RoleKeys[] = [];
  for (const role of ROLES) {
    const here = await findKeys(role, place, world).catch((error: Error) => {
      if (!(error instanceof CentreFault)) throw error;
      return [];
    });
    const { keyIDs, threshold } = roles[role]!;
    listed.push({
      role,
      threshold,
      expiresMs: expiresMs(documents[role]),
      keys: keyIDs.map((id) => ({
        id,
        type: keys[id]?.scheme ?? "unknown",
        path: here.find(({ key }) => key.id === id)?.path ?? null,
      })),
    });
  }
  return listed;
}

// ---------------------------------------------------------------- a new key

/** `retired`: where the old private key now is, null where it was not at hand. */
export interface RotateOutcome {
  role: RoleName;
  rootVersion: number;
  oldId: string;
  newId: string;
  path: string;
  retired: string | null;
}

/** Replaces a key of `role`. `replace`: the beginning of its id, where the role has several. */
export function rotateKey(
  place: Place,
  role: RoleName,
  replace: string | null,
  world: CentreWorld,
  say: Say,
): Promise<RotateOutcome> {
  return locked(place, world, async () => {
    const repository = await openRepository(place, world);
    const root = repository.root.model.signed;
    const oldId = chooseKey(root.roles[role]!.keyIDs, replace, role);
    const rootKeys = await openKeys("root", root, place, world);
    const signing = await openSigningKeys(place, repository, world);
    const old = (await findKeys(role, place, world)).find(({ key }) => key.id === oldId);

    const path = await freePath(role, place, world);
    const key = await makeKey(path, place, world);
    const next = nextRoot(
      repository.root,
      (words) => {
        const { keyids } = words.roles[role]!;
        words.roles[role]!.keyids = keyids.map((id) => (id === oldId ? key.id : id));
        words.keys[key.id] = key.model.toJSON();
        const isUsed = Object.values(words.roles).some((each) => each.keyids.includes(oldId));
        if (!isUsed) delete words.keys[oldId];
      },
      world,
    );
    if (role !== "root") {
      const both = { ...signing, [role]: withNew(signing[role as SignedRole], key) };
      await writeUpdate(place, repository, both, { lists: null, renew: false, resign: role }, world);
    }
    await writeRoot(place, next, role === "root" ? withNew(rootKeys, key) : rootKeys, world);
    const retired = old === undefined ? null : await retire(old.path, world, say);
    return { role, rootVersion: next.version, oldId, newId: key.id, path, retired };
  });
}

const withNew = (keys: readonly SigningKey[], key: SigningKey) => [...keys, key];

function chooseKey(ids: readonly string[], replace: string | null, role: RoleName): string {
  const fitting = replace === null ? ids : ids.filter((id) => id.startsWith(replace));
  if (fitting.length === 1) return fitting[0]!;
  const names = ids.map((id) => id.slice(0, 8)).join(", ");
  throw new CentreFault(
    replace === null
      ? `${role} has several keys: say which one with --replace: ${names}`
      : `${fitting.length} keys of ${role} begin with ${replace}; they are ${names}`,
  );
}

async function freePath(role: RoleName, place: Place, { keyFiles }: CentreWorld): Promise<string> {
  const dir = keyDirs(role, place)[0]!;
  const names = await keyFiles.names(dir);
  for (let number = 1; ; number++) {
    const name = keyName(role, number);
    if (!names.some((taken) => taken.startsWith(name))) return `${dir}/${name}`;
  }
}

/** The old key signs nothing any more; whether it is destroyed is for a person to say. */
async function retire(path: string, { keyFiles }: CentreWorld, say: Say): Promise<string> {
  const retired = `${path}.retired`;
  try {
    await keyFiles.rename(path, retired);
    return retired;
  } catch (error) {
    say(`${path} stays where it is: ${(error as Error).message}`);
    return path;
  }
}
