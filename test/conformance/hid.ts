/** What `drivers/hid.ts` promises, asked of any bus that a device can be plugged into. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Hid, HidEvents, HidIds } from "../../drivers/hid.ts";
import { until } from "./world.ts";

/** A bus with one device on it, which answers feature reports with what it was last sent. */
export interface HidBench {
  hid: Hid;
  ids: HidIds;
  pull(): Promise<void>;
  plug(): Promise<void>;
  /** The device hands over a report. */
  report(bytes: Uint8Array): Promise<void>;
  /** Lets a little time pass. */
  pass(): Promise<void>;
  dispose(): Promise<void>;
}

/** `id`, and a report of eight bytes. */
const FEATURE = Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7, 8);

/** Input reports, of eight bytes as well: the kernel fills up what is shorter than the device has said. */
const ONE = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
const TWO = Uint8Array.of(9, 8, 7, 6, 5, 4, 3, 2);
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

export function hidConformance(name: string, makeBench: () => Promise<HidBench>): void {
  describe(`a ${name} HID bus`, () => {
    let bench: HidBench;
    let heard: string[];
    let events: HidEvents;

    const wait = (what: () => boolean) => until(bench, what);

    async function open() {
      const [device] = await bench.hid.list(bench.ids);
      return bench.hid.open(device!, events);
    }

    beforeEach(async () => {
      bench = await makeBench();
      heard = [];
      events = {
        report: (bytes) => heard.push(hexOf(bytes)),
        gone: (why) => heard.push(`gone: ${why}`),
      };
    });

    afterEach(() => bench.dispose());

    it("lists what is plugged in, and nothing else", async () => {
      expect(await bench.hid.list(bench.ids)).toMatchObject([bench.ids]);
      expect(await bench.hid.list({ vendorId: 0xfffe, productId: 0xfffe })).toEqual([]);
      await bench.pull();
      expect(await bench.hid.list(bench.ids)).toEqual([]);
    });

    it("hands over reports in order, and none once it has been closed", async () => {
      const handle = await open();
      await bench.report(ONE);
      await bench.report(TWO);
      await wait(() => heard.length === 2);
      await handle.close();
      await handle.close();
      await bench.report(ONE);
      await bench.pass();
      expect(heard).toEqual([hexOf(ONE), hexOf(TWO)]);
    });

    it("takes feature reports, and gives them", async () => {
      const handle = await open();
      await handle.sendFeature(FEATURE);
      expect([...(await handle.getFeature(0, FEATURE.length))]).toEqual([...FEATURE]);
      await handle.close();
      await expect(handle.sendFeature(FEATURE)).rejects.toThrow(/\w/);
      await expect(handle.getFeature(0, FEATURE.length)).rejects.toThrow(/\w/);
    });

    it("tells once that the device is gone, takes nothing for it, and has it anew when it is back", async () => {
      const handle = await open();
      await bench.pull();
      await wait(() => heard.length === 1);
      await expect(handle.sendFeature(FEATURE)).rejects.toThrow(/\w/);
      await bench.pass();
      expect(heard).toEqual([expect.stringMatching(/^gone: \S+ \S+/)]);
      await handle.close();
      await bench.plug();
      const again = await open();
      await bench.report(TWO);
      await wait(() => heard.length === 2);
      await again.close();
    });

    it("opens nothing that has been pulled", async () => {
      const [device] = await bench.hid.list(bench.ids);
      await bench.pull();
      await expect(bench.hid.open(device!, events)).rejects.toThrow(/\S+ \S+/);
      expect(heard).toEqual([]);
    });
  });
}
