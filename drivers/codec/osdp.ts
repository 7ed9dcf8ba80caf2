/**
 * Frames of OSDP (IEC 60839-11-5 and SIA OSDP 2.2, 5.9): start, address, length, control, an optional security
 * block, one command or reply with its data, an optional MAC, and a check. The bytes are hostile: time is linear,
 * memory is bounded, nothing throws, and the same bytes give the same frames however they are cut into chunks.
 */
import { checksumOf, crcOf, PartChecks } from "./osdp-check.ts";

const START = 0x53;
/** Drives the line to its idle state before a frame; belongs to none. */
export const MARK = 0xff;
/** The address that every PD takes, and above the highest that one may have. */
export const EVERYBODY = 0x7f;
export const ADDRESS_MAX = EVERYBODY - 1;
const REPLY_BIT = 0x80;
const CRC_BIT = 0x04;
const SECURITY_BIT = 0x08;
const SEQUENCE_BITS = 0x03;
const RESERVED_BITS = 0xf0;

const HEADER_BYTES = 5;
/** Header, code, checksum. */
const FRAME_BYTES_MIN = 7;
/** The longest message of the standard (5.9, table 2). */
export const FRAME_BYTES_MAX = 1_440;
/** Bytes of a MAC that go over the line. */
const MAC_BYTES = 4;
const BUFFER_BYTES = 2 * FRAME_BYTES_MAX;

/** Types of security block (annex D.1.3): the four of the handshake, then MAC alone and MAC with encrypted data. */
export const SECURITY = {
  challenge: 0x11,
  clientCryptogram: 0x12,
  serverCryptogram: 0x13,
  initialMac: 0x14,
  commandMac: 0x15,
  replyMac: 0x16,
  commandSealed: 0x17,
  replySealed: 0x18,
} as const;

export interface SecurityBlock {
  /** One of `SECURITY`. */
  type: number;
  data: Uint8Array;
}

/** `data`: what follows the code; encrypted where the security block says so. `sequence`: 0 to 3. */
export interface Frame {
  address: number;
  reply: boolean;
  sequence: number;
  check: "crc" | "checksum";
  security: SecurityBlock | null;
  code: number;
  data: Uint8Array;
}

/** `mac`: null where the security block has none. `covered`: the bytes it stands for. */
export interface ReceivedFrame extends Frame {
  mac: Uint8Array | null;
  covered: Uint8Array;
}

const hasMac = (security: SecurityBlock | null) =>
  security !== null && security.type >= SECURITY.commandMac && security.type <= SECURITY.replySealed;

/** The bytes of a frame, without a mark. `macOf`: the whole MAC over the bytes before it, where the frame has one. */
export function encodeFrame(frame: Frame, macOf?: (covered: Uint8Array) => Uint8Array): Uint8Array {
  const { security, data } = frame;
  const securityBytes = security === null ? 0 : 2 + security.data.length;
  const coveredBytes = HEADER_BYTES + securityBytes + 1 + data.length;
  const checkBytes = frame.check === "crc" ? 2 : 1;
  const bytes = new Uint8Array(coveredBytes + (hasMac(security) ? MAC_BYTES : 0) + checkBytes);
  bytes[0] = START;
  bytes[1] = frame.address | (frame.reply ? REPLY_BIT : 0);
  bytes[2] = bytes.length & 0xff;
  bytes[3] = bytes.length >> 8;
  bytes[4] = frame.sequence | (frame.check === "crc" ? CRC_BIT : 0) | (security === null ? 0 : SECURITY_BIT);
  if (security !== null) bytes.set([securityBytes, security.type, ...security.data], HEADER_BYTES);
  bytes[HEADER_BYTES + securityBytes] = frame.code;
  bytes.set(data, HEADER_BYTES + securityBytes + 1);
  if (hasMac(security) && macOf) {
    bytes.set(macOf(bytes.subarray(0, coveredBytes)).subarray(0, MAC_BYTES), coveredBytes);
  }
  const checked = bytes.subarray(0, bytes.length - checkBytes);
  const check = frame.check === "crc" ? crcOf(checked) : checksumOf(checked);
  bytes[checked.length] = check & 0xff;
  if (checkBytes === 2) bytes[checked.length + 1] = check >> 8;
  return bytes;
}

/** Finds frames of both directions in a stream; whoever uses it leaves alone what is not meant for it. */
export class OsdpFramer {
  readonly #bytes = new Uint8Array(BUFFER_BYTES);
  readonly #checks = new PartChecks(BUFFER_BYTES);
  /** What has come and belongs to no frame yet. */
  #start = 0;
  #end = 0;
  /** Nothing can be said before this many bytes are there. */
  #wantedBytes = HEADER_BYTES;
  #noiseBytes = 0;

  /** Whether something has begun that may become a frame. */
  get pending(): boolean {
    return this.#end > this.#start;
  }

  /** What the next bytes complete, in order. */
  push(chunk: Uint8Array): ReceivedFrame[] {
    const found: ReceivedFrame[] = [];
    for (const byte of chunk) {
      if (this.#end === BUFFER_BYTES) this.#moveToFront();
      this.#bytes[this.#end] = byte;
      this.#checks.note(this.#end, byte);
      this.#end += 1;
      if (this.#end - this.#start >= this.#wantedBytes) this.#scan(found, false);
    }
    return found;
  }

  /** The line has gone quiet: what has begun will not be completed. Gives the frames that a false start hid. */
  idle(): ReceivedFrame[] {
    const found: ReceivedFrame[] = [];
    this.#scan(found, true);
    return found;
  }

  /** How many bytes were dropped since this was last asked; marks are none. */
  takeNoise(): number {
    const noiseBytes = this.#noiseBytes;
    this.#noiseBytes = 0;
    return noiseBytes;
  }

  /** A false start is at most `FRAME_BYTES_MAX` long, so this moves no more bytes than have come since it last did. */
  #moveToFront(): void {
    this.#bytes.copyWithin(0, this.#start, this.#end);
    this.#checks.shift(this.#start, this.#end);
    this.#end -= this.#start;
    this.#start = 0;
  }

  /** A frame that fails its check is given up one byte at a time: another may begin within it. */
  #scan(found: ReceivedFrame[], quiet: boolean): void {
    for (;;) {
      this.#skipTo(START);
      const lengthBytes = this.#lengthAtStart();
      const haveBytes = this.#end - this.#start;
      if (lengthBytes !== null && haveBytes < lengthBytes && (!quiet || haveBytes === 0)) {
        this.#wantedBytes = lengthBytes;
        return;
      }
      if (lengthBytes !== null && haveBytes >= lengthBytes && this.#isGood(lengthBytes)) {
        this.#take(lengthBytes, found);
      } else this.#drop(1);
    }
  }

  #skipTo(byte: number): void {
    while (this.#start < this.#end && this.#bytes[this.#start] !== byte) {
      if (this.#bytes[this.#start] !== MARK) this.#noiseBytes += 1;
      this.#start += 1;
    }
  }

  #drop(countBytes: number): void {
    this.#start += countBytes;
    this.#noiseBytes += countBytes;
  }

  /** How long the frame is that begins here: the header alone while it is not whole; null where none can be. */
  #lengthAtStart(): number | null {
    const at = this.#start;
    if (this.#end - at < HEADER_BYTES) return HEADER_BYTES;
    const lengthBytes = this.#bytes[at + 2]! | (this.#bytes[at + 3]! << 8);
    if (lengthBytes < FRAME_BYTES_MIN || lengthBytes > FRAME_BYTES_MAX) return null;
    return this.#bytes[at + 4]! & RESERVED_BITS ? null : lengthBytes;
  }

  #isGood(lengthBytes: number): boolean {
    const last = this.#start + lengthBytes - 1;
    if ((this.#bytes[this.#start + 4]! & CRC_BIT) === 0) {
      return this.#checks.checksum(this.#start, last) === this.#bytes[last];
    }
    return this.#checks.crc(this.#start, last - 1) === (this.#bytes[last - 1]! | (this.#bytes[last]! << 8));
  }

  /** Whole by its check. One whose inside does not fit is dropped whole: nothing else began in it. */
  #take(lengthBytes: number, found: ReceivedFrame[]): void {
    const frame = parseFrame(this.#bytes.slice(this.#start, this.#start + lengthBytes));
    if (frame === null) return this.#drop(lengthBytes);
    this.#start += lengthBytes;
    found.push(frame);
  }
}

/** `bytes`: a frame whose length and check are right. */
function parseFrame(bytes: Uint8Array): ReceivedFrame | null {
  const control = bytes[4]!;
  const check = control & CRC_BIT ? "crc" : "checksum";
  const end = bytes.length - (check === "crc" ? 2 : 1);
  const securityBytes = control & SECURITY_BIT ? bytes[HEADER_BYTES]! : 0;
  if (control & SECURITY_BIT && securityBytes < 2) return null;
  const codeAt = HEADER_BYTES + securityBytes;
  const security =
    securityBytes === 0
      ? null
      : { type: bytes[HEADER_BYTES + 1]!, data: bytes.subarray(HEADER_BYTES + 2, codeAt) };
  const coveredBytes = end - (hasMac(security) ? MAC_BYTES : 0);
  if (codeAt >= coveredBytes) return null;
  return {
    address: bytes[1]! & ~REPLY_BIT,
    reply: (bytes[1]! & REPLY_BIT) !== 0,
    sequence: control & SEQUENCE_BITS,
    check,
    security,
    code: bytes[codeAt]!,
    data: bytes.subarray(codeAt + 1, coveredBytes),
    mac: hasMac(security) ? bytes.subarray(coveredBytes, end) : null,
    covered: bytes.subarray(0, coveredBytes),
  };
}
