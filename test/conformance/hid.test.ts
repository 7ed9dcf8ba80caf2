import { expect } from "vitest";
import { SimHid } from "../sim/hid.ts";
import { hidConformance } from "./hid.ts";

hidConformance("simulated", async () => {
  const hid = new SimHid();
  const ids = { vendorId: 0x16c0, productId: 0x05df };
  const port = "1-1.2:1.0";
  let stored = new Uint8Array(8);
  const features = {
    set: (report: Uint8Array) => {
      stored = Uint8Array.from(report);
    },
    get: () => stored,
  };
  const plug = async () => hid.plug(port, { ...ids, serial: "", product: "device" }, features);
  await plug();
  return {
    hid,
    ids,
    plug,
    pull: async () => hid.pull(port),
    report: async (bytes) => hid.report(port, bytes),
    pass: () => new Promise((resolve) => setImmediate(resolve)),
    dispose: async () => expect(hid.openHandles).toBe(0),
  };
});
