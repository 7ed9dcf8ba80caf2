/**
 * The layers of the list in force: in memory, and on disk as a file each, named together by the store. A file never
 * changes once it is named, so that naming others is all that an update or a merge does at one instant.
 */
import { join } from "node:path";
import type { Files, Log } from "../drivers/ports.ts";
import { checkOf, type IndexImage, openImage, writeImage } from "./index-file.ts";
import { createStore, type InForce, type Store } from "./store.ts";
import type { Seals, TokenSeal } from "./token-seal.ts";

const INDEX_FILE = /^index-.*\.bin/;

/** What of the layers changes; what is left out stays. */
interface Change {
  lower?: readonly IndexImage[];
  top?: IndexImage | null;
  refreshedAtMs?: number | null;
}

export class Shelf {
  /** Layers, oldest first, that stay as they are until they are merged. */
  lower: readonly IndexImage[] = [];
  /** The newest layer of a list that deltas have changed: the next delta is merged with it. */
  top: IndexImage | null = null;
  /** By the disk. Its layers are those held, unless they were damaged when they were loaded. */
  inForce: InForce | null = null;

  readonly #dir: string;
  readonly #files: Files;
  readonly #log: Log;
  readonly #signal: AbortSignal;
  readonly #store: Store;
  readonly #seals: Seals;
  /** Names of files that are being written and that the store does not know yet. */
  readonly #writing = new Set<string>();
  #commits: Promise<void> = Promise.resolve();
  readonly #pending = new Set<Promise<void>>();

  /** `signal`: what is not in force by then need not be written any more. */
  constructor(dir: string, seals: Seals, world: { files: Files; log: Log; signal: AbortSignal }) {
    this.#dir = dir;
    this.#seals = seals;
    this.#files = world.files;
    this.#log = world.log;
    this.#signal = world.signal;
    this.#store = createStore(dir, world.files, world.log);
  }

  /** Oldest first. */
  get layers(): IndexImage[] {
    return this.top === null ? [...this.lower] : [...this.lower, this.top];
  }

  /** How what is built from now on is to be sealed. */
  get seal(): TokenSeal {
    return this.#seals.own;
  }

  /** Whether all that is held is sealed so. */
  get isSealed(): boolean {
    return this.layers.every(({ seal }) => seal.isOf(this.seal));
  }

  /** Of what is held, which is what is in force unless it was damaged. */
  get revision(): number | null {
    return this.layers.at(-1)?.facts.revision ?? null;
  }

  /** Reads what is in force. Null when that is held now, or nothing was; else why not, and what is whole below is held. */
  async load(): Promise<string | null> {
    await this.#files.makeDirs(this.#dir);
    this.inForce = await this.#store.read();
    const layers: IndexImage[] = [];
    let damage: string | null = null;
    const seals = [this.#seals.own, ...this.#seals.others];
    for (const name of this.inForce?.layers ?? []) {
      const opened = await openImage(this.#files, join(this.#dir, name), seals);
      if (opened.kind === "refused") damage = `${name}: ${opened.why}`;
      else if (nameOf(opened.image) !== name) damage = `${name} is another index than its name says`;
      else layers.push(opened.image);
      if (damage !== null) break;
    }
    this.top = layers.length > 1 ? layers.pop()! : null;
    this.lower = layers;
    if (damage === null && this.inForce !== null && this.revision !== this.inForce.revision) {
      damage = `${this.inForce.layers.at(-1)} is not of revision ${this.inForce.revision}`;
    }
    return damage;
  }

  /**
   * A new list: resolves once it is what a restart would find. `whole` null: the lower layers stay. `refreshedAtMs` null: not
   * known, or it is not the newest.
   */
  adopt(whole: IndexImage | null, top: IndexImage | null, refreshedAtMs: number | null): Promise<void> {
    const lower = whole === null ? {} : { lower: [whole] };
    return this.#change([whole, top], () => ({ ...lower, top, refreshedAtMs }));
  }

  /** Puts the newest layer among those that stay, so that they can be merged while other deltas come; answers with them. */
  freeze(): readonly IndexImage[] {
    // What could not be merged before is tried again as it was, or layers would pile up.
    if (this.lower.length === 1) {
      this.lower = this.layers;
      this.top = null;
    }
    return this.lower;
  }

  /** Takes `merged` for the `lower` layers it was made of; false when these have gone meanwhile. */
  async settle(merged: IndexImage, lower: readonly IndexImage[]): Promise<boolean> {
    let settled = false;
    await this.#change([merged], () => {
      settled = this.lower === lower;
      return settled ? { lower: [merged] } : null;
    });
    return settled;
  }

  saveRefreshed(refreshedAtMs: number): Promise<void> {
    return this.#change([], () => ({ refreshedAtMs }));
  }

  /** Removes files that are not in force: older ones, and what a crash left. What stays is tried again the next time. */
  async tidy(): Promise<void> {
    try {
      for (const name of await this.#files.list(this.#dir)) {
        const isKept = this.inForce?.layers.includes(name) === true || this.#writing.has(name);
        if (INDEX_FILE.test(name) && !isKept) await this.#files.remove(join(this.#dir, name));
      }
    } catch (error) {
      this.#log.warn("an older card index could not be removed", { why: (error as Error).message });
    }
  }

  /** Resolves when nothing is being stored any more. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#pending);
  }

  #change(images: readonly (IndexImage | null)[], next: () => Change | null): Promise<void> {
    const change = this.#writeAll(images, () => this.#commit(next));
    this.#pending.add(change);
    const done = () => void this.#pending.delete(change);
    change.then(done, done);
    return change;
  }

  /** Writes the images that are not on disk yet, and then commits. */
  async #writeAll(images: readonly (IndexImage | null)[], commit: () => Promise<void>): Promise<void> {
    const held = this.layers;
    const news = images.filter((image) => image !== null).filter((image) => !held.includes(image));
    const names = news.map(nameOf);
    for (const name of names) this.#writing.add(name);
    try {
      for (const image of news) {
        await writeImage(this.#files, join(this.#dir, nameOf(image)), image, this.#signal);
      }
      await commit();
    } finally {
      for (const name of names) this.#writing.delete(name);
    }
  }

  /** Changes are named one after the other: each sees the layers that the one before left. */
  #commit(next: () => Change | null): Promise<void> {
    const done = this.#commits.then(() => this.#commitNow(next()));
    this.#commits = done.catch(() => undefined);
    return done;
  }

  async #commitNow(change: Change | null): Promise<void> {
    if (change === null) return;
    const { lower = this.lower, top = this.top } = change;
    const refreshedAtMs = change.refreshedAtMs ?? this.inForce?.refreshedAtMs ?? null;
    const layers = top === null ? lower : [...lower, top];
    const { revision } = layers.at(-1)!.facts;
    const inForce = { revision, layers: layers.map(nameOf), refreshedAtMs };
    await this.#store.write(inForce);
    this.inForce = inForce;
    this.lower = lower;
    this.top = top;
  }
}

/** The check makes it another name for other content: no file that is in force is ever written to. */
function nameOf(image: IndexImage): string {
  return `index-${image.facts.revision}-${checkOf(image).toString(16).padStart(8, "0")}.bin`;
}
