/** The card in QEMU's USB CCID reader: the host's end of `ccid-card-passthru`, which speaks VSCARD (libcacard's protocol). */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import type { Guest } from "./guest.ts";

const INIT = 1;
const READER_ADD = 3;
const ATR = 5;
const CARD_REMOVE = 6;
const APDU = 7;
const FLUSH = 8;
const FLUSH_COMPLETE = 9;
const HEADER_BYTES = 12;

/** PC/SC part 3, 3.1.3.2.3: a contactless storage card, MIFARE Ultralight. */
const STORAGE_CARD = Buffer.from("3b8f8001804f0ca0000003060300030000000068", "hex");
const GET_UID = "ffca000000";
const WELL = "9000";
const UNKNOWN = "6d00";

/** A reader that can be plugged in and pulled, and cards that can be laid on it. */
export class CardReader {
  readonly #guest: Guest;
  #line: Socket | null = null;
  #uid = "";

  constructor(guest: Guest) {
    this.#guest = guest;
  }

  async plug(): Promise<void> {
    await this.#guest.qmp(async (qmp) => {
      const data = { addr: { type: "unix", data: { path: this.#path } }, server: true, wait: false };
      await qmp.call("chardev-add", { id: "card", backend: { type: "socket", data } });
      await qmp.call("device_add", { driver: "usb-ccid", id: "ccid", bus: "xhci.0", port: "6" });
      await qmp.call("device_add", {
        driver: "ccid-card-passthru",
        id: "slot",
        bus: "ccid.0",
        chardev: "card",
      });
    });
    const line = connect(this.#path);
    await once(line, "connect");
    line.on("error", () => undefined);
    this.#line = line;
    let bytes: Buffer = Buffer.alloc(0);
    line.on("data", (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      for (;;) {
        if (bytes.length < HEADER_BYTES) return;
        const end = HEADER_BYTES + bytes.readUInt32BE(8);
        if (bytes.length < end) return;
        this.#take(bytes.readUInt32BE(0), bytes.subarray(HEADER_BYTES, end));
        bytes = bytes.subarray(end);
      }
    });
    this.#send(INIT, Buffer.from("VSCD\x00\x00\x00\x02\x00\x00\x00\x00", "latin1"));
    this.#send(READER_ADD, Buffer.from("rig\0"));
  }

  async unplug(): Promise<void> {
    if (this.#line === null) return;
    this.#line.destroy();
    this.#line = null;
    await this.#guest.unplug("ccid");
    // The card's end has to be a fresh one each time.
    await this.#guest.qmp((qmp) => qmp.call("chardev-remove", { id: "card" }));
  }

  present(uid: string): void {
    this.#uid = uid;
    this.#send(ATR, STORAGE_CARD);
  }

  remove(): void {
    this.#send(CARD_REMOVE, Buffer.alloc(0));
  }

  get #path(): string {
    return join(this.#guest.place.dir, "card.sock");
  }

  #take(kind: number, data: Buffer): void {
    if (kind === FLUSH) this.#send(FLUSH_COMPLETE, Buffer.alloc(0));
    if (kind !== APDU) return;
    const isAsked = data.toString("hex") === GET_UID;
    this.#send(APDU, Buffer.from(isAsked ? `${this.#uid}${WELL}` : UNKNOWN, "hex"));
  }

  #send(kind: number, data: Buffer): void {
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt32BE(kind, 0);
    header.writeUInt32BE(data.length, 8);
    this.#line?.write(Buffer.concat([header, data]));
  }
}
