/**
 * `docs/asyncapi.yaml` as something to hold messages against: those of the document itself, of the pure rooms, and
 * of a running gateway.
 */
import { readFileSync } from "node:fs";
import { Ajv, type ValidateFunction } from "ajv";
import addFormats from "ajv-formats";
import { parse } from "yaml";

const DOCUMENT_ID = "asyncapi.yaml";

/** What stands for `{prefix}`, `{site}` and `{gateway}` in the topics of one gateway. */
export interface TopicNames {
  prefix: string;
  site: string;
  gateway: string;
}

export interface DocumentedMessage {
  name: string;
  contentType: string;
  examples: readonly { name: string; payload: unknown }[];
  /** Of a CloudEvent: its `type`. */
  eventType: string | null;
  /** Every fault of a payload, in words; empty when it is as documented. */
  faultsOf(payload: unknown): string[];
}

export interface DocumentedChannel {
  name: string;
  /** With parameters in braces. */
  address: string;
  action: "send" | "receive";
  qos: number;
  retain: boolean;
  message: DocumentedMessage;
}

export interface AsyncApiDocument {
  channels: readonly DocumentedChannel[];
  /** The channel of a topic, or undefined where the document knows none. */
  channelOf(topic: string, names: TopicNames): DocumentedChannel | undefined;
  /** Every fault of a message as it came from the broker: topic, JSON, payload, content type and retain flag. */
  faultsOfMessage(message: ReceivedMessage, names: TopicNames): string[];
  /** The schema of a name in `components.schemas`, for questions about its own words. */
  schema(name: string): Record<string, unknown>;
}

/** `retain`: as published. `contentType` is left out where the protocol has none (3.1.1). */
export interface ReceivedMessage {
  topic: string;
  payload: string;
  retain?: boolean;
  contentType?: string;
}

interface Ref {
  $ref: string;
}

interface RawDocument {
  channels: Record<string, { address: string; messages: Record<string, Ref> }>;
  operations: Record<string, { action: "send" | "receive"; channel: Ref; bindings: Ref }>;
  components: {
    messages: Record<string, RawMessage>;
    operationBindings: Record<string, { mqtt: { qos: number; retain: boolean } }>;
    schemas: Record<string, Record<string, unknown>>;
  };
}

interface RawMessage {
  contentType: string;
  payload: Ref;
  examples: { name: string; payload: unknown }[];
}

function load(): AsyncApiDocument {
  const raw = parse(
    readFileSync(new URL("../../docs/asyncapi.yaml", import.meta.url), "utf8"),
  ) as RawDocument;
  const ajv = new Ajv({ allErrors: true, strict: true, strictTypes: false, strictRequired: false });
  addFormats.default(ajv);
  // The document is no schema; its schemas refer to each other through it.
  ajv.addKeyword("components");
  ajv.addSchema({ $id: DOCUMENT_ID, components: raw.components }, DOCUMENT_ID, false, false);
  const channels = Object.entries(raw.operations).map(([name, { action, channel, bindings }]) => {
    const at = raw.channels[lastOf(channel)];
    const messages = Object.values(at?.messages ?? {});
    const [first] = messages;
    const mqtt = raw.components.operationBindings[lastOf(bindings)]?.mqtt;
    if (at === undefined || first === undefined || messages.length !== 1 || mqtt === undefined)
      throw new Error(`operation ${name} wants a channel with one message, and bindings`);
    const { qos, retain } = mqtt;
    const message = messageOf(raw, lastOf(first), ajv);
    return { name: lastOf(channel), address: at.address, action, qos, retain, message };
  });
  const channelOf = (topic: string, names: TopicNames) =>
    channels.find(({ address }) => patternOf(address, names).test(topic));
  return {
    channels,
    channelOf,
    faultsOfMessage: (message, names) => faultsOfMessage(message, channelOf(message.topic, names)),
    schema: (name) => raw.components.schemas[name] ?? {},
  };
}

/** docs/asyncapi.yaml, read and compiled once. */
export const asyncApi: AsyncApiDocument = load();

function messageOf(raw: RawDocument, name: string, ajv: Ajv): DocumentedMessage {
  const message = raw.components.messages[name];
  if (message === undefined) throw new Error(`there is no message ${name}`);
  const { contentType, payload, examples } = message;
  const validate = ajv.compile({ $ref: `${DOCUMENT_ID}${payload.$ref}` });
  const properties = (raw.components.schemas[lastOf(payload)]?.properties ?? {}) as {
    specversion?: object;
    type?: { const?: string };
  };
  const eventType = properties.specversion === undefined ? null : (properties.type?.const ?? null);
  return { name, contentType, examples, eventType, faultsOf: (value) => faultsOf(validate, value) };
}

function faultsOf(validate: ValidateFunction, payload: unknown): string[] {
  if (validate(payload)) return [];
  return (validate.errors ?? []).map(
    ({ instancePath, message, params }) => `${instancePath || "/"} ${message} ${JSON.stringify(params)}`,
  );
}

function faultsOfMessage(received: ReceivedMessage, channel: DocumentedChannel | undefined): string[] {
  const { topic, payload, retain, contentType } = received;
  if (channel === undefined) return [`${topic}: the document has no such topic`];
  const faults: string[] = [];
  if (retain !== undefined && retain !== channel.retain) faults.push(`retain is ${retain}`);
  if (contentType !== undefined && contentType !== channel.message.contentType)
    faults.push(`content type is ${contentType}`);
  let value: unknown;
  try {
    value = JSON.parse(payload);
  } catch {
    return [...faults, "the payload is no JSON"].map((fault) => `${topic}: ${fault}`);
  }
  return [...faults, ...channel.message.faultsOf(value)].map((fault) => `${topic}: ${fault}`);
}

function patternOf(address: string, names: TopicNames): RegExp {
  const parts = address.split("/").map((part) => {
    const name = /^\{(\w+)\}$/.exec(part)?.[1];
    if (name === undefined) return literal(part);
    return name in names ? literal(names[name as keyof TopicNames]) : "[^/]+";
  });
  return new RegExp(`^${parts.join("/")}$`);
}

function literal(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

function lastOf({ $ref }: Ref): string {
  return $ref.slice($ref.lastIndexOf("/") + 1);
}
