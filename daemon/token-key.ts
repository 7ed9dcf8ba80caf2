/**
 * The key of the tokens: it names them outside the gateway (a keyed hash, CONTRACT 7) and hides them in the card index
 * (`sync/token-seal.ts`). It never leaves the gateway, and it belongs where `dataDir` is not.
 */
import { createHmac } from "node:crypto";
import type { Files, Log, Random } from "../drivers/ports.ts";
import { type Seals, TOKEN_KEY_BYTES, TokenSeal } from "../sync/token-seal.ts";
import { wordsOf } from "./words.ts";

/** 128 bits: nobody meets two tokens of one name. */
const HASH_HEX_DIGITS = 32;

/** `before`: what lay in `dataDir` until there was one elsewhere; null: nothing did. */
export interface TokenKeys {
  own: Uint8Array;
  before: Uint8Array | null;
}

/** For a gateway that was given no other key. */
export async function makeInside(path: string, files: Files, random: Random): Promise<Uint8Array> {
  const made = random.bytes(TOKEN_KEY_BYTES);
  await files.replace(path, made);
  return made;
}

/** Null where there is none. */
export async function keptInside(path: string, files: Files): Promise<Uint8Array | null> {
  const kept = await files.read(path, TOKEN_KEY_BYTES);
  return kept?.length === TOKEN_KEY_BYTES ? kept : null;
}

/** Once nothing is sealed with it any more. Never rejects: a key that stays is said, and harms no gate. */
export async function forgetInside(path: string, { files, log }: { files: Files; log: Log }): Promise<void> {
  try {
    await files.remove(path);
    log.info("the token key in dataDir is needed no more, and removed", { path });
  } catch (error) {
    const why = wordsOf(error);
    log.warn("the token key in dataDir is needed no more, and could not be removed", { why });
  }
}

export const TOKEN_KEY_WORDS = `${2 * TOKEN_KEY_BYTES} hexadecimal digits on one line, as openssl rand -hex ${TOKEN_KEY_BYTES} makes them`;

/** A key as its file has it, or null. */
export function parseTokenKey(text: string): Uint8Array | null {
  const isKey = text.length === 2 * TOKEN_KEY_BYTES && /^[0-9a-f]+$/i.test(text);
  return isKey ? Uint8Array.from(Buffer.from(text, "hex")) : null;
}

export function sealsOf({ own, before }: TokenKeys): Seals {
  return { own: new TokenSeal(own), others: before === null ? [] : [new TokenSeal(before)] };
}

/** `uid`: hex, chip order. The hash is hex too. */
export function hashToken(key: Uint8Array, uid: string): string {
  return createHmac("sha256", key).update(uid).digest("hex").slice(0, HASH_HEX_DIGITS);
}
