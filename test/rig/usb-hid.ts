/**
 * HID devices of our own make on the guest's USB (`usbip.ts`): what `guest/uhid.py` has beside USB, here with a plug that libusb sees.
 * Reports have no numbers.
 */
import type { Guest } from "./guest.ts";
import { answerStandard, describeEndpoint, describeInterface, type UsbIdentity } from "./usb-descriptors.ts";
import { type Setup, UsbCable, type UsbDevice } from "./usbip.ts";

const HID_CLASS = 3;
const NOT_STANDARD = 0x60;
/** HID 1.11, 6.2.1 and 7.2. */
const DESCRIPTORS = { hid: 0x21, report: 0x22 } as const;
const REQUESTS = { getReport: 1, setReport: 9, setIdle: 0x0a, descriptor: 6 } as const;
const READ_FROM = 0x81;
/** Full speed's largest interrupt transfer (USB 2.0, 5.7.3). */
const REPORT_BYTES_MAX = 64;
const FEATURE_BYTES = 8;

const DESCRIBED = {
  /** Of the maker's own page: reports of 8 bytes, to be read as they come, and to be written and read back. */
  store: "0600ff0901a101150026ff0075089508090181020900b20201c0",
  /** The same page: reports of 32 bytes. */
  text: "0600ff0901a101150026ff007508952009018102c0",
  /** A keyboard's (HID 1.11, appendix B.1), without lamps. */
  keys: "05010906a101050719e029e71500250175019508810295017508810195067508150025650507190029658100c0",
} as const;

abstract class UsbHid implements UsbDevice {
  readonly #cable: UsbCable;
  #say: ((endpoint: number, bytes: Buffer) => void) | null = null;

  /** `socket`: 0 to 7. */
  constructor(guest: Guest, socket: number) {
    this.#cable = new UsbCable(guest, socket, this);
  }

  protected abstract readonly identity: UsbIdentity;
  /** What its reports are, in HID's own words. */
  protected abstract readonly reports: Buffer;
  protected feature: Buffer = Buffer.alloc(FEATURE_BYTES);

  plug(): Promise<void> {
    return this.#cable.plug();
  }

  unplug(): Promise<void> {
    return this.#cable.unplug();
  }

  /** For good. */
  remove(): Promise<void> {
    return this.#cable.remove();
  }

  /** An input report: kept until the host asks for it, so that none is lost to a slow one; lost while it is out. */
  report(bytes: Uint8Array): void {
    this.#say?.(READ_FROM, Buffer.from(bytes));
  }

  plugged(say: (endpoint: number, bytes: Buffer) => void): void {
    this.#say = say;
  }

  unplugged(): void {
    this.#say = null;
  }

  take(): void {}

  control(setup: Setup, data: Buffer): Buffer | null {
    const { requestType, request, value, length } = setup;
    if (request === REQUESTS.descriptor && value >> 8 === DESCRIPTORS.report)
      return this.reports.subarray(0, length);
    if ((requestType & NOT_STANDARD) === 0)
      return answerStandard(setup, this.identity, [], [describeHid(this.reports.length)]);
    switch (request) {
      case REQUESTS.getReport:
        return this.feature.subarray(0, length);
      case REQUESTS.setReport:
        this.feature = Buffer.from(data);
        return data;
      case REQUESTS.setIdle:
        return data;
      default:
        return null;
    }
  }
}

function describeHid(descriptorBytes: number): Buffer {
  return Buffer.concat([
    describeInterface(0, 1, HID_CLASS),
    Buffer.of(9, DESCRIPTORS.hid, 0x11, 0x01, 0, 1, DESCRIPTORS.report, descriptorBytes, 0),
    describeEndpoint(READ_FROM, "interrupt", REPORT_BYTES_MAX, 10),
  ]);
}

const RELEASES = { usbRelease: 0x0110, release: 0x0100, controlBytes: 8 };

/** Gives back what it was sent last. */
export class UsbStore extends UsbHid {
  protected readonly identity = {
    ...{ vendorId: 0x0c27, productId: 0x3bfb, maker: "RIG", product: "RIG store" },
    ...RELEASES,
  };
  protected readonly reports = Buffer.from(DESCRIBED.store, "hex");
}

/** A reader whose reports hold text. */
export class UsbTextReader extends UsbHid {
  protected readonly identity = {
    ...{ vendorId: 0x0c27, productId: 0x3bfc, maker: "RIG", product: "RIG text reader" },
    ...RELEASES,
  };
  protected readonly reports = Buffer.from(DESCRIBED.text, "hex");

  show(text: string): void {
    const report = Buffer.alloc(32);
    report.write(text, "latin1");
    this.report(report);
  }
}

/** Of the HID Usage Tables, section 10. */
const KEYS: Readonly<Record<string, number>> = { "\n": 0x28, "-": 0x2d, " ": 0x2c, "0": 0x27 };
const KEY_A = 0x04;
const KEY_1 = 0x1e;

/** A reader that types. Unlike QEMU's keyboard, which drops keys that nobody has fetched, it loses none. */
export class UsbTyper extends UsbHid {
  protected readonly identity = {
    ...{ vendorId: 0x0c27, productId: 0x3bfd, maker: "RIG", product: "RIG typing reader" },
    ...RELEASES,
  };
  protected readonly reports = Buffer.from(DESCRIBED.keys, "hex");

  /** Small letters, digits, hyphen, space and Enter. */
  type(text: string): void {
    for (const character of text) {
      this.report(Buffer.of(0, 0, keyOf(character), 0, 0, 0, 0, 0));
      this.report(Buffer.alloc(8));
    }
  }
}

function keyOf(character: string): number {
  const key = KEYS[character];
  if (key !== undefined) return key;
  if (/[a-z]/.test(character)) return KEY_A + character.charCodeAt(0) - "a".charCodeAt(0);
  if (/[1-9]/.test(character)) return KEY_1 + Number(character) - 1;
  throw new Error(`no key types ${JSON.stringify(character)}`);
}
