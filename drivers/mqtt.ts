/** The mqtt package, loaded when a broker is first asked for. */
import { createRequire } from "node:module";

export type Mqtt = typeof import("mqtt");

/** By `require`: before `import` runs a package of this kind it looks through every file for the names it exports, 70 ms of 115. */
export function loadMqtt(): Mqtt {
  return createRequire(import.meta.url)("mqtt") as Mqtt;
}
