/** `feed keys`, `rotate` and `correct`: what needs the root. The work is done in `sync/publish-rotate.ts` and `sync/publish-correct.ts`. */
import type { Status } from "../../sync/card.ts";
import type { RoleName } from "../../sync/feed-metadata.ts";
import { correctCard } from "../../sync/publish-correct.ts";
import { timeText } from "../../sync/publish-repository.ts";
import { listKeys, rotateKey } from "../../sync/publish-rotate.ts";
import { announcer } from "./feed-broker.ts";
import { announced, type SetOptions, tell, unannounced } from "./feed-list.ts";
import { createWorld, type PlaceOptions, placeOf, warn } from "./feed-words.ts";
import { paint, print, printJson } from "./terms.ts";

/** Enough of an id to tell keys apart. */
const ID_CHARS = 8;

export async function keys(dir: string, options: PlaceOptions): Promise<void> {
  const listed = await listKeys(await placeOf(dir, options), createWorld());
  if (options.json === true) {
    printJson(listed.map(({ expiresMs, ...rest }) => ({ ...rest, expires: timeText(expiresMs) })));
    return;
  }
  for (const { role, threshold, expiresMs, keys } of listed) {
    print(`${role}: ${threshold} of ${keys.length} must sign; good until ${timeText(expiresMs)}`);
    for (const { id, type, path } of keys)
      print(`  ${id.slice(0, ID_CHARS)}  ${type.padEnd(18)}  ${path ?? "not at hand"}`);
  }
}

export interface RotateOptions extends PlaceOptions {
  role: RoleName;
  replace?: string;
}

export async function rotate(dir: string, options: RotateOptions): Promise<void> {
  const place = await placeOf(dir, options);
  const outcome = await rotateKey(place, options.role, options.replace ?? null, createWorld(), warn);
  if (place.passphrase === null)
    warn("the new key is not encrypted: set GRINDVAKT_FEED_PASSPHRASE or --passphrase-file before rotate");
  if (options.json === true) {
    printJson(outcome);
    return;
  }
  const { role, rootVersion, oldId, newId, path, retired } = outcome;
  const short = (id: string) => id.slice(0, ID_CHARS);
  print(
    `${paint(`root ${rootVersion}`, "green")}: ${role} is signed by ${short(newId)}, no more by ${short(oldId)}`,
  );
  print(`  new key         ${path}`);
  if (retired !== null) print(`  destroy         ${retired}, once gateways have followed`);
}

export async function correct(
  dir: string,
  card: string,
  status: Status | "removed",
  options: SetOptions,
): Promise<void> {
  const { validUntil, json } = options;
  const place = await placeOf(dir, options);
  const world = createWorld();
  const announce = await announcer(place, options, world);
  const change = { status, ...(validUntil !== undefined && { validUntilDay: validUntil }) };
  const outcome = await correctCard(place, card, change, world, warn);
  const { from, to, was, rootVersion } = outcome;
  const silence = await tell(announce, to);
  if (json === true) printJson({ ...outcome, card, status, ...announced(announce, silence) });
  else
    print(
      `${paint(`revision ${from} -> revision ${to}`, "green")}, root ${rootVersion}: ${card} was ${was} by mistake, is ${status}`,
    );
  if (silence !== null) throw unannounced(to, silence);
}
