/** The centre's word to the broker, and where it is: `--notify`, `--broker` and what goes with them. */
import { resolve } from "node:path";
import type { Command } from "commander";
import { isLoopback } from "../../config/forms.ts";
import { readSecret } from "../../config/secrets.ts";
import { parseDoor } from "../../drivers/broker-dial.ts";
import { type VisitSettings, visitBroker } from "../../drivers/broker-visit.ts";
import { createFiles } from "../../drivers/files.ts";
import { readSecretFile } from "../../drivers/secret-file.ts";
import { createSystemDisk, systemRandom } from "../../drivers/system.ts";
import { readFeedName } from "../../sync/publish-feed.ts";
import type { CentreWorld, Place } from "../../sync/publish-repository.ts";
import { Exit } from "./exit.ts";
import { warn } from "./feed-words.ts";

const PEM_BYTES_MAX = 256 * 1024;

export interface BrokerOptions {
  prefix: string;
  username?: string;
  passwordFile?: string;
  ca?: string;
  cert?: string;
  key?: string;
}

export interface NotifyOptions extends BrokerOptions {
  notify?: string;
}

/** The options that say how to come in, beside the one that says where. */
export function withBroker(command: Command): Command {
  return command
    .option("--prefix <prefix>", "what the gateways' mqtt.prefix says", "grindvakt")
    .option("--username <name>", "for the broker; else GRINDVAKT_MQTT_USERNAME")
    .option("--password-file <file>", "for the broker; else GRINDVAKT_MQTT_PASSWORD")
    .option("--ca <file>", "who signed the broker's certificate, in PEM (default: who this machine trusts)")
    .option("--cert <file>", "our own certificate for the broker, in PEM")
    .option("--key <file>", "and its key");
}

export function withNotify(command: Command): Command {
  return withBroker(
    command.option("--notify <url>", "announce the revision over MQTT: mqtt://… or mqtts://…"),
  );
}

/** Everything that `url` and `options` say, read. Exits with 2 for what cannot be used. */
export async function brokerOf(url: string, options: BrokerOptions): Promise<VisitSettings> {
  const door = parseDoor(url);
  if (door === null) throw new Exit(2, `${url} is no address like mqtts://broker.example.se:8883`);
  // Every user of this machine sees the command line.
  if (new URL(url).password !== "")
    throw new Exit(
      2,
      "no password in the address: give --username and --password-file, or GRINDVAKT_MQTT_PASSWORD",
    );
  if (door.scheme === "mqtt" && !isLoopback(door.host)) warn(`${url} is not encrypted: use mqtts://`);
  const username = options.username ?? process.env.GRINDVAKT_MQTT_USERNAME;
  const password = await passwordOf(options);
  const tls = {
    ...(options.ca !== undefined && { ca: await readPem(options.ca) }),
    ...(options.cert !== undefined && { cert: await readPem(options.cert) }),
    ...(options.key !== undefined && { key: await readPem(options.key) }),
  };
  const suffix = Buffer.from(systemRandom.bytes(6)).toString("hex");
  return {
    url,
    clientId: `grindvakt-feed-${suffix}`,
    ...(username !== undefined && username !== "" && { username }),
    ...(password !== undefined && { password }),
    tls,
  };
}

async function passwordOf({ passwordFile }: BrokerOptions): Promise<string | undefined> {
  if (passwordFile === undefined) return process.env.GRINDVAKT_MQTT_PASSWORD || undefined;
  const outcome = await readSecret({ file: resolve(passwordFile) }, process.env, readSecretFile);
  if (outcome.kind === "refused") throw new Exit(2, outcome.why);
  return outcome.value;
}

async function readPem(path: string): Promise<string> {
  const bytes = await createFiles(createSystemDisk(), systemRandom).read(path, PEM_BYTES_MAX);
  if (bytes === null) throw new Exit(2, `${path} is not there`);
  return Buffer.from(bytes).toString();
}

/** What a broker or a certificate answered, with the words of the configuration turned into the options here. */
export function inOptions(why: string): string {
  return why
    .replaceAll("mqtt.password", "--password-file")
    .replaceAll("mqtt.username", "--username")
    .replaceAll("mqtt.tls.", "--")
    .replaceAll("mqtt.tls", "--ca, --cert or --key")
    .replaceAll("this gateway", "this user");
}

/** Tells gateways that there is something new: null, or why it could not be told. */
export type Announce = (revision: number) => Promise<string | null>;

/** Asked before anything is published, so that a wrong option publishes nothing. Null where nobody is to be told. */
export async function announcer(
  place: Place,
  options: NotifyOptions,
  world: CentreWorld,
): Promise<Announce | null> {
  const { notify, prefix } = options;
  if (notify === undefined) return null;
  const settings = await brokerOf(notify, options);
  const topic = `${prefix}/feeds/${await readFeedName(place, world)}`;
  return async (revision) => {
    const payload = JSON.stringify({ revision });
    const message = { topic, payload, retain: true, contentType: "application/json" };
    const visited = await visitBroker(settings, world.clock, (visit) => visit.publish(message));
    if (visited.kind === "failed") return inOptions(visited.why);
    const { result } = visited;
    return result.kind === "acknowledged" ? null : `${topic}: ${result.why}`;
  };
}
