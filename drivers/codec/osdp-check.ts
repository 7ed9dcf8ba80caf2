/**
 * The two check characters of OSDP (IEC 60839-11-5, 5.9 and annex C of SIA OSDP 2.2): the CRC-16 with polynomial
 * 0x1021 and initial value 0x1D0F, most significant bit first, and the sum that makes all bytes add up to zero.
 */

const POLYNOMIAL = 0x1021;
const INITIAL = 0x1d0f;

const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let value = byte << 8;
  for (let bit = 0; bit < 8; bit++) value = value & 0x8000 ? (value << 1) ^ POLYNOMIAL : value << 1;
  return value;
});

/** The CRC's register after one more byte. */
function crcStep(register: number, byte: number): number {
  return ((register << 8) & 0xffff) ^ TABLE[(register >> 8) ^ byte]!;
}

export function crcOf(bytes: Uint8Array): number {
  let register = INITIAL;
  for (const byte of bytes) register = crcStep(register, byte);
  return register;
}

/** The byte that makes the sum of all bytes zero. */
export function checksumOf(bytes: Uint8Array): number {
  let sum = 0;
  for (const byte of bytes) sum += byte;
  return -sum & 0xff;
}

/**
 * Checks any part of a stream in constant time, from what is noted at each of its bytes: a framer that looks for a
 * frame at every place in hostile bytes stays linear. The CRC is linear over GF(2), so the register over a part is
 * the noted one at its end, less the noted one at its start moved on by the length of the part.
 */
export class PartChecks {
  /** Registers and sums before each byte, both begun with 0. */
  readonly #registers: Uint16Array;
  readonly #sums: Uint8Array;
  /** What a register's lowest bit has become `index` bytes later: x to the power of 8 · index, modulo the polynomial. */
  readonly #powers: Uint16Array;

  constructor(sizeBytes: number) {
    this.#registers = new Uint16Array(sizeBytes + 1);
    this.#sums = new Uint8Array(sizeBytes + 1);
    this.#powers = new Uint16Array(sizeBytes + 1);
    this.#powers[0] = 1;
    for (let at = 1; at <= sizeBytes; at++) this.#powers[at] = crcStep(this.#powers[at - 1]!, 0);
  }

  /** Notes the byte at `at`; every one before it has been noted. */
  note(at: number, byte: number): void {
    this.#registers[at + 1] = crcStep(this.#registers[at]!, byte);
    this.#sums[at + 1] = this.#sums[at]! + byte;
  }

  /** The noted bytes from `from` to `to` move to the front. */
  shift(from: number, to: number): void {
    this.#registers.copyWithin(0, from, to + 1);
    this.#sums.copyWithin(0, from, to + 1);
  }

  /** The CRC of the bytes from `start` up to, not including, `end`. */
  crc(start: number, end: number): number {
    const before = this.#registers[start]! ^ INITIAL;
    return this.#registers[end]! ^ multiply(before, this.#powers[end - start]!);
  }

  checksum(start: number, end: number): number {
    return (this.#sums[start]! - this.#sums[end]!) & 0xff;
  }
}

/** The product of two polynomials modulo the CRC's. */
function multiply(a: number, b: number): number {
  let product = 0;
  for (let bit = 0x8000; bit > 0; bit >>= 1) {
    product = product & 0x8000 ? ((product << 1) & 0xffff) ^ POLYNOMIAL : product << 1;
    if (a & bit) product ^= b;
  }
  return product;
}
