import type { SimRandom } from "./random.ts";

/**
 * What a disk holds: files and directories, each with two truths: what programs see (the page cache) and what is
 * on stable storage. A crash makes the second one out of both.
 *
 * The worst that ext4 with `data=ordered` may leave, and a little more, so that no program leans on one file
 * system: of a file, any part of the unsynced 512-byte sectors, zeros where a sector never arrived, and any size
 * between the durable one and the last one seen; of a directory, any first part of its unsynced changes, each
 * directory by itself. What was synced stays, but for sectors written to again since.
 */

/** `lose`: nothing unsynced survives. `keep`: all of it does. `torn`: chance decides, sector by sector. */
export type CrashPolicy = "lose" | "keep" | "torn";

const SECTOR_BYTES = 512;
const BLOCK_BYTES = 4096;

export type Node = FileNode | DirectoryNode;

/** What one sync undertakes to make durable. */
export interface SyncWork {
  version: number;
  sizeBytes: number;
  sectors: { index: number; version: number; bytes: Uint8Array }[];
}

export class FileNode {
  readonly #seen: Content;
  readonly #durable: Content;
  /** Sectors written since they were last synced, with the number of the change that touched them last. */
  readonly #dirty = new Map<number, number>();
  #version = 0;
  #durableVersion = 0;

  constructor(content: Uint8Array = new Uint8Array()) {
    this.#seen = new Content(content);
    this.#durable = new Content(content);
  }

  get sizeBytes(): number {
    return this.#seen.sizeBytes;
  }

  /** What it takes of the disk. */
  get blocksBytes(): number {
    return Math.ceil(this.sizeBytes / BLOCK_BYTES) * BLOCK_BYTES;
  }

  get durable(): Uint8Array {
    return this.durableFrom(0);
  }

  durableFrom(offset: number): Uint8Array {
    return this.#durable.slice(offset, this.#durable.sizeBytes);
  }

  read(offset: number, lengthBytes: number): Uint8Array {
    return this.#seen.slice(offset, offset + lengthBytes);
  }

  append(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const from = this.sizeBytes;
    this.#seen.resize(from + bytes.length);
    this.#seen.set(bytes, from);
    this.#version += 1;
    const last = Math.floor((this.sizeBytes - 1) / SECTOR_BYTES);
    for (let index = Math.floor(from / SECTOR_BYTES); index <= last; index++)
      this.#dirty.set(index, this.#version);
  }

  truncate(sizeBytes: number): void {
    if (sizeBytes > this.sizeBytes) return this.append(new Uint8Array(sizeBytes - this.sizeBytes));
    this.#seen.resize(sizeBytes);
    this.#version += 1;
    for (const index of this.#dirty.keys()) if (index * SECTOR_BYTES >= sizeBytes) this.#dirty.delete(index);
  }

  beginSync(): SyncWork {
    const sectors = [...this.#dirty].map(([index, version]) => ({
      index,
      version,
      bytes: this.#sector(index),
    }));
    return { version: this.#version, sizeBytes: this.sizeBytes, sectors };
  }

  endSync(work: SyncWork): void {
    // A later sync that was done first has brought all of this, and newer.
    if (work.version < this.#durableVersion) return;
    this.#durableVersion = work.version;
    this.#durable.resize(work.sizeBytes);
    for (const { index, bytes } of work.sectors) this.#durable.set(bytes, index * SECTOR_BYTES);
    this.#forgetDirty(work);
  }

  /** As Linux does it: the pages count as clean from now on, a later sync succeeds, and the bytes are gone. */
  failSync(work: SyncWork): void {
    this.#forgetDirty(work);
  }

  /** Its bytes are gone and its size is not. */
  hollow(): void {
    this.#seen.hollow();
    this.#durable.hollow();
  }

  /** Turns one bit over, on the disk and in the cache: age, or a hand, but no program. */
  flipBit(offset: number): void {
    for (const content of [this.#seen, this.#durable]) {
      const [byte] = content.slice(offset, offset + 1);
      if (byte !== undefined) content.set(Uint8Array.of(byte ^ 1), offset);
    }
  }

  afterCrash(policy: CrashPolicy, random: SimRandom): FileNode {
    const sizes = [this.#durable.sizeBytes, this.#seen.sizeBytes] as const;
    switch (policy) {
      case "lose":
        return new FileNode(this.durable);
      case "keep":
        return this.#left(sizes[1], () => true);
      case "torn": {
        const sizeBytes = random.between(Math.min(...sizes), Math.max(...sizes));
        // Half the time all sectors arrive and only the end is torn, which is what a power cut mostly leaves.
        const holes = random.chance(0.5);
        return this.#left(sizeBytes, () => !(holes && random.chance(0.5)));
      }
    }
  }

  /** The durable content with those dirty sectors that `arrived`; a sector whose sync failed is not dirty. */
  #left(sizeBytes: number, arrived: () => boolean): FileNode {
    const content = new Content(this.durable);
    content.resize(sizeBytes);
    const indexes = [...this.#dirty.keys()].sort((a, b) => a - b);
    for (const index of indexes) if (arrived()) content.set(this.#sector(index), index * SECTOR_BYTES);
    return new FileNode(content.slice(0, sizeBytes));
  }

  #sector(index: number): Uint8Array {
    return this.#seen.slice(index * SECTOR_BYTES, (index + 1) * SECTOR_BYTES);
  }

  #forgetDirty(work: SyncWork): void {
    for (const { index, version } of work.sectors) {
      if (this.#dirty.get(index) === version) this.#dirty.delete(index);
    }
  }
}

/** Bytes that grow in doubling steps, so that a year of appends is not a year of copying. */
class Content {
  #room: Uint8Array;
  sizeBytes: number;

  constructor(content: Uint8Array) {
    this.#room = content.slice();
    this.sizeBytes = content.length;
  }

  resize(sizeBytes: number): void {
    if (sizeBytes > this.#room.length) {
      const larger = new Uint8Array(Math.max(sizeBytes, this.#room.length * 2));
      larger.set(this.#room);
      this.#room = larger;
    }
    // What lies behind the end reads as zeros when the file grows again.
    this.#room.fill(0, sizeBytes, Math.max(sizeBytes, this.sizeBytes));
    this.sizeBytes = sizeBytes;
  }

  hollow(): void {
    this.#room = new Uint8Array();
  }

  slice(from: number, to: number): Uint8Array {
    return this.#room.slice(from, Math.min(to, this.sizeBytes));
  }

  /** As far as the content reaches. */
  set(bytes: Uint8Array, at: number): void {
    if (at < this.sizeBytes) this.#room.set(bytes.subarray(0, this.sizeBytes - at), at);
  }
}

/** A change of a directory: `from` leaves, then `name` is `node`, or nothing. */
interface Change {
  from: string | null;
  name: string;
  node: Node | null;
}

export class DirectoryNode {
  readonly #seen: Map<string, Node>;
  readonly #durable: Map<string, Node>;
  /** Changes since the last sync, oldest first. */
  #unsynced: Change[] = [];

  constructor(entries: Iterable<[string, Node]> = []) {
    this.#seen = new Map(entries);
    this.#durable = new Map(this.#seen);
  }

  get(name: string): Node | undefined {
    return this.#seen.get(name);
  }

  getDurable(name: string): Node | undefined {
    return this.#durable.get(name);
  }

  entries(): [string, Node][] {
    return [...this.#seen];
  }

  change(name: string, node: Node | null, from: string | null = null): void {
    const change = { from, name, node };
    apply(change, this.#seen);
    this.#unsynced.push(change);
  }

  /** How many changes a sync that begins now makes durable. */
  beginSync(): Change[] {
    return [...this.#unsynced];
  }

  endSync(changes: Change[]): void {
    const done = new Set(changes);
    for (const change of this.#unsynced) if (done.has(change)) apply(change, this.#durable);
    this.#unsynced = this.#unsynced.filter((change) => !done.has(change));
  }

  afterCrash(policy: CrashPolicy, random: SimRandom): DirectoryNode {
    const left = new Map(this.#durable);
    for (const change of this.#unsynced.slice(0, survivors(this.#unsynced.length, policy, random))) {
      apply(change, left);
    }
    return new DirectoryNode([...left].map(([name, node]) => [name, node.afterCrash(policy, random)]));
  }
}

function survivors(count: number, policy: CrashPolicy, random: SimRandom): number {
  switch (policy) {
    case "lose":
      return 0;
    case "keep":
      return count;
    case "torn":
      return random.between(0, count);
  }
}

function apply(change: Change, entries: Map<string, Node>): void {
  if (change.from !== null) entries.delete(change.from);
  if (change.node === null) entries.delete(change.name);
  else entries.set(change.name, change.node);
}
