/** What USB asks of every device (USB 2.0, chapter 9), for devices of our own make. */
import type { Setup } from "./usbip.ts";

export interface UsbIdentity {
  vendorId: number;
  productId: number;
  /** Of USB itself, and of the device's firmware; both in binary-coded decimal. */
  usbRelease: number;
  release: number;
  controlBytes: number;
  maker: string;
  product: string;
}

const KINDS = { device: 1, configuration: 2, string: 3, interface: 4, endpoint: 5 } as const;
const REQUESTS = { status: 0, descriptor: 6 } as const;
/** Those that change what is of no account here: a feature, the configuration, the interface's setting. */
const TAKEN = [1, 3, 9, 11];
const ENGLISH = 0x0409;
const FROM_THE_BUS = 0x80;
/** In units of 2 mA. */
const POWER = 100;
const TRANSFER = { bulk: 2, interrupt: 3 } as const;

/**
 * What a standard request is answered; null: refused. `strings`: the device's own, which follow maker and product and are numbered
 * from `firstOwnString`. `interfaces`: each with all that describes it.
 */
export function answerStandard(
  { request, value, length }: Setup,
  identity: UsbIdentity,
  strings: readonly string[],
  interfaces: readonly Buffer[],
): Buffer | null {
  if (request === REQUESTS.status) return Buffer.alloc(2);
  if (TAKEN.includes(request)) return Buffer.alloc(0);
  if (request !== REQUESTS.descriptor) return null;
  const all = [identity.maker, identity.product, ...strings];
  switch (value >> 8) {
    case KINDS.device:
      return describeDevice(identity).subarray(0, length);
    case KINDS.configuration:
      return describeConfiguration(interfaces).subarray(0, length);
    case KINDS.string:
      return describeString(all, value & 0xff)?.subarray(0, length) ?? null;
    default:
      return null;
  }
}

export const firstOwnString = 3;

function describeDevice({ vendorId, productId, usbRelease, release, controlBytes }: UsbIdentity): Buffer {
  const bytes = Buffer.alloc(18);
  bytes.set([18, KINDS.device]);
  bytes.writeUInt16LE(usbRelease, 2);
  bytes.writeUInt8(controlBytes, 7);
  bytes.writeUInt16LE(vendorId, 8);
  bytes.writeUInt16LE(productId, 10);
  bytes.writeUInt16LE(release, 12);
  // Maker and product by their strings; no serial number; one configuration.
  bytes.set([1, 2, 0, 1], 14);
  return bytes;
}

function describeConfiguration(interfaces: readonly Buffer[]): Buffer {
  const head = Buffer.of(9, KINDS.configuration, 0, 0, interfaces.length, 1, 0, FROM_THE_BUS, POWER);
  const all = Buffer.concat([head, ...interfaces]);
  all.writeUInt16LE(all.length, 2);
  return all;
}

function describeString(strings: readonly string[], index: number): Buffer | null {
  if (index === 0) return Buffer.of(4, KINDS.string, ENGLISH & 0xff, ENGLISH >> 8);
  const text = strings[index - 1];
  if (text === undefined) return null;
  const bytes = Buffer.from(text, "utf16le");
  return Buffer.concat([Buffer.of(2 + bytes.length, KINDS.string), bytes]);
}

/** `string`: the number of its name, or 0. */
export function describeInterface(number: number, endpoints: number, kind: number, string = 0): Buffer {
  return Buffer.of(9, KINDS.interface, number, 0, endpoints, kind, 0, 0, string);
}

/** `intervalMs`: how often an interrupt endpoint is asked. */
export function describeEndpoint(
  address: number,
  transfer: keyof typeof TRANSFER,
  sizeBytes: number,
  intervalMs = 0,
): Buffer {
  return Buffer.of(7, KINDS.endpoint, address, TRANSFER[transfer], sizeBytes, 0, intervalMs);
}
