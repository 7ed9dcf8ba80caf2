/**
 * A wrong end undone: the only way back for a card that was terminated or superseded by mistake, and for those alone who
 * hold the root's keys. The new root comes first, so that no gateway sees the list before it.
 */
import { isFinal, packNumber, STATUSES, type Status } from "./card.ts";
import { addCorrection } from "./feed-corrections.ts";
import { readEnded, writeEnded } from "./publish-ended.ts";
import { openKeys, openSigningKeys } from "./publish-keys.ts";
import {
  CentreFault,
  type CentreWorld,
  locked,
  nextRoot,
  type Place,
  type Say,
  writeRoot,
} from "./publish-repository.ts";
import { type CardChange, changed, openState, writeState } from "./publish-set.ts";

/** `was`: the end that is undone. */
export interface CorrectOutcome {
  from: number;
  to: number;
  was: Status;
  rootVersion: number;
}

/**
 * Undoes the end of a card; `number` is canonical. One that is on the list gets another status; one that has left it is
 * only forgotten (`removed`), so that a CSV may bring it back.
 */
export function correctCard(
  place: Place,
  number: string,
  change: CardChange,
  world: CentreWorld,
  say: Say,
): Promise<CorrectOutcome> {
  return locked(place, world, async () => {
    const state = await openState(place, number, world);
    const { newest, repository, row } = state;
    const ended = await readEnded(place, world);
    const packed = packNumber(number);
    const code = row?.status ?? ended.statusOf(packed);
    const was = code === null ? null : STATUSES[code]!;
    if (was === null) throw new CentreFault(`${number} is not on the list, and no end of it is remembered`);
    if (!isFinal(was))
      throw new CentreFault(`${number} is ${was}, which feed set may change: nothing is to be corrected`);
    if (row === null && change.status !== "removed") {
      throw new CentreFault(
        `${number} is no longer on the list: correct it to removed, then publish a CSV that has it`,
      );
    }
    if (change.status === was) throw new CentreFault(`${number} is ${was} already`);

    const keys = await openSigningKeys(place, repository, world);
    const rootKeys = await openKeys("root", repository.root.model.signed, place, world);
    const revision = newest.revision + 1;
    const corrected = nextRoot(
      repository.root,
      (words) => addCorrection(words, { number, from: was, revision }),
      world,
    );
    const root = await writeRoot(place, corrected, rootKeys, world);
    if (ended.statusOf(packed) !== null) await writeEnded(place, ended.without(packed), world);
    const work = { place, repository: { ...repository, root }, keys, world, say, progress: () => {} };
    await writeState(work, state, row === null ? null : changed(row, change));
    return { from: newest.revision, to: revision, was, rootVersion: root.model.signed.version };
  });
}
