/**
 * How a token is named outside the gateway: by a keyed hash, the key of which never leaves it (CONTRACT 7).
 */
import { createHmac } from "node:crypto";
import type { Files, Random } from "../drivers/ports.ts";

const KEY_BYTES = 32;
/** 128 bits: nobody meets two tokens of one name. */
const HASH_HEX_DIGITS = 32;

/** The key at `path`: read, or made and written the first time. */
export async function tokenKey(path: string, files: Files, random: Random): Promise<Uint8Array> {
  const kept = await files.read(path, KEY_BYTES);
  if (kept !== null && kept.length === KEY_BYTES) return kept;
  const made = random.bytes(KEY_BYTES);
  await files.replace(path, made);
  return made;
}

/** `uid`: hex, chip order. The hash is hex too. */
export function hashToken(key: Uint8Array, uid: string): string {
  return createHmac("sha256", key).update(uid).digest("hex").slice(0, HASH_HEX_DIGITS);
}
