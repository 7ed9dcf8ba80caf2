/** A USB serial adapter in the guest, with the device's end of its line in our hands. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { until } from "../e2e/site.ts";
import type { Guest } from "./guest.ts";

export class UsbSerial {
  readonly #guest: Guest;
  readonly #id: string;
  readonly #serial: string;
  readonly #usbPort: number;
  #line: Socket | null = null;
  #backend = false;
  /** What the guest wrote since it was last plugged in. */
  received: Buffer = Buffer.alloc(0);

  /** `serial`: its serial number; `usbPort`: the socket of the machine's hub that it is plugged into. */
  constructor(guest: Guest, id: string, usbPort: number, serial = id) {
    this.#guest = guest;
    this.#id = id;
    this.#usbPort = usbPort;
    this.#serial = serial;
  }

  /** Two alike share this name; the one found last has it. */
  get byId(): string {
    return `/dev/serial/by-id/usb-QEMU_QEMU_USB_SERIAL_${this.#serial}-if00-port0`;
  }

  /** The name of the socket it is plugged into. */
  get byPath(): string {
    return `/dev/serial/by-path/pci-0000:00:04.0-usb-0:${this.#usbPort}:1.0-port0`;
  }

  async plug(): Promise<void> {
    const path = join(this.#guest.place.dir, `${this.#id}.sock`);
    if (!this.#backend) {
      const data = { addr: { type: "unix", data: { path } }, server: true, wait: false };
      const backend = { id: this.#id, backend: { type: "socket", data } };
      await this.#guest.qmp((qmp) => qmp.call("chardev-add", backend));
      this.#backend = true;
    }
    await this.#guest.plug("usb-serial", this.#id, {
      bus: "xhci.0",
      port: `${this.#usbPort}`,
      chardev: this.#id,
      serial: this.#serial,
      "always-plugged": true,
    });
    this.received = Buffer.alloc(0);
    const line = connect(path);
    await once(line, "connect");
    line.on("error", () => undefined);
    line.on("data", (bytes) => {
      this.received = Buffer.concat([this.received, bytes]);
    });
    this.#line = line;
  }

  async unplug(): Promise<void> {
    const line = this.#line;
    if (line === null) return;
    this.#line = null;
    line.destroy();
    await this.#guest.unplug(this.#id);
  }

  send(bytes: string): void {
    this.#line?.write(bytes);
  }

  /** Milliseconds since 1970 on the guest's clock when the guest gave it its name. */
  async namedAtMs(name: string): Promise<number> {
    const seconds = await until(`the guest names ${name}`, async () => {
      const { code, stdout } = await this.#guest.run(`stat -c %.3Z ${name}`);
      return code === 0 ? Number(stdout) : null;
    });
    return seconds * 1000;
  }
}
