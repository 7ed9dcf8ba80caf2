/**
 * USB devices of our own make in the guest: the device's end of USB/IP (kernel, Documentation/usb/usbip_protocol.rst), to which the
 * guest's own host controller `vhci-hcd` is connected. To everything above that the device is one on a cable.
 */
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import type { Guest } from "./guest.ts";

/** What is asked on endpoint 0 (USB 2.0, 9.3). */
export interface Setup {
  requestType: number;
  request: number;
  value: number;
  index: number;
  length: number;
}

/** Endpoints are named by their addresses, those that the host reads from with 0x80. */
export interface UsbDevice {
  /** It has power, and is a new one to the host. `say`: gives bytes to whoever reads there, now or later. */
  plugged(say: (endpoint: number, bytes: Buffer) => void): void;
  unplugged(): void;
  /** `data`: what the host sends with it. Null: refused. */
  control(setup: Setup, data: Buffer): Buffer | null;
  take(endpoint: number, bytes: Buffer): void;
}

const COMMANDS = { submit: 1, unlink: 2, submitted: 3, unlinked: 4 } as const;
const HEADER_BYTES = 48;
const DIRECTION_IN = 1;
/** As the kernel numbers its errors. */
const STALLED = -32;
const UNLINKED = -104;
/** enum usb_device_speed: USB_SPEED_FULL. */
const FULL_SPEED = 2;
const VHCI = "/sys/devices/platform/vhci_hcd.0";
/** vhci_hcd's word for a port that nothing is in. */
const EMPTY = "004";

interface Read {
  sequence: number;
  length: number;
}

/** A cable: into one of the eight sockets of the guest's hub, and out. */
export class UsbCable {
  readonly #guest: Guest;
  readonly #socket: number;
  readonly #device: UsbDevice;
  readonly #server = createServer({ noDelay: true }, (line) => this.#connect(line));
  #guestPort = 0;
  #line: Socket | null = null;

  /** `socket`: 0 to 7. */
  constructor(guest: Guest, socket: number, device: UsbDevice) {
    this.#guest = guest;
    this.#socket = socket;
    this.#device = device;
  }

  async plug(): Promise<void> {
    if (!this.#server.listening) {
      await once(this.#server.listen(0, "127.0.0.1"), "listening");
      const { port } = this.#server.address() as AddressInfo;
      this.#guestPort = this.#guest.place.isInside ? port : await this.#guest.lead(port);
    }
    const attach = `echo "${this.#socket} 3 ${this.#socket + 1} ${FULL_SPEED}" >${VHCI}/attach`;
    await this.#guest.sh(
      `modprobe vhci-hcd && bash -c 'exec 3<>/dev/tcp/127.0.0.1/${this.#guestPort} && ${attach}'`,
    );
  }

  async unplug(): Promise<void> {
    if (this.#line === null) return;
    this.#line.destroy();
    this.#line = null;
    this.#device.unplugged();
    const port = `0*${this.#socket} ${EMPTY} `;
    await this.#guest.sh(`until grep -Eq '^hs +${port}' ${VHCI}/status; do sleep 0.1; done`);
  }

  /** For good. */
  async remove(): Promise<void> {
    await this.unplug();
    this.#server.close();
  }

  // ---------------------------------------------------------------- what goes over it

  #connect(line: Socket): void {
    const waiting = new Map<number, Read[]>();
    const ready = new Map<number, Buffer[]>();
    /** What was given last, while the host may not have taken it yet. */
    const given = new Map<number, { sequence: number; bytes: Buffer }>();
    const of = <One>(map: Map<number, One[]>, endpoint: number): One[] => {
      const all = map.get(endpoint) ?? [];
      map.set(endpoint, all);
      return all;
    };
    const give = (endpoint: number): void => {
      const reads = of(waiting, endpoint);
      const said = of(ready, endpoint);
      while (reads.length > 0 && said.length > 0) {
        const { sequence, length } = reads.shift()!;
        const bytes = said.shift()!;
        if (bytes.length > length) said.unshift(bytes.subarray(length));
        given.set(endpoint, { sequence, bytes: bytes.subarray(0, length) });
        submitted(line, sequence, 0, bytes.subarray(0, length));
      }
    };
    const submit = (header: Buffer, data: Buffer): void => {
      const sequence = header.readUInt32BE(4);
      const isIn = header.readUInt32BE(12) === DIRECTION_IN;
      const number = header.readUInt32BE(16);
      const length = header.readUInt32BE(24);
      if (number === 0) {
        const answer = this.#device.control(setupOf(header.subarray(40)), data);
        if (answer === null) return submitted(line, sequence, STALLED, Buffer.alloc(0));
        return isIn ? submitted(line, sequence, 0, answer.subarray(0, length)) : taken(line, sequence, data);
      }
      if (isIn) {
        of(waiting, number | 0x80).push({ sequence, length });
        return give(number | 0x80);
      }
      taken(line, sequence, data);
      this.#device.take(number, data);
    };
    const unlink = (header: Buffer): void => {
      const sequence = header.readUInt32BE(20);
      let found = false;
      for (const reads of waiting.values()) {
        const at = reads.findIndex((read) => read.sequence === sequence);
        if (at >= 0) reads.splice(at, 1);
        found ||= at >= 0;
      }
      // The host gave up this read before what we gave had come. A device on a wire would not have been asked: it has it still.
      for (const [endpoint, last] of given) {
        if (last.sequence !== sequence) continue;
        given.delete(endpoint);
        of(ready, endpoint).unshift(last.bytes);
      }
      const reply = Buffer.alloc(HEADER_BYTES);
      reply.writeUInt32BE(COMMANDS.unlinked, 0);
      reply.writeUInt32BE(header.readUInt32BE(4), 4);
      reply.writeInt32BE(found ? UNLINKED : 0, 20);
      line.write(reply);
      for (const endpoint of waiting.keys()) give(endpoint);
    };
    line.on("error", () => undefined);
    line.on("data", eachCommand(submit, unlink));
    this.#line = line;
    this.#device.plugged((endpoint, bytes) => {
      of(ready, endpoint).push(bytes);
      if (!line.destroyed) give(endpoint);
    });
  }
}

/** Bytes in pieces of any size to whole commands. */
function eachCommand(
  submit: (header: Buffer, data: Buffer) => void,
  unlink: (header: Buffer) => void,
): (chunk: Buffer) => void {
  let bytes: Buffer = Buffer.alloc(0);
  return (chunk) => {
    bytes = Buffer.concat([bytes, chunk]);
    while (bytes.length >= HEADER_BYTES) {
      const header = bytes.subarray(0, HEADER_BYTES);
      const isSubmit = header.readUInt32BE(0) === COMMANDS.submit;
      const isOut = header.readUInt32BE(12) !== DIRECTION_IN;
      const end = HEADER_BYTES + (isSubmit && isOut ? header.readUInt32BE(24) : 0);
      if (bytes.length < end) return;
      if (isSubmit) submit(header, bytes.subarray(HEADER_BYTES, end));
      else unlink(header);
      bytes = bytes.subarray(end);
    }
  };
}

function taken(line: Socket, sequence: number, { length }: Buffer): void {
  submitted(line, sequence, 0, Buffer.alloc(0), length);
}

function submitted(line: Socket, sequence: number, status: number, data: Buffer, length = data.length): void {
  const reply = Buffer.alloc(HEADER_BYTES);
  reply.writeUInt32BE(COMMANDS.submitted, 0);
  reply.writeUInt32BE(sequence, 4);
  reply.writeInt32BE(status, 20);
  reply.writeUInt32BE(length, 24);
  line.write(Buffer.concat([reply, data]));
}

/** The one part that is little-endian: as it is on the wire of USB itself. */
function setupOf(bytes: Buffer): Setup {
  return {
    requestType: bytes.readUInt8(0),
    request: bytes.readUInt8(1),
    value: bytes.readUInt16LE(2),
    index: bytes.readUInt16LE(4),
    length: bytes.readUInt16LE(6),
  };
}
