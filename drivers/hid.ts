/** USB devices that speak HID, as a port: readers and relay boards know this, `hid-node.ts` and the simulated one bring it. */

export interface HidIds {
  vendorId: number;
  productId: number;
}

/** One interface of a device. What the system does not say is empty or left out. */
export interface HidDevice extends HidIds {
  /** What `open` takes; another one after each re-plug. */
  path: string;
  /** The USB port and the interface, as the kernel names them: `1-1.2:1.0`. The same after each re-plug. */
  port: string;
  serial: string;
  product: string;
  usagePage?: number;
  usage?: number;
}

export interface HidEvents {
  /** An input report as it came, the report's id first where the device uses ids. Not before `open` resolves nor after `gone`. */
  report(bytes: Uint8Array): void;
  /** Once, when the device is gone for any cause but our own `close`. */
  gone(why: string): void;
}

/** An open device. Its two commands reject when it is gone. */
export interface HidHandle {
  /** `bytes`: the report's id, 0 where the device uses none, and the report. */
  sendFeature(bytes: Uint8Array): Promise<void>;
  /** The report's id and the report, at most `lengthBytes` of both. */
  getFeature(reportId: number, lengthBytes: number): Promise<Uint8Array>;
  /** Resolves within a second. Safe at any time and more than once; never rejects, and `gone` is not called for it. */
  close(): Promise<void>;
}

/** Both reject within 5 s, with words fit to be shown. */
export interface Hid {
  /** What is plugged in now; nothing tells when that changes. */
  list(ids: HidIds): Promise<HidDevice[]>;
  open(device: HidDevice, events: HidEvents): Promise<HidHandle>;
}
