/**
 * A USB card reader of our own make: the descriptors and messages of smart card readers (CCID, revision 1.1), for as many interfaces
 * as the reader has. What it is and what it does is `Ccid`'s.
 */
import {
  answerStandard,
  describeEndpoint,
  describeInterface,
  firstOwnString,
  type UsbIdentity,
} from "./usb-descriptors.ts";
import type { Setup, UsbDevice } from "./usbip.ts";

/** One interface: a slot of its own. */
export interface CcidSlot {
  /** As PC/SC shows it in brackets; null: the interface has none. */
  name: string | null;
  /** What CCID's descriptor says of it (5.1), in the order it has there. */
  describe: SlotFacts;
  endpoints: { notify: number; out: number; in: number };
  /** Null: no card is in it. */
  atr(): Buffer | null;
  exchange(apdu: Buffer): Promise<Buffer>;
  /** Null: the reader knows no such command. */
  escape(order: Buffer): Promise<Buffer | null>;
}

export interface SlotFacts {
  release: number;
  voltages: number;
  protocols: number;
  clockKHz: number;
  rate: number;
  rateMax: number;
  ifsdMax: number;
  features: number;
  messageBytesMax: number;
}

export interface Ccid extends UsbIdentity {
  slots: readonly CcidSlot[];
  /** It has got its power, and knows only what it keeps without. */
  wake(): void;
}

const CCID_CLASS = 0x0b;
const NOT_STANDARD = 0x60;

const OUT = { powerOn: 0x62, powerOff: 0x63, slotStatus: 0x65, exchange: 0x6f, parameters: 0x6c } as const;
const OUT_MORE = { resetParameters: 0x6d, setParameters: 0x61, escape: 0x6b } as const;
const IN = { data: 0x80, status: 0x81, parameters: 0x82, escape: 0x83, moved: 0x50 } as const;
const HEADER_BYTES = 10;
/** Of the card (6.2.6). */
const ACTIVE = 0;
const IDLE = 1;
const ABSENT = 2;
const FAILED = 0x40;
/** Error codes (6.2.6, table 6.2-2). */
const NOT_SUPPORTED = 0;
const MUTE = 0xfe;
const T1_PARAMETERS = Buffer.from("11104d0000fe00", "hex");

export class CcidDevice implements UsbDevice {
  readonly #ccid: Ccid;
  readonly #active = new Set<CcidSlot>();
  readonly #missed = new Set<CcidSlot>();
  #say: (endpoint: number, bytes: Buffer) => void = () => {};
  /** Messages are answered one at a time, as `bMaxCCIDBusySlots` says. */
  #work: Promise<void> = Promise.resolve();

  constructor(ccid: Ccid) {
    this.#ccid = ccid;
  }

  plugged(say: (endpoint: number, bytes: Buffer) => void): void {
    this.#active.clear();
    this.#say = say;
    this.#ccid.wake();
    for (const slot of this.#ccid.slots) this.moved(slot);
  }

  unplugged(): void {
    this.#say = () => {};
  }

  /** A card has come or gone. */
  moved(slot: CcidSlot): void {
    const isThere = slot.atr() !== null;
    if (!isThere) this.#active.delete(slot);
    this.#missed.delete(slot);
    this.#say(slot.endpoints.notify, Buffer.of(IN.moved, isThere ? 0b11 : 0b10));
  }

  /** Whether the host has asked and heard that no card is there, since the last one has come or gone. */
  isMissed(slot: CcidSlot): boolean {
    return this.#missed.has(slot);
  }

  // ---------------------------------------------------------------- USB

  control(setup: Setup): Buffer | null {
    // CCID's own, abort and the lists of clocks and rates, no ACR has.
    if ((setup.requestType & NOT_STANDARD) !== 0) return null;
    const interfaces = this.#ccid.slots.map((slot, index) => this.#interface(slot, index));
    return answerStandard(setup, this.#ccid, this.#names, interfaces);
  }

  get #names(): string[] {
    return this.#ccid.slots.flatMap(({ name }) => (name === null ? [] : [name]));
  }

  #interface({ name, describe, endpoints }: CcidSlot, index: number): Buffer {
    const string = name === null ? 0 : firstOwnString + this.#names.indexOf(name);
    const ccid = Buffer.alloc(54);
    ccid.set([54, 0x21]);
    ccid.writeUInt16LE(describe.release, 2);
    ccid.writeUInt8(describe.voltages, 5);
    ccid.writeUInt32LE(describe.protocols, 6);
    ccid.writeUInt32LE(describe.clockKHz, 10);
    ccid.writeUInt32LE(describe.clockKHz, 14);
    ccid.writeUInt32LE(describe.rate, 19);
    ccid.writeUInt32LE(describe.rateMax, 23);
    ccid.writeUInt32LE(describe.ifsdMax, 28);
    ccid.writeUInt32LE(describe.features, 40);
    ccid.writeUInt32LE(describe.messageBytesMax, 44);
    ccid.writeUInt8(1, 53);
    return Buffer.concat([
      describeInterface(index, 3, CCID_CLASS, string),
      ccid,
      describeEndpoint(endpoints.notify, "interrupt", 8, 16),
      describeEndpoint(endpoints.out, "bulk", 64),
      describeEndpoint(endpoints.in, "bulk", 64),
    ]);
  }

  // ---------------------------------------------------------------- CCID

  take(endpoint: number, message: Buffer): void {
    const slot = this.#ccid.slots.find(({ endpoints }) => endpoints.out === endpoint);
    if (slot === undefined || message.length < HEADER_BYTES) return;
    const say = this.#say;
    this.#work = this.#work.then(async () => say(slot.endpoints.in, await this.#answer(slot, message)));
  }

  async #answer(slot: CcidSlot, message: Buffer): Promise<Buffer> {
    const data = message.subarray(HEADER_BYTES, HEADER_BYTES + message.readUInt32LE(1));
    const reply = (kind: number, body: Buffer, error: number | null = null, last = 0): Buffer => {
      const head = Buffer.alloc(HEADER_BYTES);
      head.writeUInt8(kind, 0);
      head.writeUInt32LE(body.length, 1);
      head.set([message.readUInt8(5), message.readUInt8(6)], 5);
      head.set([this.#cardOf(slot) | (error === null ? 0 : FAILED), error ?? 0, last], 7);
      return Buffer.concat([head, body]);
    };
    const nothing = Buffer.alloc(0);
    const isThere = slot.atr() !== null;
    switch (message.readUInt8(0)) {
      case OUT.powerOn:
        if (!isThere) return reply(IN.data, nothing, MUTE);
        this.#active.add(slot);
        return reply(IN.data, slot.atr() ?? nothing);
      case OUT.powerOff:
        this.#active.delete(slot);
        return reply(IN.status, nothing);
      case OUT.slotStatus:
        if (!isThere) this.#missed.add(slot);
        return reply(IN.status, nothing);
      case OUT.exchange: {
        if (!isThere) return reply(IN.data, nothing, MUTE);
        return reply(IN.data, await slot.exchange(data));
      }
      case OUT.parameters:
      case OUT_MORE.resetParameters:
      case OUT_MORE.setParameters:
        return reply(IN.parameters, T1_PARAMETERS, null, 1);
      case OUT_MORE.escape: {
        const answer = await slot.escape(data);
        return reply(IN.escape, answer ?? nothing, answer === null ? NOT_SUPPORTED : null);
      }
      default:
        return reply(IN.status, nothing, NOT_SUPPORTED);
    }
  }

  #cardOf(slot: CcidSlot): number {
    if (slot.atr() === null) return ABSENT;
    return this.#active.has(slot) ? ACTIVE : IDLE;
  }
}
