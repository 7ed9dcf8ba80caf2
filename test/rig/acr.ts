/**
 * Contactless readers of our own make, with the numbers and names of readers from a shop: what each answers and does is written from
 * the maker's manuals (ACR122U application programming interface 2.04; ACM1252U-Y3 reference manual 1.03, whose commands the ACR1252U
 * has), its descriptors from the list of readers that libccid keeps. No firmware of a maker is in here.
 *
 * What a manual does not say is ours: what an unknown command is answered, and that the lamps change at no card by themselves.
 */
import { type Ccid, CcidDevice, type CcidSlot, type SlotFacts } from "./ccid.ts";
import type { Guest } from "./guest.ts";
import { UsbCable } from "./usbip.ts";

/** PC/SC part 3, 3.1.3.2.3: a contactless storage card, MIFARE Classic 1K. */
const STORAGE_CARD = Buffer.from("3b8f8001804f0ca000000306030001000000006a", "hex");
const GET_UID = "ffca000000";
const WELL = "9000";
const FAILED = "6300";
const UNKNOWN = "6a81";
const TENTH_MS = 100;
const HUNDREDTH_MS = 10;

const RED = 0b01;
const GREEN = 0b10;

/** A beep at a card, before anybody has decided. */
export const OWN_BEEP = "own beep";

/** What the lamps and the buzzer did, in words: `red`, `green`, `dark`, `beep 100` (ms), or `OWN_BEEP`. */
export interface Done {
  atMs: number;
  what: string;
}

/** What the readers have in common: one card, and what was done to be seen and heard. */
export abstract class ContactlessReader implements Ccid {
  readonly vendorId = 0x072f as number;
  abstract readonly productId: number;
  readonly usbRelease: number = 0x0200;
  readonly release: number = 0x0100;
  readonly controlBytes: number = 64;
  readonly maker: string = "ACS";
  abstract readonly product: string;
  abstract readonly slots: readonly CcidSlot[];
  /** Since it was made, whatever its power did. */
  readonly done: Done[] = [];
  /** Every command but the asking for a UID, in hex. */
  readonly commands: string[] = [];
  #device: CcidDevice | null = null;
  #cable: UsbCable | null = null;
  #uid: string | null = null;
  #isWaved = false;
  #lamps = 0;

  abstract wake(): void;
  /** Whether it beeps at a card by itself. */
  protected abstract get beepsAtCards(): boolean;

  // ---------------------------------------------------------------- the plug

  /** `socket`: 0 to 7. */
  join(guest: Guest, socket: number): void {
    this.#device = new CcidDevice(this);
    this.#cable = new UsbCable(guest, socket, this.#device);
  }

  async plug(): Promise<void> {
    await this.#cable?.plug();
  }

  async unplug(): Promise<void> {
    await this.#cable?.unplug();
  }

  async remove(): Promise<void> {
    await this.#cable?.remove();
  }

  // ---------------------------------------------------------------- the card

  /** `waved`: it is gone as soon as it is read, before anybody is told. */
  lay(uid: string, waved = false): void {
    this.#uid = uid;
    this.#isWaved = waved;
    if (this.beepsAtCards) this.show(OWN_BEEP);
    this.#device?.moved(this.slots[0]!);
  }

  take(): void {
    this.#uid = null;
    this.#device?.moved(this.slots[0]!);
  }

  /** Whether pcscd has seen that the card is gone: one that comes back sooner was never gone. */
  get isMissed(): boolean {
    return this.#device?.isMissed(this.slots[0]!) ?? false;
  }

  protected get atr(): Buffer | null {
    return this.#uid === null ? null : STORAGE_CARD;
  }

  /** Null: it is no question to the card. */
  protected cardAnswer(apdu: Buffer): Buffer | null {
    if (apdu.toString("hex") !== GET_UID) return null;
    const uid = this.#uid;
    if (this.#isWaved) this.#uid = null;
    return Buffer.from(uid === null ? FAILED : `${uid}${WELL}`, "hex");
  }

  // ---------------------------------------------------------------- lamps and buzzer

  protected get lamps(): number {
    return this.#lamps;
  }

  protected light(lamps: number): void {
    if (lamps === this.#lamps) return;
    this.#lamps = lamps;
    const names = [lamps & RED ? "red" : "", lamps & GREEN ? "green" : ""].filter((name) => name !== "");
    this.show(names.join(" and ") || "dark");
  }

  protected show(what: string): void {
    this.done.push({ atMs: performance.now(), what });
  }

  /** What was done since so many things had been. */
  since(count: number): string[] {
    return this.done.slice(count).map(({ what }) => what);
  }
}

// ---------------------------------------------------------------- ACR122U

const ACR122_SLOT: SlotFacts = {
  ...{ release: 0x0100, voltages: 7, protocols: 2, clockKHz: 4_000, rate: 10_752, rateMax: 250_000 },
  ...{ ifsdMax: 256, features: 0x00020040, messageBytesMax: 271 },
};

export class Acr122u extends ContactlessReader {
  readonly productId = 0x2200;
  override readonly usbRelease = 0x0110;
  override readonly release: number;
  override readonly controlBytes = 8;
  readonly product = "ACR122U PICC Interface";
  readonly slots: readonly CcidSlot[];
  #ownBeep = true;

  /** `release`: of the firmware, as USB has it. libccid wants 2.06 or newer. */
  constructor({ release = 0x0214 } = {}) {
    super();
    this.release = release;
    const obey = (order: Buffer) => this.#obey(order);
    this.slots = [
      {
        ...{ name: null, describe: ACR122_SLOT, endpoints: { notify: 0x81, out: 0x02, in: 0x82 } },
        ...{ atr: () => this.atr, exchange: obey, escape: obey },
      },
    ];
  }

  wake(): void {
    this.#ownBeep = true;
    this.light(RED);
  }

  protected get beepsAtCards(): boolean {
    return this.#ownBeep;
  }

  /** The same through a card and without (5, pseudo-APDUs). */
  async #obey(order: Buffer): Promise<Buffer> {
    const card = this.cardAnswer(order);
    if (card !== null) return card;
    const hex = order.toString("hex");
    this.commands.push(hex);
    if (hex === "ff00480000") return Buffer.from("ACR122U214");
    const [, , , state = 0] = order;
    const buzzer = /^ff0052(00|ff)00$/.exec(hex);
    if (buzzer !== null) this.#ownBeep = buzzer[1] === "ff";
    const blinking = /^ff0040..04.{8}$/.test(hex);
    if (blinking) await this.#blink(state, order.subarray(5));
    if (blinking) return Buffer.of(0x90, this.lamps);
    return Buffer.from(buzzer === null ? FAILED : WELL, "hex");
  }

  /** 6.2: the lamps blink and the buzzer sounds; then the lamps are as they are to stay, and only then it answers. */
  async #blink(state: number, [first = 0, second = 0, times = 0, buzzer = 0]: Buffer): Promise<void> {
    const final = state & 0b11;
    const changing = (state >> 2) & 0b11;
    const beginning = (state >> 4) & 0b11;
    const blinking = (state >> 6) & 0b11;
    for (let time = 0; time < times; time += 1) {
      for (const [half, tenths] of [first, second].entries()) {
        if (tenths === 0) continue;
        const lit = half === 0 ? beginning : ~beginning;
        if ((buzzer >> half) & 1) this.show(`beep ${tenths * TENTH_MS}`);
        this.light((this.lamps & ~blinking) | (lit & blinking));
        await new Promise((go) => setTimeout(go, tenths * TENTH_MS));
      }
    }
    this.light((this.lamps & ~changing) | (final & changing));
  }
}

// ---------------------------------------------------------------- ACR1252U

const PICC_SLOT: SlotFacts = {
  ...{ release: 0x0100, voltages: 7, protocols: 2, clockKHz: 4_000, rate: 10_752, rateMax: 250_000 },
  ...{ ifsdMax: 254, features: 0x00040040, messageBytesMax: 522 },
};
const SAM_SLOT: SlotFacts = {
  ...{ release: 0x0110, voltages: 1, protocols: 3, clockKHz: 3_420, rate: 9_193, rateMax: 213_750 },
  ...{ ifsdMax: 254, features: 0x000204ba, messageBytesMax: 288 },
};
/** 5.3.7, bit 3: a beep when a card comes or goes. */
const CARD_BEEP = 0x08;

export class Acr1252u extends ContactlessReader {
  readonly productId = 0x223b;
  readonly product = "ACR1252 Dual Reader";
  readonly slots: readonly CcidSlot[];
  /** Kept without power; 7F when it leaves the factory. */
  behaviour = 0x7f;
  /** How often its memory was written. */
  writes = 0;

  constructor() {
    super();
    const obey = async (order: Buffer) => this.#obey(order);
    this.slots = [
      {
        ...{ name: "ACR1252 Dual Reader PICC", describe: PICC_SLOT },
        ...{ endpoints: { notify: 0x81, out: 0x02, in: 0x82 }, atr: () => this.atr, escape: obey },
        exchange: async (apdu) => this.cardAnswer(apdu) ?? this.#refuse(apdu),
      },
      {
        ...{ name: "ACR1252 Dual Reader SAM", describe: SAM_SLOT },
        ...{ endpoints: { notify: 0x83, out: 0x04, in: 0x84 }, atr: () => null, escape: obey },
        exchange: async (apdu) => this.#refuse(apdu),
      },
    ];
  }

  wake(): void {
    this.light(0);
  }

  protected get beepsAtCards(): boolean {
    return (this.behaviour & CARD_BEEP) !== 0;
  }

  #refuse(apdu: Buffer): Buffer {
    this.commands.push(apdu.toString("hex"));
    return Buffer.from(UNKNOWN, "hex");
  }

  /** 5.3: `E0 00 00 what length data`, answered by `E1 00 00 00 length data`. */
  #obey(order: Buffer): Buffer | null {
    const hex = order.toString("hex");
    this.commands.push(hex);
    const [, what, length, given] = /^e00000(..)(00|01)(..)?$/.exec(hex) ?? [];
    const value = given === undefined ? null : Number.parseInt(given, 16);
    if (what === undefined || (length === "01") !== (value !== null)) return null;
    const say = (data: Buffer) => Buffer.concat([Buffer.of(0xe1, 0, 0, 0, data.length), data]);
    switch (what) {
      case "18":
        return value === null ? say(Buffer.from("ACR1252U_V100.4")) : null;
      case "21":
        if (value !== null) {
          this.behaviour = value;
          this.writes += 1;
        }
        return say(Buffer.of(this.behaviour));
      case "28":
        if (value === null) return null;
        if (value > 0) this.show(`beep ${value * HUNDREDTH_MS}`);
        return say(Buffer.of(0));
      case "29":
        if (value !== null) this.light(value & (RED | GREEN));
        return say(Buffer.of(this.lamps));
      default:
        return null;
    }
  }
}

// ---------------------------------------------------------------- a reader of another maker

/** As USB shows a uTrust 3700 F. It would do as it is told, so that it can be seen that it is told nothing. */
export class OtherReader extends ContactlessReader {
  override readonly vendorId = 0x04e6;
  readonly productId = 0x5790;
  override readonly maker = "Identiv";
  readonly product = "Identiv uTrust 3700 F CL Reader";
  readonly slots: readonly CcidSlot[];

  constructor() {
    super();
    const obey = async (order: Buffer): Promise<Buffer> => {
      const card = this.cardAnswer(order);
      if (card === null) this.commands.push(order.toString("hex"));
      return card ?? Buffer.from(WELL, "hex");
    };
    this.slots = [
      {
        ...{ name: null, describe: PICC_SLOT, endpoints: { notify: 0x81, out: 0x02, in: 0x82 } },
        ...{ atr: () => this.atr, exchange: obey, escape: obey },
      },
    ];
  }

  wake(): void {}

  protected get beepsAtCards(): boolean {
    return false;
  }
}
