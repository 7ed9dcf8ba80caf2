/**
 * The centre's signing keys: Ed25519, in PKCS#8 PEM that openssl and other TUF tools read; with a passphrase
 * encrypted as PBES2 (RFC 8018) with scrypt (RFC 7914) and AES-256-CBC, which node:crypto reads but does not write.
 */
import {
  createCipheriv,
  createHash,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  scryptSync,
  sign,
} from "node:crypto";
import { Key, Signature } from "@tufjs/models";
import type { Random } from "../drivers/ports.ts";

/** A key at hand. `model`: its public half as root metadata has it. */
export interface SigningKey {
  id: string;
  model: Key;
  /** Signs small metadata, never a list. */
  sign(bytes: Uint8Array): Signature;
}

/** A key file that cannot be used; the message is fit to be shown, after the file's name. */
export class KeyFault extends Error {}

/** More than any PEM of a private key. */
export const KEY_FILE_BYTES_MAX = 16 * 1024;

const SEED_BYTES = 32;
/** RFC 8410: PrivateKeyInfo with the Ed25519 algorithm, up to the 32 bytes of the key itself. */
const ED25519_HEADER = Buffer.from("302e020100300506032b657004220420", "hex");

/** scrypt's cost: 16 MiB and some 50 ms a guess, what openssl writes, and the most it reads without being asked. */
const SCRYPT_COST = { N: 16_384, r: 8, p: 1 };
const SALT_BYTES = 16;
const IV_BYTES = 16;

/** A new key as the text of its file. `passphrase` null: in clear. */
export function createKeyText(passphrase: string | null, random: Random): string {
  const plain = Buffer.concat([ED25519_HEADER, random.bytes(SEED_BYTES)]);
  return passphrase === null
    ? pem("PRIVATE KEY", plain)
    : pem("ENCRYPTED PRIVATE KEY", encrypted(plain, passphrase, random));
}

/** Reads an Ed25519 key, ours or one that another tool made. Throws `KeyFault`. */
export function readKeyText(text: string, passphrase: string | null): SigningKey {
  const isEncrypted = text.includes("ENCRYPTED");
  if (isEncrypted && passphrase === null) {
    throw new KeyFault("is encrypted: set GRINDVAKT_FEED_PASSPHRASE or give --passphrase-file");
  }
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: text, ...(isEncrypted && { passphrase: passphrase! }) });
  } catch {
    throw new KeyFault(isEncrypted ? "does not open with this passphrase" : "is no private key in PEM");
  }
  if (key.asymmetricKeyType !== "ed25519") throw new KeyFault("is no Ed25519 key");
  return signingKey(key);
}

function signingKey(key: KeyObject): SigningKey {
  const hex = createPublicKey(key).export({ type: "spki", format: "der" }).subarray(-32).toString("hex");
  // The id is the hash of the public key in canonical JSON (specification, 4.2): sorted, without spaces.
  const canonical = `{"keytype":"ed25519","keyval":{"public":"${hex}"},"scheme":"ed25519"}`;
  const id = createHash("sha256").update(canonical).digest("hex");
  return {
    id,
    model: new Key({ keyID: id, keyType: "ed25519", scheme: "ed25519", keyVal: { public: hex } }),
    sign: (bytes) => new Signature({ keyID: id, sig: sign(null, bytes, key).toString("hex") }),
  };
}

function encrypted(plain: Buffer, passphrase: string, random: Random): Buffer {
  const salt = random.bytes(SALT_BYTES);
  const iv = random.bytes(IV_BYTES);
  const cipher = createCipheriv("aes-256-cbc", scryptSync(passphrase, salt, 32, SCRYPT_COST), iv);
  const derivation = sequence(
    objectId("2b06010401da47040b"), // 1.3.6.1.4.1.11591.4.11, scrypt
    sequence(octets(salt), integer(SCRYPT_COST.N), integer(SCRYPT_COST.r), integer(SCRYPT_COST.p)),
  );
  const encryption = sequence(objectId("60864801650304012a"), octets(iv)); // 2.16.840.1.101.3.4.1.42, aes256-CBC
  return sequence(
    sequence(objectId("2a864886f70d01050d"), sequence(derivation, encryption)), // 1.2.840.113549.1.5.13, PBES2
    octets(Buffer.concat([cipher.update(plain), cipher.final()])),
  );
}

// ---------------------------------------------------------------- as little DER as a key needs

const sequence = (...parts: Uint8Array[]) => der(0x30, Buffer.concat(parts));
const octets = (bytes: Uint8Array) => der(0x04, bytes);
const objectId = (hex: string) => der(0x06, Buffer.from(hex, "hex"));
/** Below 2^15, so that the sign bit stays clear. */
const integer = (value: number) =>
  der(0x02, Buffer.from(value < 0x80 ? [value] : [value >> 8, value & 0xff]));

function der(tag: number, content: Uint8Array): Buffer {
  const length = content.length < 0x80 ? [content.length] : [0x81, content.length];
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
}

function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString("base64").match(/.{1,64}/g)!;
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}
