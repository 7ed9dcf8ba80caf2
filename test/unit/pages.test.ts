import { once } from "node:events";
import { MessageChannel } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { sharedPages, shorts, words } from "../../sync/pages.ts";

const MB = 1024 * 1024;

describe("pages", () => {
  it("are as many zeros as were asked for, however few", () => {
    for (const sizeBytes of [0, 1, MB - 1, MB, MB + 1, 3 * MB + 5]) {
      const bytes = sharedPages(sizeBytes);
      expect(bytes.length).toBe(sizeBytes);
      expect(bytes.byteOffset).toBe(0);
      expect(bytes.every((byte) => byte === 0)).toBe(true);
    }
    expect([words(MB).length, shorts(MB).length]).toEqual([MB, MB]);
  });

  it("are the same memory on both sides of a port", async () => {
    for (const sizeBytes of [1_000, 2 * MB]) {
      const bytes = sharedPages(sizeBytes);
      const { port1, port2 } = new MessageChannel();
      port1.postMessage(bytes);
      const [there] = (await once(port2, "message")) as [Uint8Array];
      port1.close();
      there[sizeBytes - 1] = 7;
      expect(bytes[sizeBytes - 1]).toBe(7);
      expect(there.length).toBe(sizeBytes);
    }
  });
});
