/** `feed init`, `refresh` and `verify`: the feed's own life. The work is done in `sync/publish-feed.ts` and `sync/publish-verify.ts`. */
import { resolve } from "node:path";
import { initFeed, refreshFeed } from "../../sync/publish-feed.ts";
import { timeText } from "../../sync/publish-repository.ts";
import { verifyFeed } from "../../sync/publish-verify.ts";
import { Exit } from "./exit.ts";
import { announcer, type NotifyOptions } from "./feed-broker.ts";
import { announced, tell, unannounced } from "./feed-list.ts";
import { createWorld, fault, nameAfter, type PlaceOptions, placeOf, warn } from "./feed-words.ts";
import { paint, print, printJson } from "./terms.ts";

export interface InitOptions extends PlaceOptions {
  name?: string;
  rootThreshold: number;
  rootSigners?: number;
}

export async function init(dir: string, options: InitOptions): Promise<void> {
  const { rootThreshold: threshold, rootSigners = threshold, json } = options;
  if (rootSigners < threshold)
    throw new Exit(
      2,
      `${rootSigners} keys can never give the ${threshold} signatures that --root-threshold asks for`,
    );
  const place = await placeOf(dir, options);
  const name = options.name ?? nameAfter(place.dir);
  await initFeed(place, name, createWorld(), { keys: rootSigners, threshold });
  if (place.passphrase === null)
    warn("the keys are not encrypted: set GRINDVAKT_FEED_PASSPHRASE or --passphrase-file before init");
  if (threshold > 1 && rootSigners === threshold)
    warn("each of the root's keys is needed: when one is lost, so is the root; --root-signers makes more");
  if (json === true) {
    printJson({
      dir: place.dir,
      name,
      keys: place.keysDir,
      rootKeys: place.rootKeysDir,
      encrypted: place.passphrase !== null,
    });
    return;
  }
  const rootKeys = rootSigners === 1 ? "root.pem" : `root.pem to root-${rootSigners}.pem`;
  const needed =
    rootSigners === 1
      ? "it is needed once a year, and whoever has it owns the feed"
      : `${threshold} of them are needed once a year, and whoever has so many owns the feed`;
  print(`feed ${name} made in ${place.dir}`);
  print(`  give gateways   ${place.dir}/root.json`);
  print(`  keep private    ${place.keysDir}`);
  print(`  take offline    ${place.rootKeysDir}/${rootKeys}: ${needed}`);
  print(`  next            grindvakt feed publish ${dir} --cards FILE.csv`);
}

export async function refresh(dir: string, options: PlaceOptions & NotifyOptions): Promise<void> {
  const place = await placeOf(dir, options);
  const world = createWorld();
  const announce = await announcer(place, options, world);
  const { revision, expiresMs, warnings } = await refreshFeed(place, world, warn);
  // Before the first list there is nothing to tell.
  const teller = revision === null ? null : announce;
  const silence = await tell(teller, revision ?? 0);
  const expires = Object.fromEntries(Object.entries(expiresMs).map(([role, ms]) => [role, timeText(ms)]));
  if (options.json === true) printJson({ revision, expires, warnings, ...announced(teller, silence) });
  else {
    print(
      `${paint("renewed", "green")}, ${revision === null ? "no list yet" : `revision ${revision}`}; expires`,
    );
    for (const [role, time] of Object.entries(expires)) print(`  ${role.padEnd(14)} ${time}`);
  }
  for (const warning of warnings) warn(warning);
  if (silence !== null) throw unannounced(revision ?? 0, silence);
}

export async function verify(dir: string, { json }: { json?: true }): Promise<void> {
  const report = await verifyFeed({ dir: resolve(dir) }, createWorld());
  const { revision, cards, lists, faults, warnings, rootVersion } = report;
  const expires = timeText(report.timestampExpiresMs);
  if (json === true) {
    const publishedAt = report.publishedAtMs === null ? null : timeText(report.publishedAtMs);
    printJson({
      ok: faults.length === 0,
      revision,
      cards,
      publishedAt,
      rootVersion,
      expires,
      lists,
      faults,
      warnings,
    });
  } else {
    const list = revision === null ? "no list yet" : `revision ${revision}, ${cards} cards`;
    const verdict =
      faults.length === 0 ? paint("the feed holds", "green") : paint("the feed does not hold", "red");
    print(`${verdict}: ${list}; root ${rootVersion}; timestamp good until ${expires}`);
    for (const { path, lengthBytes } of lists)
      print(`  ${path.padEnd(24)} ${String(lengthBytes).padStart(10)} bytes`);
  }
  for (const warning of warnings) warn(warning);
  if (faults.length > 0) throw fault(faults);
}
