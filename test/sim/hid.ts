/** A simulated USB bus: devices are plugged in and pulled, type, hand over reports, and answer feature reports. */
import type { Hid, HidDevice, HidEvents, HidHandle, HidIds } from "../../drivers/hid.ts";

const FEATURE_BYTES = 9;

/** What a device answers; it does not know whether it is plugged in. */
export interface SimFeatures {
  set(report: Uint8Array): void;
  get(): Uint8Array;
}

interface Plugged {
  device: HidDevice;
  features: SimFeatures | null;
  handles: Set<HidEvents>;
}

export class SimHid implements Hid {
  readonly #plugged = new Map<string, Plugged>();
  #plugs = 0;
  /** Open handles that nobody has closed, those of pulled devices included. */
  openHandles = 0;
  /** Null: opening succeeds. */
  denied: string | null = null;
  /** Devices do not answer while this is so, and never will what they were asked meanwhile. */
  isMute = false;

  /** `port`: where, such as `1-1.2:1.0`. */
  plug(port: string, device: Omit<HidDevice, "path" | "port">, features: SimFeatures | null = null): void {
    this.#plugs += 1;
    const path = `/dev/hidraw${this.#plugs}`;
    this.#plugged.set(port, { device: { ...device, port, path }, features, handles: new Set() });
  }

  pull(port: string): void {
    const pulled = this.#plugged.get(port);
    this.#plugged.delete(port);
    for (const events of pulled?.handles ?? []) events.gone("the device was unplugged");
  }

  /** The device at `port` hands over these reports. */
  report(port: string, ...reports: Uint8Array[]): void {
    for (const report of reports) {
      for (const events of this.#plugged.get(port)?.handles ?? []) events.report(report);
    }
  }

  async list({ vendorId, productId }: HidIds): Promise<HidDevice[]> {
    await null;
    return [...this.#plugged.values()]
      .map(({ device }) => device)
      .filter((device) => device.vendorId === vendorId && device.productId === productId);
  }

  async open(device: HidDevice, events: HidEvents): Promise<HidHandle> {
    await null;
    if (this.denied !== null) throw new Error(this.denied);
    const plugged = () => [...this.#plugged.values()].find((one) => one.device.path === device.path);
    const there = plugged();
    if (there === undefined) throw new Error(`${device.path} is not there any more`);
    there.handles.add(events);
    this.openHandles += 1;
    let isOpen = true;
    const command = async (): Promise<SimFeatures> => {
      await (this.isMute ? new Promise(() => {}) : null);
      if (!isOpen) throw new Error("it has been closed");
      const features = plugged()?.features;
      if (!features) throw new Error("it did not take the report");
      return features;
    };
    return {
      sendFeature: async (bytes) => (await command()).set(bytes.slice(1)),
      getFeature: async (reportId, lengthBytes) => {
        const report = (await command()).get();
        return Uint8Array.of(reportId, ...report).slice(0, Math.min(lengthBytes, FEATURE_BYTES));
      },
      close: async () => {
        if (isOpen) this.openHandles -= 1;
        isOpen = false;
        there.handles.delete(events);
      },
    };
  }
}
