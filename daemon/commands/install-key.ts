/** The key that `cards.tokenKey` names, made for root's eyes where there is none: systemd hands it to the service. */
import { randomBytes } from "node:crypto";
import { access, mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import type { Configuration } from "../../config/schema.ts";
import { TOKEN_KEY_BYTES } from "../../sync/token-seal.ts";
import { sealedOf } from "../install/needs.ts";

/** `encrypted`: it lies there as systemd-creds has written it. */
export type KeyStanding = "made" | "kept" | "encrypted";

/** Null where the configuration names no file. */
export function tokenKeyFile({ cards: { tokenKey } }: Configuration): string | null {
  return tokenKey !== undefined && "file" in tokenKey ? tokenKey.file : null;
}

/** Never over one that is there: that would make the index unreadable. */
export async function makeTokenKey(file: string): Promise<KeyStanding> {
  if (await isThere(file)) return "kept";
  if (await isThere(sealedOf(file))) return "encrypted";
  await mkdir(dirname(file), { recursive: true, mode: 0o755 });
  const made = await open(file, "wx", 0o600);
  try {
    await made.writeFile(`${randomBytes(TOKEN_KEY_BYTES).toString("hex")}\n`);
    await made.sync();
  } finally {
    await made.close();
  }
  return "made";
}

export async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
