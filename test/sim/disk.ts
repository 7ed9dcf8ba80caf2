import { basename, dirname, resolve } from "node:path";
import type { Disk, DiskFile } from "../../drivers/ports.ts";
import type { SimClock } from "./clock.ts";
import { type CrashPolicy, DirectoryNode, FileNode, type Node } from "./disk-nodes.ts";
import { SimRandom } from "./random.ts";

export type IoKind =
  | "open"
  | "size"
  | "read"
  | "write"
  | "sync"
  | "truncate"
  | "close"
  | "rename"
  | "unlink"
  | "makeDir"
  | "syncDir"
  | "list"
  | "freeBytes";

/** One call to the disk. `count` begins at 1. */
export interface Io {
  count: number;
  kind: IoKind;
  path: string;
}

export type FaultCode = "EIO" | "ENOSPC" | "EACCES";

export interface SimDiskOptions {
  /** Whose machine it is in: calls take that clock's time, and none is answered after its end. */
  clock?: SimClock;
  random?: SimRandom;
  capacityBytes?: number;
  trace?: (line: string) => void;
}

const CAPACITY_BYTES = 1024 ** 3;

/**
 * A disk in memory that can do what a real one can: take time, fail, be full, and lose what was not synced. What
 * was asked takes effect in the cache at once and is answered after its latency; a sync hardens what had been
 * written when it was asked. Renames across directories are refused (`EXDEV`): nobody here needs them.
 */
export class SimDisk implements Disk {
  /** Which call fails, and how. */
  faultOf: (io: Io) => FaultCode | null = () => null;
  /** How long a call takes, in ms. */
  latencyMsOf: (io: Io) => number = () => 0;
  capacityBytes: number;
  /** Files of which it says that it synced them and did not. Nothing can be promised of those: tests must see that they notice. */
  liesAbout: (path: string) => boolean = () => false;

  readonly #options: SimDiskOptions;
  readonly #random: SimRandom;
  readonly #root: DirectoryNode;
  #ios = 0;
  #cutAt: { count: number; then: (io: Io) => void } | null = null;
  #isOff = false;

  constructor(options: SimDiskOptions = {}, root: DirectoryNode = new DirectoryNode()) {
    this.#options = options;
    this.#random = options.random ?? new SimRandom(0);
    this.#root = root;
    this.capacityBytes = options.capacityBytes ?? CAPACITY_BYTES;
  }

  // ---------------------------------------------------------------- what a test does to it

  /** Calls so far. */
  get ios(): number {
    return this.#ios;
  }

  /** Power has been cut: no call is answered any more. */
  get isOff(): boolean {
    return this.#isOff;
  }

  /** Cuts the power in call `count`: it may have had its effect, but nobody ever hears of it. */
  cutAt(count: number, then: (io: Io) => void = () => undefined): void {
    this.#cutAt = { count, then };
  }

  /** Fails call `count`, and leaves the others to whatever `faultOf` was. */
  failAt(count: number, code: FaultCode): void {
    const others = this.faultOf;
    this.faultOf = (io) => (io.count === count ? code : others(io));
  }

  /**
   * What a power cut at this instant leaves, as a new disk. This one stays as it is, so that one can look at
   * several futures; whoever held it is silenced by the end of its clock.
   */
  crash(policy: CrashPolicy, next: SimDiskOptions = {}): SimDisk {
    return this.#successor(next, this.#root.afterCrash(policy, next.random ?? this.#random));
  }

  /** What the next process finds after `kill -9`: everything, still as unsynced as it was. This one goes silent. */
  kill(next: SimDiskOptions = {}): SimDisk {
    this.#isOff = true;
    return this.#successor(next, this.#root);
  }

  /** Puts a durable file there, with its directories. */
  put(path: string, content: Uint8Array | string): void {
    let directory = this.#root;
    const names = partsOf(path);
    const name = names.pop()!;
    for (const part of names) {
      const found = directory.get(part);
      const next = found instanceof DirectoryNode ? found : new DirectoryNode();
      if (found !== next) settled(directory, part, next);
      directory = next;
    }
    settled(
      directory,
      name,
      new FileNode(typeof content === "string" ? new TextEncoder().encode(content) : content),
    );
  }

  /** What a program would read, or null. */
  seen(path: string): Uint8Array | null {
    const node = walk(this.#root, path, (directory, name) => directory.get(name));
    return node instanceof FileNode ? node.read(0, node.sizeBytes) : null;
  }

  /** What is certainly there after a power cut at this instant, from byte `from` on, or null. */
  durable(path: string, from = 0): Uint8Array | null {
    const node = walk(this.#root, path, (directory, name) => directory.getDurable(name));
    return node instanceof FileNode ? node.durableFrom(from) : null;
  }

  /** Every file a program would find, sorted. */
  paths(): string[] {
    return filesUnder(this.#root, "").sort();
  }

  /** Lets go of a file's bytes, which nobody will read any more; it keeps its size. */
  hollow(path: string): void {
    this.#file(path, "hollow").hollow();
  }

  /** Turns over one bit of a file, behind everybody's back. */
  flipBit(path: string, offset: number): void {
    this.#file(path, "flip").flipBit(offset);
  }

  // ---------------------------------------------------------------- the port

  open(path: string, mode: "read" | "append" | "new"): Promise<DiskFile> {
    return this.#do("open", path, () => {
      if (mode !== "new") return this.#handle(path, this.#file(path, "open"), mode);
      const { directory, name } = this.#place(path, "open");
      if (directory.get(name) !== undefined) throw failure("EEXIST", "open", path);
      const file = new FileNode();
      directory.change(name, file);
      return this.#handle(path, file, mode);
    });
  }

  rename(from: string, to: string): Promise<void> {
    return this.#do("rename", from, () => {
      const old = this.#place(from, "rename");
      const place = this.#place(to, "rename");
      const node = old.directory.get(old.name);
      if (node === undefined) throw failure("ENOENT", "rename", from);
      if (old.directory !== place.directory) throw failure("EXDEV", "rename", from);
      const replaced = place.directory.get(place.name);
      if (replaced instanceof DirectoryNode && replaced !== node) throw failure("EISDIR", "rename", to);
      if (place.name !== old.name) place.directory.change(place.name, node, old.name);
    });
  }

  unlink(path: string): Promise<void> {
    return this.#do("unlink", path, () => {
      this.#file(path, "unlink");
      const { directory, name } = this.#place(path, "unlink");
      directory.change(name, null);
    });
  }

  makeDir(path: string): Promise<void> {
    return this.#do("makeDir", path, () => {
      if (partsOf(path).length === 0) return;
      const { directory, name } = this.#place(path, "mkdir");
      const found = directory.get(name);
      if (found instanceof FileNode) throw failure("EEXIST", "mkdir", path);
      if (found === undefined) directory.change(name, new DirectoryNode());
    });
  }

  syncDir(path: string): Promise<void> {
    return this.#run("syncDir", path, (fault) => {
      const directory = this.#directory(path, "open");
      if (fault !== null) throw failure(fault, "fsync", path);
      const changes = directory.beginSync();
      return () => {
        if (!this.liesAbout(path)) directory.endSync(changes);
      };
    });
  }

  list(path: string): Promise<string[]> {
    return this.#do("list", path, () => {
      const entries = this.#directory(path, "scandir").entries();
      return entries.map(([name]) => name);
    });
  }

  freeBytes(path: string): Promise<number> {
    return this.#do("freeBytes", path, () => {
      if (this.#node(path) === undefined) throw failure("ENOENT", "statfs", path);
      return this.#freeBytes();
    });
  }

  #handle(path: string, file: FileNode, mode: "read" | "append" | "new"): DiskFile {
    let isOpen = true;
    let isChanging = false;

    const check = (call: string) => {
      if (!isOpen) throw failure("EBADF", call, path);
    };
    /** Two at once would be done in any order by a real disk; here they are refused, so that it is seen. */
    const alone = async (change: () => Promise<void>) => {
      if (isChanging) throw new Error(`two changes at once of ${path}: their order is not defined`);
      isChanging = true;
      await change().finally(() => {
        isChanging = false;
      });
    };

    const sizeBytes = () =>
      this.#do("size", path, () => {
        check("fstat");
        return file.sizeBytes;
      });
    const read = (offset: number, lengthBytes: number) =>
      this.#do("read", path, () => {
        check("read");
        return file.read(offset, lengthBytes);
      });
    const write = (bytes: Uint8Array) =>
      this.#run("write", path, (fault) => {
        check("write");
        if (mode === "read") throw failure("EBADF", "write", path);
        const fits =
          fault === null ? this.#fitting(file, bytes.length) : this.#random.between(0, bytes.length);
        file.append(bytes.subarray(0, fits));
        if (fault !== null || fits < bytes.length) throw failure(fault ?? "ENOSPC", "write", path);
        return () => undefined;
      });
    const sync = () =>
      this.#run("sync", path, (fault) => {
        check("fdatasync");
        const work = file.beginSync();
        if (fault !== null) {
          file.failSync(work);
          throw failure(fault, "fdatasync", path);
        }
        return () => {
          if (!this.liesAbout(path)) file.endSync(work);
        };
      });
    const truncate = (toBytes: number) =>
      this.#do("truncate", path, () => {
        check("ftruncate");
        if (mode === "read") throw failure("EINVAL", "ftruncate", path);
        file.truncate(toBytes);
      });
    const close = () =>
      this.#do("close", path, () => {
        isOpen = false;
      });

    return {
      sizeBytes,
      read,
      sync,
      close,
      // One call of a real disk; here its two halves fail, take time and are cut off each by itself.
      write: (bytes) =>
        alone(async () => {
          await write(bytes);
          if (mode === "append") await sync();
        }),
      truncate: (toBytes) => alone(() => truncate(toBytes)),
    };
  }

  // ---------------------------------------------------------------- inside

  /** A call that fails as a whole or takes effect at once. */
  #do<T>(kind: IoKind, path: string, act: () => T): Promise<T> {
    return this.#run(kind, path, (fault) => {
      if (fault !== null) throw failure(fault, kind, path);
      const result = act();
      return () => result;
    });
  }

  /** Counts the call and begins it; what `begin` returns is done when its latency has passed, and answers it. */
  #run<T>(kind: IoKind, path: string, begin: (fault: FaultCode | null) => () => T): Promise<T> {
    const { clock, trace } = this.#options;
    const isDead = () => this.#isOff || clock?.hasEnded === true;
    if (isDead()) return new Promise(() => undefined);
    this.#ios += 1;
    const io = { count: this.#ios, kind, path };
    let finish: () => T;
    let outcome = "";
    try {
      finish = begin(this.faultOf(io));
    } catch (error) {
      outcome = ` ${(error as NodeJS.ErrnoException).code}`;
      finish = () => {
        throw error;
      };
    }
    trace?.(`disk ${io.count} ${kind} ${path}${outcome}`);
    if (this.#cutAt?.count === io.count) {
      this.#isOff = true;
      this.#cutAt.then(io);
    }
    return new Promise((resolve, reject) => {
      const answer = () => {
        if (isDead()) return;
        try {
          resolve(finish());
        } catch (error) {
          reject(error);
        }
      };
      const latencyMs = this.latencyMsOf(io);
      if (latencyMs > 0 && clock !== undefined) clock.after(latencyMs, answer);
      else queueMicrotask(answer);
    });
  }

  #successor(next: SimDiskOptions, root: DirectoryNode): SimDisk {
    const disk = new SimDisk({ ...this.#options, capacityBytes: this.capacityBytes, ...next }, root);
    disk.latencyMsOf = this.latencyMsOf;
    disk.liesAbout = this.liesAbout;
    return disk;
  }

  #freeBytes(): number {
    return Math.max(0, this.capacityBytes - usedBytes(this.#root));
  }

  /** How many of `lengthBytes` more bytes the disk takes for `file`. */
  #fitting(file: FileNode, lengthBytes: number): number {
    const blockRoomBytes = file.blocksBytes - file.sizeBytes;
    return lengthBytes <= blockRoomBytes
      ? lengthBytes
      : Math.min(lengthBytes, blockRoomBytes + this.#freeBytes());
  }

  #node(path: string): Node | undefined {
    return walk(this.#root, path, (directory, name) => directory.get(name));
  }

  #file(path: string, call: string): FileNode {
    const { directory, name } = this.#place(path, call);
    const node = directory.get(name);
    if (node === undefined) throw failure("ENOENT", call, path);
    if (node instanceof DirectoryNode) throw failure("EISDIR", call, path);
    return node;
  }

  #directory(path: string, call: string): DirectoryNode {
    const node = this.#node(path);
    if (node === undefined) throw failure("ENOENT", call, path);
    if (node instanceof FileNode) throw failure("ENOTDIR", call, path);
    return node;
  }

  /** The directory a path names something in, and the name. */
  #place(path: string, call: string): { directory: DirectoryNode; name: string } {
    const whole = resolve("/", path);
    return { directory: this.#directory(dirname(whole), call), name: basename(whole) };
  }
}

function partsOf(path: string): string[] {
  return resolve("/", path).split("/").filter(Boolean);
}

function walk(
  root: DirectoryNode,
  path: string,
  step: (directory: DirectoryNode, name: string) => Node | undefined,
): Node | undefined {
  let node: Node | undefined = root;
  for (const name of partsOf(path)) node = node instanceof DirectoryNode ? step(node, name) : undefined;
  return node;
}

function settled(directory: DirectoryNode, name: string, node: Node): void {
  directory.change(name, node);
  directory.endSync(directory.beginSync());
}

function filesUnder(directory: DirectoryNode, path: string): string[] {
  return directory.entries().flatMap(([name, node]) => {
    const inside = `${path}/${name}`;
    return node instanceof FileNode ? [inside] : filesUnder(node, inside);
  });
}

function usedBytes(node: Node): number {
  if (node instanceof FileNode) return node.blocksBytes;
  return node.entries().reduce((sum, [, entry]) => sum + usedBytes(entry), 0);
}

function failure(code: string, call: string, path: string): Error {
  return Object.assign(new Error(`${code}: simulated, ${call} '${path}'`), { code, syscall: call, path });
}
