/**
 * What is in force, as a small file a person may read.
 */
import { join } from "node:path";
import { type Adapter, Low } from "lowdb";
import type { Files, Log } from "../drivers/ports.ts";
import { DurableAdapter } from "./durable-file.ts";

const STATE_BYTES_MAX = 64 * 1024;
/** A whole list, one layer that is being merged with it, and one above; some more where merging was cut short. */
const LAYERS_MAX = 16;
const LAYER_FILE = /^index-[0-9]+-[0-9a-f]{8}\.bin$/;

/**
 * `layers`: files, oldest first. `refreshedAtMs`: wall time of the last refresh that verified, null when the clock could not be
 * trusted then.
 */
export interface InForce {
  revision: number;
  layers: readonly string[];
  refreshedAtMs: number | null;
}

/** The list in force and when it was last known to be the newest. */
export interface Store {
  read(): Promise<InForce | null>;
  write(inForce: InForce): Promise<void>;
}

export function createStore(dir: string, files: Files, log: Log): Store {
  const adapter = new DurableAdapter<InForce>(
    {
      path: join(dir, "in-force.json"),
      sizeBytesMax: STATE_BYTES_MAX,
      encode: (inForce) => [JSON.stringify(inForce, null, 2)],
      accept: acceptInForce,
    },
    files,
    log,
  );
  const db = new Low<InForce | null>(adapter as Adapter<InForce | null>, null);
  return {
    async read() {
      await db.read();
      return db.data;
    },
    async write(inForce) {
      db.data = inForce;
      await db.write();
    },
  };
}

function acceptInForce(value: unknown): InForce | null {
  if (typeof value !== "object" || value === null) return null;
  const { revision, layers, refreshedAtMs } = value as Record<string, unknown>;
  const fits =
    typeof revision === "number" &&
    Array.isArray(layers) &&
    layers.length > 0 &&
    layers.length <= LAYERS_MAX &&
    layers.every((layer) => typeof layer === "string" && LAYER_FILE.test(layer)) &&
    (refreshedAtMs === null || typeof refreshedAtMs === "number");
  return fits ? { revision, layers, refreshedAtMs } : null;
}
