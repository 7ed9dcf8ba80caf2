/**
 * Whose journal it is. Lines do not say so, and events are named after the gateway: under another name those that are still to be
 * sent would get names that belong to others. A journal from before this file was kept belongs to who opens it first.
 */
import { join } from "node:path";
import type { Files } from "../../drivers/ports.ts";

/** A name. */
const OWNER_BYTES_MAX = 1_024;

/** The gateway that wrote it; null where that is not known. Rejects when the disk cannot be read. */
export async function ownerOf(files: Files, dir: string): Promise<string | null> {
  const { gateway } = await read(files, dir);
  return typeof gateway === "string" ? gateway : null;
}

/** Writes down whose it is, where that is not known. Rejects when the disk does not let it. */
export async function claim(files: Files, dir: string, gateway: string): Promise<void> {
  const said = await read(files, dir);
  if (typeof said.gateway === "string") return;
  await files.makeDirs(dir);
  await files.replace(pathOf(dir), Buffer.from(`${JSON.stringify({ ...said, gateway })}\n`));
}

/** All that the file says, of which the format (`data-format.ts`) is somebody else's. */
async function read(files: Files, dir: string): Promise<Readonly<Record<string, unknown>>> {
  const bytes = await files.read(pathOf(dir), OWNER_BYTES_MAX);
  try {
    const said: unknown = JSON.parse(Buffer.from(bytes ?? "{}").toString("utf8"));
    return typeof said === "object" && said !== null && !Array.isArray(said) ? { ...said } : {};
  } catch {
    // Damage to this file alone must keep no gate shut.
    return {};
  }
}

/** What to say to who opens it under another name; null where it is theirs. */
export function strangerWords(owner: string | null, gateway: string, dir: string): string | null {
  if (owner === null || owner === gateway) return null;
  return `${dir} is the journal of gateway ${owner}, and this is ${gateway}: give ${gateway} a dataDir of its own, or ${owner} its name back`;
}

function pathOf(dir: string): string {
  return join(dir, "gateway.json");
}
