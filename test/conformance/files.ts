import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createFiles } from "../../drivers/files.ts";
import type { Files } from "../../drivers/ports.ts";
import { SimRandom } from "../sim/random.ts";
import type { DiskUnderTest } from "./disk.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** What Files promises over any disk, as far as it shows without a power cut. */
export function filesConformance(name: string, create: () => Promise<DiskUnderTest>): void {
  describe(`files: ${name}`, () => {
    let under: DiskUnderTest;
    let files: Files;
    const at = (file: string) => `${under.directory}/${file}`;

    beforeEach(async () => {
      under = await create();
      files = createFiles(under.disk, new SimRandom("files"));
    });
    afterEach(() => under.dispose());

    async function contentOf(file: string): Promise<string | null> {
      const content = await files.read(at(file), 1_000_000);
      return content === null ? null : new TextDecoder().decode(content);
    }

    it("reads a whole file, null where there is none, and refuses one past the bound", async () => {
      expect(await contentOf("a")).toBeNull();
      expect(await contentOf("no/a")).toBeNull();
      await files.replace(at("a"), bytes("0123456789"));
      expect(await contentOf("a")).toBe("0123456789");
      expect(await files.read(at("a"), 10)).toHaveLength(10);
      await expect(files.read(at("a"), 9)).rejects.toMatchObject({ code: "EFBIG" });
      await files.replace(at("a"), bytes(""));
      expect(await contentOf("a")).toBe("");
    });

    it("replaces with a value or a stream, and leaves nothing else behind", async () => {
      await files.replace(at("a"), bytes("first"));
      await files.replace(
        at("a"),
        (async function* () {
          yield bytes("sec");
          yield bytes("ond");
        })(),
      );
      expect(await contentOf("a")).toBe("second");
      expect(await files.list(under.directory)).toEqual(["a"]);
    });

    it("keeps the old content when the new one breaks off, and removes what there was of it", async () => {
      await files.replace(at("a"), bytes("first"));
      const broken = (async function* () {
        yield bytes("sec");
        throw new Error("the source broke");
      })();
      await expect(files.replace(at("a"), broken)).rejects.toThrow("the source broke");
      expect(await contentOf("a")).toBe("first");
      expect(await files.list(under.directory)).toEqual(["a"]);
    });

    it("does several replacements of one file in the order they were asked for", async () => {
      const all = ["1", "2", "3", "4"].map((content) => files.replace(at("a"), bytes(content)));
      await Promise.all(all);
      expect(await contentOf("a")).toBe("4");
      expect(await files.list(under.directory)).toEqual(["a"]);
    });

    it("hides what a crash left of a replacement, and the next one of the same file removes it", async () => {
      for (const left of ["a.tmp-0123456789ab", "b.tmp-0123456789ab"]) {
        const file = await files.open(at(left), "new");
        await file.close();
      }
      await files.replace(at("c.tmp"), bytes("a name like any other"));
      expect(await files.names(under.directory)).toEqual(["c.tmp"]);
      await files.replace(at("a"), bytes("first"));
      expect((await files.list(under.directory)).sort()).toEqual(["a", "b.tmp-0123456789ab", "c.tmp"]);
    });

    it("says what stopped a replacement", async () => {
      await expect(files.replace(at("no/a"), bytes("x"))).rejects.toMatchObject({ code: "ENOENT" });
      await files.makeDirs(at("d"));
      await expect(files.replace(at("d"), bytes("x"))).rejects.toMatchObject({ code: "EISDIR" });
      expect(await files.list(under.directory)).toEqual(["d"]);
    });

    it("removes, and is content when there is nothing", async () => {
      await files.replace(at("a"), bytes("first"));
      await files.remove(at("a"));
      await files.remove(at("a"));
      await files.remove(at("no/a"));
      expect(await files.names(under.directory)).toEqual([]);
    });

    it("makes directories with their parents, and names what is in them, sorted", async () => {
      await files.makeDirs(at("x/y/z"));
      await files.makeDirs(at("x/y/z"));
      for (const name of ["c", "a", "b"]) await files.replace(at(`x/y/z/${name}`), bytes(name));
      expect(await files.names(at("x/y/z"))).toEqual(["a", "b", "c"]);
      expect(await files.names(at("none"))).toEqual([]);
      await expect(files.makeDirs(at("x/y/z/a"))).rejects.toMatchObject({ code: "EEXIST" });
    });
  });
}
