/**
 * A feed's own life at the centre: it is made, with its keys, and its expiry renewed. What a person can do something
 * about rejects as `CentreFault`.
 */
import { Root } from "@tufjs/models";
import { type Document, expiresMs, ROLES, type RoleName } from "./feed-metadata.ts";
import { createKeyText, KEY_FILE_BYTES_MAX, readKeyText, type SigningKey } from "./keys.ts";
import { findKeys, keyDirs, keyName, openKeys, openSigningKeys } from "./publish-keys.ts";
import {
  CentreFault,
  type CentreWorld,
  changedRoot,
  locked,
  nextRoot,
  openRepository,
  type Place,
  renewed,
  type Say,
  tidy,
  VALID_MS,
  writeRoot,
  writeUpdate,
} from "./publish-repository.ts";

/** A root that expires sooner is warned of at each refresh: its keys may be in a safe elsewhere. */
const ROOT_WARNING_MS = 60 * 86_400_000;

/** As the configuration has it (`cards.name`): a part of a topic. */
export const NAME_PATTERN = /^[a-z0-9][a-z0-9-]{0,39}$/;

/** How many keys the root gets, and how many of them must sign. */
export interface RootPolicy {
  keys: number;
  threshold: number;
}

/** Makes keys and a feed without a list. `name`: what its announcements are called. */
export async function initFeed(
  place: Place,
  name: string,
  world: CentreWorld,
  policy: RootPolicy = { keys: 1, threshold: 1 },
): Promise<void> {
  const { files, keyFiles } = world;
  const { dir, keysDir, rootKeysDir } = place;
  for (const keys of [keysDir, rootKeysDir]) {
    if (`${keys}/`.startsWith(`${dir}/`))
      throw new CentreFault(`${keys} is inside the feed, where anyone could read it`);
  }
  const taken = (await files.names(dir)).find((entry) => entry.endsWith("root.json"));
  if (taken !== undefined) throw new CentreFault(`${dir} is a feed already: it has ${taken}`);
  const countOf = (role: RoleName) => (role === "root" ? policy.keys : 1);
  const pathsOf = (role: RoleName) =>
    Array.from({ length: countOf(role) }, (_, i) => `${keyDirs(role, place)[0]}/${keyName(role, i + 1)}`);
  for (const path of ROLES.flatMap(pathsOf)) {
    if ((await keyFiles.read(path, KEY_FILE_BYTES_MAX)) !== null) {
      throw new CentreFault(`${path} exists; give another --keys, or remove it if no gateway trusts it`);
    }
  }

  await keyFiles.makeDirs(keysDir);
  await keyFiles.makeDirs(rootKeysDir);
  await files.makeDirs(`${dir}/targets/cards`);
  const make = async (role: RoleName): Promise<SigningKey[]> => {
    const keys: SigningKey[] = [];
    for (const path of pathsOf(role)) keys.push(await makeKey(path, place, world));
    return keys;
  };
  const keys = {
    root: await make("root"),
    targets: await make("targets"),
    snapshot: await make("snapshot"),
    timestamp: await make("timestamp"),
  };
  await keyFiles.replace(`${keysDir}/feed.json`, Buffer.from(`${JSON.stringify({ name })}\n`));
  const bare = new Root({ ...renewed("root", undefined, world.clock.wallMs()), consistentSnapshot: true });
  for (const role of ROLES) for (const { model } of keys[role]) bare.addKey(model, role);
  const root = changedRoot(bare, (words) => {
    words.roles.root!.threshold = policy.threshold;
  });
  await writeUpdate(place, {}, keys, { lists: [], renew: false }, world);
  await writeRoot(place, root, keys.root, world);
}

/** A new key, in its file before it is used. */
export async function makeKey(
  path: string,
  { passphrase }: Place,
  { keyFiles, random }: CentreWorld,
): Promise<SigningKey> {
  const text = createKeyText(passphrase, random);
  await keyFiles.replace(path, Buffer.from(text));
  return readKeyText(text, passphrase);
}

/** What the feed's announcements are called. */
export async function readFeedName({ keysDir }: Place, { keyFiles }: CentreWorld): Promise<string> {
  const path = `${keysDir}/feed.json`;
  const bytes = await keyFiles.read(path, KEY_FILE_BYTES_MAX);
  if (bytes === null) throw new CentreFault(`${path} is not there: it holds the feed's name; see --keys`);
  try {
    const { name } = JSON.parse(Buffer.from(bytes).toString());
    if (typeof name === "string" && NAME_PATTERN.test(name)) return name;
  } catch {
    // No JSON is no name.
  }
  throw new CentreFault(`${path} holds no name like {"name":"id06"}`);
}

/** When each role's word ends, in milliseconds since 1970, and what to see to. */
export interface RefreshOutcome {
  revision: number | null;
  expiresMs: Record<RoleName, number>;
  warnings: string[];
}

/** Signs a new timestamp, and whatever is past half of its time: the root only where its key is at hand. */
export function refreshFeed(place: Place, world: CentreWorld, say: Say): Promise<RefreshOutcome> {
  return locked(place, world, async () => {
    const repository = await openRepository(place, world);
    const keys = await openSigningKeys(place, repository, world);
    const root = await renewRoot(place, repository.root, world);
    await writeUpdate(place, { ...repository, root }, keys, { lists: null, renew: true }, world);
    await tidy(place, world).catch((error: Error) => say(`old files stay for now: ${error.message}`));
    const now = await openRepository(place, world);
    const rootLeftMs = expiresMs(root) - world.clock.wallMs();
    return {
      revision: now.newest?.revision ?? null,
      expiresMs: {
        root: expiresMs(now.root),
        targets: expiresMs(now.targets),
        snapshot: expiresMs(now.snapshot),
        timestamp: expiresMs(now.timestamp),
      },
      warnings:
        rootLeftMs > ROOT_WARNING_MS
          ? []
          : [
              `the root expires at ${root.model.signed.expires}: bring its key and run feed refresh with --root-keys`,
            ],
    };
  });
}

async function renewRoot(
  place: Place,
  root: Document<"root">,
  world: CentreWorld,
): Promise<Document<"root">> {
  const nowMs = world.clock.wallMs();
  if (expiresMs(root) - nowMs > VALID_MS.root / 2) return root;
  // Its keys are mostly in a safe elsewhere; a warning says when they are needed.
  const isHere = (await findKeys("root", place, world)).length > 0;
  if (!isHere) return root;
  const keys = await openKeys("root", root.model.signed, place, world);
  return writeRoot(
    place,
    nextRoot(root, () => {}, world),
    keys,
    world,
  );
}
