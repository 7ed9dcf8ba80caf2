/**
 * An OSDP reader without the reader: the peripheral device's side (PD), for training and for tests. Cards, keys and
 * tamper are given to it, lights, beeps and outputs are told of; it holds a key or waits for one, and it can be told
 * to fail in the ways that readers and cables do.
 */
import { EVERYBODY, encodeFrame, type Frame, type ReceivedFrame, SECURITY } from "./codec/osdp.ts";
import {
  type Command,
  decodeCommand,
  encodeReply,
  OUTPUT,
  type Reply,
  replyCode,
} from "./codec/osdp-messages.ts";
import {
  clientCryptogram,
  DEFAULT_KEY,
  initialMac,
  isSame,
  open,
  type Session,
  type SessionKeys,
  seal,
  serverCryptogram,
  sessionKeys,
} from "./codec/osdp-secure.ts";
import type { Bits } from "./codec/wiegand.ts";
import { CAPABILITIES, IDENTITY, INPUT_COUNT, OUTPUT_COUNT, UID } from "./osdp-pd-identity.ts";
import type { Clock, Random, Timer } from "./ports.ts";

/** Without a word from the CP for this long, a PD forgets the session (5.7). */
const OFFLINE_MS = 8_000;
/** Cards and keys that wait to be polled; what comes beyond is lost, as in a reader. */
const EVENTS_MAX = 16;
/** For a CP that begins anew after a second of silence; a card that is told much later is of somebody who has gone. */
const TOLD_AGAIN_MS_MAX = 2_000;

export interface OsdpPdOptions {
  address: number;
  /** Its own key (SCBK), without which it speaks in the clear. */
  key: Uint8Array | null;
  /** Takes the key that everybody knows, to be given its own; no longer once it has it. */
  installMode?: boolean;
}

/** What goes wrong with it, for tests; nothing by default. */
export interface OsdpPdFaults {
  silent: boolean;
  /** Later than its reply would be. */
  lateMs: number;
  /** Flips a bit of each reply. */
  corrupt: boolean;
  /** Says busy to so many commands. */
  busyCount: number;
  /** Refuses each command outside the handshake for this reason. */
  nak: number | null;
  /** Answers in the clear inside a secure channel, as one who sits on the cable would. */
  plaintext: boolean;
  /** Claims to have no key but the one everybody knows. */
  claimsDefaultKey: boolean;
}

/** What the CP had it do. `colour`: as the standard numbers them. */
export type PdTold =
  | { kind: "light"; colour: number; tenths: number }
  | { kind: "beep"; count: number }
  | { kind: "text"; text: string }
  | { kind: "output"; output: number; energised: boolean; timed: boolean }
  | { kind: "key" }
  | { kind: "line"; address: number; baudRate: number }
  | { kind: "session"; secure: boolean };

export class OsdpPd {
  address: number;
  readonly faults: OsdpPdFaults = {
    silent: false,
    lateMs: 0,
    corrupt: false,
    busyCount: 0,
    nak: null,
    plaintext: false,
    claimsDefaultKey: false,
  };
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #tell: (told: PdTold) => void;
  #key: Uint8Array | null;
  #installMode: boolean;
  /** The sequence and code of the last command, and what was answered to it, byte for byte. */
  #last: { sequence: number; code: number; bytes: Uint8Array } | null = null;
  #lastMs = Number.NEGATIVE_INFINITY;
  #handshake: { keys: SessionKeys; server: Uint8Array } | null = null;
  #session: Session | null = null;
  #events: Reply[] = [];
  /** When the first of them was first told; null: it was not. It is kept until the command after it shows that it has come. */
  #toldMs: number | null = null;
  /** The last reply told it. */
  #isTold = false;
  readonly #outputs = new Map<number, { energised: boolean; timer: Timer | null }>();
  readonly #inputs = new Uint8Array(INPUT_COUNT);
  #tamper = false;
  #powerFailed = false;

  constructor(
    options: OsdpPdOptions,
    world: { clock: Clock; random: Random },
    tell: (told: PdTold) => void = () => {},
  ) {
    this.address = options.address;
    this.#key = options.key;
    this.#installMode = options.installMode ?? false;
    this.#clock = world.clock;
    this.#random = world.random;
    this.#tell = tell;
  }

  // ---------------------------------------------------------------- what people do to it

  get isSecure(): boolean {
    return this.#session !== null;
  }

  energised(output: number): boolean {
    return this.#outputs.get(output)?.energised ?? false;
  }

  /** A card that gives this text: characters, or after `uid:` a chip's UID in hex. */
  present(text: string): void {
    const uid = /^uid:((?:[0-9a-f]{2})+)$/i.exec(text.trim())?.[1];
    if (uid === undefined) return this.#report(formatted(text));
    this.presentBits({ countBits: uid.length * 4, bytes: new Uint8Array(Buffer.from(uid, "hex")) });
  }

  presentBits(bits: Bits): void {
    this.#report({ name: "raw", reader: 0, format: 0, bits });
  }

  press(keys: string): void {
    const digits = Uint8Array.from(Buffer.from(keys.replaceAll("*", "\x7f").replaceAll("#", "\r"), "latin1"));
    this.#report({ name: "keypad", reader: 0, digits });
  }

  tamper(active: boolean): void {
    this.#tamper = active;
    this.#report(this.#localStatus());
  }

  /** Closes or opens the contact at an input. False: there is no such input. */
  setInput(input: number, active: boolean): boolean {
    if (input >= INPUT_COUNT) return false;
    this.#inputs[input] = active ? 1 : 0;
    this.#report(this.#inputStatus());
    return true;
  }

  failPower(failed: boolean): void {
    this.#powerFailed = failed;
    this.#report(this.#localStatus());
  }

  /** As if it had been without power: outputs fall, and the session is forgotten. */
  restart(): void {
    this.#last = null;
    this.#end();
    this.#events = [];
    this.#toldMs = null;
    this.#isTold = false;
    for (const output of [...this.#outputs.keys()]) this.#switch(output, false, 0);
  }

  stop(): void {
    for (const { timer } of this.#outputs.values()) timer?.cancel();
  }

  // ---------------------------------------------------------------- what the CP says to it

  /** Its reply to a frame on the line, or null where it has none: the frame is not for it, or it is silent. */
  take(frame: ReceivedFrame): Uint8Array | null {
    const isMine = !frame.reply && (frame.address === this.address || frame.address === EVERYBODY);
    if (!isMine || this.faults.silent) return null;
    const bytes = this.#answer(frame);
    if (!this.faults.corrupt) return bytes;
    const damaged = Uint8Array.from(bytes);
    damaged[5] = damaged[5]! ^ 0x10;
    return damaged;
  }

  #answer(frame: ReceivedFrame): Uint8Array {
    const nowMs = this.#clock.monotonicMs();
    if (frame.sequence === 0 || nowMs - this.#lastMs > OFFLINE_MS) {
      this.#last = null;
      this.#end();
    }
    this.#lastMs = nowMs;
    const last = this.#last;
    if (last !== null && frame.sequence === last.sequence && frame.code === last.code) return last.bytes;
    const expected = last === null ? 0 : (last.sequence % 3) + 1;
    if (frame.sequence !== expected) return this.#clear(frame, nak(4));
    const sinceMs = this.#toldMs === null ? 0 : nowMs - this.#toldMs;
    if (last === null ? sinceMs > TOLD_AGAIN_MS_MAX : this.#isTold) {
      this.#events.shift();
      this.#toldMs = null;
    }
    this.#isTold = false;
    if (this.faults.busyCount > 0) {
      this.faults.busyCount -= 1;
      return this.#clear({ ...frame, sequence: 0 }, { name: "busy" });
    }
    const bytes = this.#obey(frame);
    this.#last = { sequence: frame.sequence, code: frame.code, bytes };
    return bytes;
  }

  #obey(frame: ReceivedFrame): Uint8Array {
    let { data } = frame;
    if (frame.mac !== null) {
      if (this.#session === null) return this.#clear(frame, nak(6));
      const opened = open(this.#session, frame);
      if (opened.kind === "refused") {
        this.#end();
        return this.#clear(frame, nak(6));
      }
      this.#session = opened.session;
      data = opened.data;
    }
    const decoded = decodeCommand(frame.code, data);
    if (decoded.kind === "refused") return this.#seal(frame, nak(3));
    const command = decoded.message;
    if (command.name === "challenge") return this.#challenged(frame, command.random);
    if (command.name === "serverCryptogram") return this.#proven(frame, command.cryptogram);
    const isOpen = command.name === "id" || command.name === "capabilities" || this.#key === null;
    if (frame.mac === null && !isOpen) return this.#clear(frame, nak(6));
    const reply = this.faults.nak === null ? this.#do(command) : nak(this.faults.nak);
    const bytes = this.faults.plaintext ? this.#clear(frame, reply) : this.#seal(frame, reply);
    if (reply.name === "lineSettings") this.address = reply.address;
    return bytes;
  }

  // ---------------------------------------------------------------- the secure channel

  #challenged(frame: ReceivedFrame, cpRandom: Uint8Array): Uint8Array {
    const usesDefault = this.faults.claimsDefaultKey || frame.security?.data[0] === 0;
    if (usesDefault && !this.#installMode && !this.faults.claimsDefaultKey) return this.#clear(frame, nak(6));
    const key = usesDefault ? DEFAULT_KEY : this.#key;
    if (key === null) return this.#clear(frame, nak(5));
    const keys = sessionKeys(key, cpRandom);
    const random = this.#random.bytes(8);
    this.#end();
    this.#handshake = { keys, server: serverCryptogram(keys, cpRandom, random) };
    const cryptogram = clientCryptogram(keys, cpRandom, random);
    const reply: Reply = { name: "clientCryptogram", uid: UID, random, cryptogram };
    const data = Uint8Array.of(usesDefault ? 0 : 1);
    return this.#clear(frame, reply, { type: SECURITY.clientCryptogram, data });
  }

  #proven(frame: ReceivedFrame, cryptogram: Uint8Array): Uint8Array {
    const handshake = this.#handshake;
    this.#handshake = null;
    if (handshake === null || !isSame(handshake.server, cryptogram)) {
      const refused: Reply = { name: "initialMac", mac: new Uint8Array(16) };
      return this.#clear(frame, refused, { type: SECURITY.initialMac, data: Uint8Array.of(0xff) });
    }
    const mac = initialMac(handshake.keys, handshake.server);
    this.#session = { keys: handshake.keys, mac };
    this.#tell({ kind: "session", secure: true });
    const reply: Reply = { name: "initialMac", mac };
    return this.#clear(frame, reply, { type: SECURITY.initialMac, data: Uint8Array.of(1) });
  }

  #end(): void {
    this.#handshake = null;
    if (this.#session === null) return;
    this.#session = null;
    this.#tell({ kind: "session", secure: false });
  }

  #clear(command: Frame, reply: Reply, security: Frame["security"] = null): Uint8Array {
    return encodeFrame({ ...this.#replyTo(command, reply), security });
  }

  /** In the session where there is one. */
  #seal(command: Frame, reply: Reply): Uint8Array {
    if (this.#session === null) return this.#clear(command, reply);
    const { bytes, session } = seal(this.#session, this.#replyTo(command, reply));
    this.#session = session;
    return bytes;
  }

  #replyTo(command: Frame, reply: Reply) {
    const { address, sequence, check } = command;
    return { address, reply: true, sequence, check, code: replyCode(reply), data: encodeReply(reply) };
  }

  // ---------------------------------------------------------------- commands

  #do(command: Command): Reply {
    switch (command.name) {
      case "poll":
        if (this.#events[0] === undefined) return { name: "ack" };
        this.#isTold = true;
        this.#toldMs ??= this.#clock.monotonicMs();
        return this.#events[0];
      case "id":
        return IDENTITY;
      case "capabilities":
        return CAPABILITIES;
      case "localStatus":
        return this.#localStatus();
      case "outputStatus":
        return this.#outputStatus();
      case "output":
        if (command.records.some(({ output }) => output >= OUTPUT_COUNT)) return nak(9);
        for (const { output, control, timer } of command.records) this.#control(output, control, timer);
        return this.#outputStatus();
      case "led":
        for (const { temporaryOnColour: colour, temporaryTimer: tenths } of command.records) {
          this.#tell({ kind: "light", colour, tenths });
        }
        return { name: "ack" };
      case "buzzer":
        this.#tell({ kind: "beep", count: command.count });
        return { name: "ack" };
      case "text":
        this.#tell({ kind: "text", text: Buffer.from(command.text).toString("latin1") });
        return { name: "ack" };
      case "keySet":
        if (this.#session === null || command.type !== 1 || command.key.length !== 16) return nak(9);
        this.#key = command.key;
        this.#installMode = false;
        this.#tell({ kind: "key" });
        return { name: "ack" };
      case "lineSettings":
        this.#tell({ kind: "line", address: command.address, baudRate: command.baudRate });
        return { name: "lineSettings", address: command.address, baudRate: command.baudRate };
      case "inputStatus":
        return this.#inputStatus();
      case "readerStatus":
        return { name: "readerStatus", states: new Uint8Array(1) };
      case "abort":
      case "keepActive":
      case "receiveSize":
        return { name: "ack" };
      case "challenge":
      case "serverCryptogram":
        return nak(3);
    }
  }

  #control(output: number, control: number, tenths: number): void {
    if (control === OUTPUT.onForTime) this.#switch(output, true, tenths);
    else if (control === OUTPUT.on || control === OUTPUT.off) this.#switch(output, control === OUTPUT.on, 0);
  }

  /** `tenths`: after which it falls by itself; 0: it stays. */
  #switch(output: number, energised: boolean, tenths: number): void {
    this.#outputs.get(output)?.timer?.cancel();
    const timed = energised && tenths > 0;
    const timer = timed ? this.#clock.after(tenths * 100, () => this.#switch(output, false, 0)) : null;
    this.#outputs.set(output, { energised, timer });
    this.#tell({ kind: "output", output, energised, timed });
  }

  #outputStatus(): Reply {
    const states = Uint8Array.from({ length: OUTPUT_COUNT }, (_, output) => (this.energised(output) ? 1 : 0));
    return { name: "outputStatus", states };
  }

  #inputStatus(): Reply {
    return { name: "inputStatus", states: this.#inputs.slice() };
  }

  #localStatus(): Reply {
    return { name: "localStatus", tamper: this.#tamper ? 1 : 0, power: this.#powerFailed ? 1 : 0 };
  }

  #report(reply: Reply): void {
    if (this.#events.length < EVENTS_MAX) this.#events.push(reply);
  }
}

function nak(reason: number): Reply {
  return { name: "nak", reason, detail: new Uint8Array() };
}

function formatted(text: string): Reply {
  return { name: "formatted", reader: 0, direction: 0, characters: new Uint8Array(Buffer.from(text.trim())) };
}
