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
const REPORT_BYTES = 8;
/** Of the maker's own page: reports of eight bytes, to be read as they come, and to be written and read back. */
const REPORTS = Buffer.from("0600ff0901a101150026ff0075089508090181020900b20201c0", "hex");

abstract class UsbHid implements UsbDevice {
  readonly #cable: UsbCable;
  #say: ((endpoint: number, bytes: Buffer) => void) | null = null;

  /** `socket`: 0 to 7. */
  constructor(guest: Guest, socket: number) {
    this.#cable = new UsbCable(guest, socket, this);
  }

  protected abstract readonly identity: UsbIdentity;
  protected abstract feature: Buffer;

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

  /** An input report; lost while it is out. */
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
      return REPORTS.subarray(0, length);
    if ((requestType & NOT_STANDARD) === 0) return answerStandard(setup, this.identity, [], [INTERFACE]);
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

const INTERFACE = Buffer.concat([
  describeInterface(0, 1, HID_CLASS),
  Buffer.of(9, DESCRIPTORS.hid, 0x11, 0x01, 0, 1, DESCRIPTORS.report, REPORTS.length, 0),
  describeEndpoint(READ_FROM, "interrupt", REPORT_BYTES, 10),
]);

const RELEASES = { usbRelease: 0x0110, release: 0x0100, controlBytes: 8 };

/** Gives back what it was sent last. */
export class UsbStore extends UsbHid {
  protected readonly identity = {
    ...{ vendorId: 0x0c27, productId: 0x3bfb, maker: "RIG", product: "RIG store" },
    ...RELEASES,
  };
  protected feature: Buffer = Buffer.alloc(REPORT_BYTES);
}
