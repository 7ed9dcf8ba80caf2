/** What the consumer is told, by its environment: names as `docs/hundred-gates.md` has them; PostgreSQL's own are read by `pg`. */
import { readFileSync } from "node:fs";

export interface Settings {
  url: string;
  clientId: string;
  tls: { ca?: Buffer; cert?: Buffer; key?: Buffer };
  prefix: string;
  /** Consumers of one group share the messages; null: this one has all. */
  group: string | null;
  gapSeconds: number;
}

/** Shorter than a gateway's answer takes would only ask twice. */
const GAP_SECONDS = { least: 1, most: 86_400, usual: 60 };

/** Throws words for a person about what is missing or wrong. */
export function readSettings(env: NodeJS.ProcessEnv): Settings {
  const url = env.MQTT_URL ?? "";
  if (!/^mqtts?:\/\/[^/@]+$/.test(url)) throw new Error("MQTT_URL: say mqtts://HOST:PORT");
  const prefix = env.MQTT_PREFIX ?? "grindvakt";
  if (!/^[\w.-]+(\/[\w.-]+)*$/.test(prefix)) throw new Error("MQTT_PREFIX: as mqtt.prefix of the gateways");
  const group = env.MQTT_GROUP ?? null;
  if (group !== null && !/^[\w-]{1,40}$/.test(group)) throw new Error("MQTT_GROUP: letters, digits and -");
  const gapSeconds = Number(env.GAP_SECONDS ?? GAP_SECONDS.usual);
  if (!(gapSeconds >= GAP_SECONDS.least && gapSeconds <= GAP_SECONDS.most))
    throw new Error(`GAP_SECONDS: ${GAP_SECONDS.least} to ${GAP_SECONDS.most}`);
  const tls: Settings["tls"] = {};
  for (const part of ["ca", "cert", "key"] as const) {
    const file = env[`MQTT_${part.toUpperCase()}`];
    if (file !== undefined) tls[part] = readFileSync(file);
  }
  return { url, clientId: env.MQTT_CLIENT_ID ?? "grindvakt-consumer", tls, prefix, group, gapSeconds };
}
