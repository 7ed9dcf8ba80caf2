/** A USB serial adapter in the guest, with the device's end of its line in our hands. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import type { Guest } from "./guest.ts";

export interface UsbSerialPlace {
  id: string;
  /** The socket of the machine's hub that it is plugged into, from 1. */
  usbPort: number;
  /** Its serial number, when that is not its id. */
  serial?: string;
  /** A TCP port of ours where the other end of the line is; else it is here. */
  farPort?: number;
}

export class UsbSerial {
  readonly #guest: Guest;
  readonly #place: UsbSerialPlace;
  #line: Socket | null = null;
  #hasBackend = false;
  #plugged = false;
  /** Everything from the guest since it was last plugged in. */
  received: Buffer = Buffer.alloc(0);

  constructor(guest: Guest, place: UsbSerialPlace) {
    this.#guest = guest;
    this.#place = place;
  }

  /** Two alike share this name; the one found last has it. */
  get byId(): string {
    return `/dev/serial/by-id/usb-QEMU_QEMU_USB_SERIAL_${this.#place.serial ?? this.#place.id}-if00-port0`;
  }

  /** The name of the socket it is plugged into. */
  get byPath(): string {
    return `/dev/serial/by-path/pci-0000:00:04.0-usb-0:${this.#place.usbPort}:1.0-port0`;
  }

  async plug(): Promise<void> {
    const { id, usbPort, serial = id, farPort } = this.#place;
    const path = join(this.#guest.place.dir, `${id}.sock`);
    if (!this.#hasBackend) {
      const addr =
        farPort === undefined
          ? { type: "unix", data: { path } }
          : { type: "inet", data: { host: "127.0.0.1", port: `${farPort}` } };
      const data = { addr, server: farPort === undefined, ...(farPort === undefined ? { wait: false } : {}) };
      await this.#guest.qmp((qmp) => qmp.call("chardev-add", { id, backend: { type: "socket", data } }));
      this.#hasBackend = true;
    }
    const properties = { bus: "xhci.0", port: `${usbPort}`, chardev: id, serial, "always-plugged": true };
    await this.#guest.plug("usb-serial", id, properties);
    this.#plugged = true;
    if (farPort !== undefined) return;
    this.#line = connect(path);
    await once(this.#line, "connect");
    this.#line.on("error", () => undefined);
    this.#line.on("data", (bytes: Buffer) => {
      this.received = Buffer.concat([this.received, bytes]);
    });
  }

  async unplug(): Promise<void> {
    if (!this.#plugged) return;
    this.#plugged = false;
    this.received = Buffer.alloc(0);
    this.#line?.destroy();
    this.#line = null;
    await this.#guest.unplug(this.#place.id);
  }

  /** Pulls it out for good: another one may have its id. */
  async remove(): Promise<void> {
    await this.unplug();
    const { id } = this.#place;
    if (this.#hasBackend) await this.#guest.qmp((qmp) => qmp.call("chardev-remove", { id }));
    this.#hasBackend = false;
  }

  async send(bytes: string | Uint8Array): Promise<void> {
    this.#line?.write(bytes);
  }
}
