import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createFiles } from "../../drivers/files.ts";
import { Index } from "../../sync/index.ts";
import { CUTS } from "../../sync/index-cuts.ts";
import { openImage, writeImage } from "../../sync/index-file.ts";
import { SimDisk } from "../sim/disk.ts";
import { SimRandom } from "../sim/random.ts";
import { anyCards, card, imagesOf, indexOf, SEAL } from "./sync-lists.ts";

const PATH = "/data/index-1.bin";

function diskWith(bytes: Uint8Array) {
  const disk = new SimDisk();
  disk.put(PATH, bytes);
  return createFiles(disk, new SimRandom(1));
}

/** What comes of opening these bytes. */
function opened(bytes: Uint8Array) {
  return openImage(diskWith(bytes), PATH, [SEAL]);
}

const SAMPLE = indexOf([
  card("BB-2401-000001", "active", "04A1B2C3D4E5F6", "0102030405060708090A"),
  card("LL-2401-000002", "terminated", "04A1B2C3"),
]);
const [image] = imagesOf(SAMPLE);
const sample = image!.bytes;

describe("the index file", () => {
  it("comes back as it was written", async () => {
    await fc.assert(
      fc.asyncProperty(anyCards, fc.subarray([...CUTS]), async (cards, cuts) => {
        const index = indexOf(cards, null, 120, cuts);
        const [image] = imagesOf(index);
        const files = createFiles(new SimDisk(), new SimRandom(1));
        await files.makeDirs("/data");
        await writeImage(files, PATH, image!, new AbortController().signal);
        const back = await openImage(files, PATH, [SEAL]);
        if (back.kind === "refused") throw new Error(back.why);
        expect(back.image.facts).toEqual({ revision: 120, publishedAtMs: null, cards: cards.length });
        expect(Buffer.compare(back.image.bytes, image!.bytes)).toBe(0);
        for (const { number, uids } of cards) {
          const loaded = new Index(back.image);
          expect(loaded.byNumber(number)).toEqual(index.byNumber(number));
          for (const uid of uids) expect(loaded.byToken(uid, "whole")).toEqual(index.byToken(uid, "whole"));
        }
      }),
      { numRuns: 20 },
    );
  });

  it("is refused when any byte of it is another", async () => {
    const places = [...Array(128).keys(), sample.length - 1];
    for (let place = 130; place < sample.length; place += 97) places.push(place);
    for (const place of places) {
      for (const bit of [1, 128]) {
        const bytes = new Uint8Array(sample);
        bytes[place]! ^= bit;
        expect(await opened(bytes), `byte ${place}`).toMatchObject({ kind: "refused" });
      }
    }
  });

  it("is refused when it is shorter or longer", async () => {
    for (const size of [0, 1, 127, 128, 129, 1000, sample.length - 8, sample.length - 1]) {
      expect(await opened(sample.slice(0, size)), `${size} bytes`).toMatchObject({ kind: "refused" });
    }
    const longer = new Uint8Array(sample.length + 1);
    longer.set(sample);
    expect(await opened(longer)).toMatchObject({ kind: "refused" });
  });

  it("says what is wrong", async () => {
    const changed = (place: number) => {
      const bytes = new Uint8Array(sample);
      bytes[place]! ^= 2;
      return opened(bytes);
    };
    expect(await changed(0)).toEqual({ kind: "refused", why: "this is no index file" });
    expect(await changed(4)).toEqual({
      kind: "refused",
      why: "the index file is of a version that is not read any more",
    });
    expect(await changed(5)).toEqual({
      kind: "refused",
      why: "the index file was written by a newer grindvakt",
    });
    expect(await changed(8)).toEqual({ kind: "refused", why: "the index file's header is damaged" });
    expect(await changed(300)).toEqual({ kind: "refused", why: "the index file is damaged" });
  });
});
