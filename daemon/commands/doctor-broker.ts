/**
 * Whether the broker takes what this gateway sends: in at every door, under a client id of its own so that a running
 * gateway keeps its place, with a test event and the subscriptions the gateway will ask for.
 */
import { randomUUID } from "node:crypto";
import { TLSSocket } from "node:tls";
import type { Configuration } from "../../config/schema.ts";
import { type BrokerTls, dial, parseDoor } from "../../drivers/broker-dial.ts";
import { type Visit, type VisitSettings, visitBroker } from "../../drivers/broker-visit.ts";
import type { System } from "../../drivers/system.ts";
import type { CommandName } from "../broker/command-schema.ts";
import { judge } from "../doctor/certificates.ts";
import { type Finding, findings } from "../doctor/finding.ts";
import { eventOfVolatile } from "../journal/record.ts";
import { eventMessage, type Topics, topicsOf } from "../report/report.ts";

const { ok, warning, wrong } = findings("broker");
/** An event of our own comes back at once, or not at all. */
const HEAR_MS_MAX = 5_000;
const DIAL_MS_MAX = 10_000;

export type BrokerCredentials = Pick<VisitSettings, "username" | "password" | "tls">;

export async function lookAtBroker(
  configuration: Configuration,
  credentials: BrokerCredentials,
  system: System,
): Promise<Finding[]> {
  const { mqtt } = configuration;
  if (mqtt === undefined) return [ok("broker", "none is configured: events stay in the journal")];
  // One after the other: where the doors lead to one cluster, two visits under one client id would end each other.
  const found: Finding[] = [];
  for (const url of mqtt.urls) found.push(...(await lookAtDoor(url, configuration, credentials, system)));
  return found;
}

async function lookAtDoor(
  url: string,
  { gateway, mqtt, cards }: Configuration,
  credentials: BrokerCredentials,
  system: System,
): Promise<Finding[]> {
  const topics = topicsOf({
    prefix: mqtt?.prefix ?? "",
    site: gateway.site,
    gateway: gateway.id,
    feed: cards.name,
  });
  const clientId = `grindvakt-${gateway.id}-doctor`;
  const visited = await visitBroker({ url, clientId, ...credentials }, system.clock, async (visit) => [
    ok(url, `lets ${gateway.id} in, with MQTT ${visit.protocol}`),
    ...(await lookAtSubscription(url, visit, topics)),
    ...(await lookAtCommands(url, visit, topics, mqtt?.commands ?? [])),
    await lookAtPublishing(url, visit, topics, gateway, system),
  ]);
  if (visited.kind === "visited") return visited.result;
  return [
    wrong(
      url,
      visited.why,
      "check the network and the address in mqtt.urls, mqtts:// or mqtt:// with it; a broker that was reached says why not in its own log",
    ),
  ];
}

async function lookAtSubscription(url: string, visit: Visit, topics: Topics): Promise<Finding[]> {
  const why = await visit.subscribe([topics.announcement], () => undefined);
  if (why === null) return [];
  const todo = `give this gateway the right to read ${topics.announcement}: without it new lists come at the next refresh only`;
  return [warning(url, `may not hear of new lists: ${why}`, todo)];
}

async function lookAtCommands(
  url: string,
  visit: Visit,
  topics: Topics,
  commands: readonly CommandName[],
): Promise<Finding[]> {
  const found: Finding[] = [];
  for (const topic of commands.map(topics.command)) {
    const why = await visit.subscribe([topic], () => undefined);
    const todo = `give this gateway the right to read ${topic}, or take it out of mqtt.commands`;
    if (why !== null) found.push(warning(url, `may not hear commands on ${topic}: ${why}`, todo));
  }
  return found;
}

async function lookAtPublishing(
  url: string,
  visit: Visit,
  topics: Topics,
  sender: { id: string; site: string },
  { clock }: System,
): Promise<Finding> {
  const topic = topics.event("grindvakt.gateway.v1");
  const boot = randomUUID();
  const id = `${sender.id}/${boot}/1`;
  const data = { event: "doctor", clock: { trusted: clock.trusted(), boot, uptimeMs: 0 } };
  const time = new Date(clock.wallMs()).toISOString();
  const draft = { type: "grindvakt.gateway.v1", subject: "gateway", time, data } as const;
  const message = eventMessage(topics, eventOfVolatile(id, draft, { gateway: sender.id, site: sender.site }));
  const right = `give this gateway the right to publish under ${topic.slice(0, topic.lastIndexOf("/"))}/#`;
  const heard = visit.protocol === "3.1.1" ? await listenFor(visit, topic, id, clock) : null;
  if (heard !== null && "why" in heard)
    return warning(
      url,
      `nobody can tell whether it takes events: MQTT 3.1.1 does not say so, and it does not let us hear them (${heard.why})`,
      `let this gateway read ${topic}, or watch it at the centre`,
    );
  const outcome = await visit.publish(message);
  if (outcome.kind !== "acknowledged") return wrong(url, `takes no event on ${topic}: ${outcome.why}`, right);
  if (heard === null) return ok(url, `takes events on ${topic}`);
  return (await heard.came)
    ? ok(url, `takes events on ${topic}: a test event came back`)
    : wrong(url, `a test event on ${topic} did not come back within ${HEAR_MS_MAX / 1_000} s`, right);
}

/** MQTT 3.1.1 acknowledges what it throws away: only what comes back was taken. */
async function listenFor(
  visit: Visit,
  topic: string,
  id: string,
  clock: System["clock"],
): Promise<{ came: Promise<boolean> } | { why: string }> {
  let hear: (came: boolean) => void = () => undefined;
  const came = new Promise<boolean>((resolve) => {
    hear = resolve;
  });
  const why = await visit.subscribe([topic], (heardOn, payload) => {
    if (heardOn === topic && Buffer.from(payload).includes(id)) hear(true);
  });
  if (why !== null) return { why };
  const timer = clock.after(HEAR_MS_MAX, () => hear(false));
  return { came: came.finally(() => timer.cancel()) };
}

// ---------------------------------------------------------------- what the broker shows

/** Until when the certificates of the broker's doors are valid; one that is not is told by `lookAtBroker`. */
export async function lookAtBrokerCertificates(
  { mqtt }: Configuration,
  tls: BrokerTls | undefined,
  nowMs: number | null,
): Promise<Finding[]> {
  const found = await Promise.all(
    (mqtt?.urls ?? []).map(async (url) => {
      const door = parseDoor(url);
      if (door?.scheme !== "mqtts") return [];
      const dialed = await dial(door, tls, AbortSignal.timeout(DIAL_MS_MAX));
      if (dialed.kind === "failed") return [];
      const { socket } = dialed;
      const shown = socket instanceof TLSSocket ? socket.getPeerCertificate() : null;
      socket.destroy();
      if (shown?.valid_to === undefined) return [];
      const validity = { fromMs: Date.parse(shown.valid_from), toMs: Date.parse(shown.valid_to) };
      return [judge(url, { subject: `CN=${shown.subject.CN}`, ...validity }, nowMs)];
    }),
  );
  return found.flat();
}
