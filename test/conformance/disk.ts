import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Disk } from "../../drivers/ports.ts";

/** A disk and an empty directory on it. */
export interface DiskUnderTest {
  disk: Disk;
  directory: string;
  dispose(): Promise<void>;
}

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (content: Uint8Array) => new TextDecoder().decode(content);

/** What every Disk promises in `drivers/ports.ts`, as far as it shows without a power cut. */
export function diskConformance(name: string, create: () => Promise<DiskUnderTest>): void {
  describe(`disk: ${name}`, () => {
    let under: DiskUnderTest;
    let disk: Disk;
    const at = (file: string) => `${under.directory}/${file}`;

    beforeEach(async () => {
      under = await create();
      disk = under.disk;
    });
    afterEach(() => under.dispose());

    async function make(file: string, content: string): Promise<void> {
      const made = await disk.open(at(file), "new");
      await made.write(bytes(content));
      await made.sync();
      await made.close();
    }

    async function contentOf(file: string): Promise<string> {
      const opened = await disk.open(at(file), "read");
      const content = await opened.read(0, await opened.sizeBytes());
      await opened.close();
      return text(content);
    }

    it("opens what is there and makes only what is not", async () => {
      await expect(disk.open(at("a"), "read")).rejects.toMatchObject({ code: "ENOENT" });
      await expect(disk.open(at("a"), "append")).rejects.toMatchObject({ code: "ENOENT" });
      await expect(disk.open(at("no/a"), "new")).rejects.toMatchObject({ code: "ENOENT" });
      await make("a", "one");
      await expect(disk.open(at("a"), "new")).rejects.toMatchObject({ code: "EEXIST" });
      await expect(disk.open(at("a/b"), "new")).rejects.toMatchObject({ code: "ENOTDIR" });
      await expect(disk.open(under.directory, "append")).rejects.toMatchObject({ code: "EISDIR" });
      expect(await contentOf("a")).toBe("one");
    });

    it("writes at the end, in order, and reads what it wrote through the same file", async () => {
      await make("a", "one ");
      const file = await disk.open(at("a"), "append");
      await file.write(bytes("two "));
      await file.write(new Uint8Array());
      await file.write(bytes("three"));
      expect(text(await file.read(4, 3))).toBe("two");
      expect(await file.sizeBytes()).toBe(13);
      await file.sync();
      await file.close();
      expect(await contentOf("a")).toBe("one two three");
    });

    it("reads shorter only at the end of the file", async () => {
      await make("a", "0123456789");
      const file = await disk.open(at("a"), "read");
      expect(text(await file.read(3, 4))).toBe("3456");
      expect(text(await file.read(8, 100))).toBe("89");
      expect(await file.read(10, 1)).toHaveLength(0);
      expect(await file.read(1_000, 5)).toHaveLength(0);
      await file.close();
    });

    it("takes and gives back large pieces whole", async () => {
      const large = Uint8Array.from({ length: 1_500_000 }, (_, index) => index * 31);
      const file = await disk.open(at("large"), "new");
      await file.write(large.subarray(0, 1_000_000));
      await file.write(large.subarray(1_000_000));
      expect(Buffer.compare(await file.read(0, 2_000_000), large)).toBe(0);
      await file.close();
    });

    it("does not keep the caller's bytes", async () => {
      const file = await disk.open(at("a"), "new");
      const piece = bytes("before");
      await file.write(piece);
      piece.fill(0);
      await file.close();
      expect(await contentOf("a")).toBe("before");
    });

    it("refuses to write through a file opened for reading", async () => {
      await make("a", "one");
      const file = await disk.open(at("a"), "read");
      await expect(file.write(bytes("x"))).rejects.toMatchObject({ code: "EBADF" });
      await expect(file.truncate(0)).rejects.toMatchObject({ code: "EINVAL" });
      await file.close();
      expect(await contentOf("a")).toBe("one");
    });

    it("truncates, and appends from there", async () => {
      await make("a", "whole line\ntorn");
      const file = await disk.open(at("a"), "append");
      await file.truncate(11);
      await file.write(bytes("next"));
      await file.sync();
      await file.close();
      expect(await contentOf("a")).toBe("whole line\nnext");
    });

    it("rejects what is asked of a closed file; closing again does no harm", async () => {
      await make("a", "one");
      const file = await disk.open(at("a"), "append");
      await file.close();
      await file.close();
      await expect(file.write(bytes("x"))).rejects.toMatchObject({ code: "EBADF" });
      await expect(file.sync()).rejects.toMatchObject({ code: "EBADF" });
      await expect(file.read(0, 1)).rejects.toMatchObject({ code: "EBADF" });
    });

    it("renames over a file that is there; a file open meanwhile stays what it was", async () => {
      await make("old", "old content");
      await make("new", "new content");
      const open = await disk.open(at("old"), "read");
      await disk.rename(at("new"), at("old"));
      expect(text(await open.read(0, 20))).toBe("old content");
      await open.close();
      expect(await contentOf("old")).toBe("new content");
      expect(await disk.list(under.directory)).toEqual(["old"]);
      await expect(disk.rename(at("none"), at("old"))).rejects.toMatchObject({ code: "ENOENT" });
      await disk.makeDir(at("dir"));
      await expect(disk.rename(at("old"), at("dir"))).rejects.toMatchObject({ code: "EISDIR" });
    });

    it("unlinks", async () => {
      await make("a", "one");
      await disk.unlink(at("a"));
      expect(await disk.list(under.directory)).toEqual([]);
      await expect(disk.unlink(at("a"))).rejects.toMatchObject({ code: "ENOENT" });
      await make("a", "two");
      expect(await contentOf("a")).toBe("two");
    });

    it("makes one level of directories, and is content with one that is there", async () => {
      await disk.makeDir(at("d"));
      await disk.makeDir(at("d"));
      await make("d/a", "one");
      expect(await disk.list(under.directory)).toEqual(["d"]);
      expect(await disk.list(at("d"))).toEqual(["a"]);
      await expect(disk.makeDir(at("x/y"))).rejects.toMatchObject({ code: "ENOENT" });
      await expect(disk.makeDir(at("d/a"))).rejects.toMatchObject({ code: "EEXIST" });
      await expect(disk.unlink(at("d"))).rejects.toMatchObject({ code: "EISDIR" });
    });

    it("syncs directories, and says when there is none", async () => {
      await make("a", "one");
      await disk.syncDir(under.directory);
      await expect(disk.syncDir(at("none"))).rejects.toMatchObject({ code: "ENOENT" });
      await expect(disk.syncDir(at("a"))).rejects.toMatchObject({ code: "ENOTDIR" });
    });

    it("lists directories only", async () => {
      await make("a", "one");
      await expect(disk.list(at("none"))).rejects.toMatchObject({ code: "ENOENT" });
      await expect(disk.list(at("a"))).rejects.toMatchObject({ code: "ENOTDIR" });
    });

    it("tells how much room is left", async () => {
      expect(await disk.freeBytes(under.directory)).toBeGreaterThan(0);
      await expect(disk.freeBytes(at("none"))).rejects.toMatchObject({ code: "ENOENT" });
    });
  });
}
