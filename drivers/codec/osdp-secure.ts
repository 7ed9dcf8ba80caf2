/**
 * The secure channel of OSDP (SIA OSDP 2.2, annex D): AES-128 session keys from the key both sides hold (SCBK) and
 * a random number, cryptograms that prove it, a MAC over each message that is chained to the one before, and data
 * encrypted under it. Functions over values; a session is the keys and the last MAC.
 */
import { createCipheriv, createDecipheriv, timingSafeEqual } from "node:crypto";
import { encodeFrame, type Frame, type ReceivedFrame, SECURITY } from "./osdp.ts";

const KEY_BYTES = 16;
export const RANDOM_BYTES = 8;
const BLOCK_BYTES = 16;
/** Ends encrypted data, and data that fills no whole block for a MAC; zeros follow. */
const PAD = 0x80;

/** The key of a PD that has none of its own yet (SCBK-D). Everybody knows it. */
export const DEFAULT_KEY: Uint8Array = Uint8Array.from({ length: KEY_BYTES }, (_, index) => 0x30 + index);

/** A key as a person writes it: 32 hexadecimal digits. No refusal repeats it. */
export function parseKey(text: string): { kind: "key"; key: Uint8Array } | { kind: "refused"; why: string } {
  const bare = text.replace(/[\s:-]/g, "");
  if (!/^[0-9a-f]{32}$/i.test(bare)) {
    return { kind: "refused", why: `a key is 32 hexadecimal digits; this is ${bare.length} characters` };
  }
  const key = new Uint8Array(Buffer.from(bare, "hex"));
  if (isSame(key, DEFAULT_KEY)) {
    return { kind: "refused", why: "this is the key that everybody knows (SCBK-D): make one of its own" };
  }
  if (key.every((byte) => byte === key[0])) {
    return { kind: "refused", why: "sixteen times the same byte is no key: make one of its own" };
  }
  return { kind: "key", key };
}

export interface SessionKeys {
  encryption: Uint8Array;
  mac1: Uint8Array;
  mac2: Uint8Array;
}

/** `mac`: the whole MAC of the last message, whichever side sent it; the next is chained to it. */
export interface Session {
  keys: SessionKeys;
  mac: Uint8Array;
}

/** The keys of one session (D.4.1). Only six bytes of the CP's random number go in. */
export function sessionKeys(key: Uint8Array, cpRandom: Uint8Array): SessionKeys {
  const derive = (first: number, second: number) => {
    const block = new Uint8Array(BLOCK_BYTES);
    block.set([first, second, ...cpRandom.subarray(0, 6)]);
    return encryptBlock(key, block);
  };
  return { encryption: derive(0x01, 0x82), mac1: derive(0x01, 0x01), mac2: derive(0x01, 0x02) };
}

/** With which the PD proves that it holds the key (D.4.3). */
export function clientCryptogram(keys: SessionKeys, cpRandom: Uint8Array, pdRandom: Uint8Array): Uint8Array {
  return encryptBlock(keys.encryption, joined(cpRandom, pdRandom));
}

/** With which the CP proves it (D.4.4). */
export function serverCryptogram(keys: SessionKeys, cpRandom: Uint8Array, pdRandom: Uint8Array): Uint8Array {
  return encryptBlock(keys.encryption, joined(pdRandom, cpRandom));
}

/** The MAC that the chain begins with (D.4.5). */
export function initialMac(keys: SessionKeys, server: Uint8Array): Uint8Array {
  return encryptBlock(keys.mac2, encryptBlock(keys.mac1, server));
}

/** Whether two cryptograms or MACs are the same, in a time that does not tell where they differ. */
export function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}

/** The MAC over `covered`, chained to `before` (D.5.3). */
function macOf(keys: SessionKeys, before: Uint8Array, covered: Uint8Array): Uint8Array {
  const padded = covered.length % BLOCK_BYTES === 0 ? covered : pad(covered);
  const head = padded.subarray(0, padded.length - BLOCK_BYTES);
  const chained = head.length === 0 ? before : crypt(keys.mac1, before, head).subarray(-BLOCK_BYTES);
  return crypt(keys.mac2, chained, padded.subarray(-BLOCK_BYTES));
}

/** A message of the session: encrypted where it has data, its MAC in place. `session`: from then on. */
export function seal(
  session: Session,
  message: Omit<Frame, "security">,
): { bytes: Uint8Array; session: Session } {
  const { keys, mac } = session;
  const isBare = message.data.length === 0;
  const data = isBare ? message.data : crypt(keys.encryption, inverted(mac), pad(message.data));
  const type = message.reply
    ? isBare
      ? SECURITY.replyMac
      : SECURITY.replySealed
    : isBare
      ? SECURITY.commandMac
      : SECURITY.commandSealed;
  let next = mac;
  const frame: Frame = { ...message, data, security: { type, data: new Uint8Array() } };
  const bytes = encodeFrame(frame, (covered) => {
    next = macOf(keys, mac, covered);
    return next;
  });
  return { bytes, session: { keys, mac: next } };
}

/** `mac`: the MAC is wrong, or there is none. `padding`: it is right, but the data decrypts to nothing sound. */
export type Opened =
  | { kind: "opened"; data: Uint8Array; session: Session }
  | { kind: "refused"; fault: "mac" | "padding" };

/** The data of a received message of the session. */
export function open(session: Session, frame: ReceivedFrame): Opened {
  const { keys, mac } = session;
  if (frame.mac === null) return { kind: "refused", fault: "mac" };
  const next = macOf(keys, mac, frame.covered);
  if (!isSame(next.subarray(0, frame.mac.length), frame.mac)) return { kind: "refused", fault: "mac" };
  const type = frame.security?.type;
  const isSealed = type === SECURITY.commandSealed || type === SECURITY.replySealed;
  const data = isSealed ? decrypt(keys.encryption, inverted(mac), frame.data) : frame.data;
  return data === null
    ? { kind: "refused", fault: "padding" }
    : { kind: "opened", data, session: { keys, mac: next } };
}

// ---------------------------------------------------------------- AES

function encryptBlock(key: Uint8Array, block: Uint8Array): Uint8Array {
  const cipher = createCipheriv("aes-128-ecb", key, null);
  cipher.setAutoPadding(false);
  return new Uint8Array(cipher.update(block));
}

function crypt(key: Uint8Array, vector: Uint8Array, blocks: Uint8Array): Uint8Array {
  const cipher = createCipheriv("aes-128-cbc", key, vector);
  cipher.setAutoPadding(false);
  return new Uint8Array(cipher.update(blocks));
}

/** Null where it is no whole blocks, or does not end as it should. */
function decrypt(key: Uint8Array, vector: Uint8Array, blocks: Uint8Array): Uint8Array | null {
  if (blocks.length % BLOCK_BYTES !== 0) return null;
  const decipher = createDecipheriv("aes-128-cbc", key, vector);
  decipher.setAutoPadding(false);
  const padded = new Uint8Array(decipher.update(blocks));
  let end = padded.length - 1;
  while (end > 0 && padded[end] === 0) end -= 1;
  if (padded.length > 0 && padded[end] !== PAD) return null;
  return padded.subarray(0, Math.max(end, 0));
}

/** Always longer: the mark that ends the data, and zeros up to a whole block. */
function pad(data: Uint8Array): Uint8Array {
  const padded = new Uint8Array((Math.floor(data.length / BLOCK_BYTES) + 1) * BLOCK_BYTES);
  padded.set(data);
  padded[data.length] = PAD;
  return padded;
}

function inverted(bytes: Uint8Array): Uint8Array {
  return bytes.map((byte) => ~byte);
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(first.length + second.length);
  bytes.set(first);
  bytes.set(second, first.length);
  return bytes;
}
