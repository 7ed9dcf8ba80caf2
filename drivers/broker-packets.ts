/**
 * What MQTT's packets may hold, said before they are sent and asked of those that come. Pure.
 */
import type { IConnackPacket } from "mqtt";
import type { BrokerSession, Message } from "./ports.ts";

export type Protocol = BrokerSession["protocol"];

/** Messages a broker takes at once when it does not say: MQTT 5's default, and a careful number for 3.1.1. */
const RECEIVE_MAXIMUM_UNSAID = { "5.0": 65_535, "3.1.1": 100 } as const;

/** The largest packet MQTT has (section 1.5.5: 268,435,455 bytes remaining, and at most 5 before them). */
const PACKET_BYTES_OF_MQTT = 268_435_460;

const TOPIC_BYTES_MAX = 65_535;

/** DISCONNECT, normal, on both versions: the will is not sent. */
export const DISCONNECT = Uint8Array.of(0xe0, 0x00);

/** What the broker takes (MQTT 5, sections 3.2.2.3.3 and 3.2.2.3.6). */
export function limitsOf(protocol: Protocol, { properties }: IConnackPacket) {
  return {
    receiveMaximum: properties?.receiveMaximum ?? RECEIVE_MAXIMUM_UNSAID[protocol],
    maximumPacketSizeBytes: properties?.maximumPacketSize ?? PACKET_BYTES_OF_MQTT,
  };
}

/**
 * MQTT.js takes whatever keepalive the broker asks for. Pings may come sooner than that (MQTT 5, section 3.1.2.10),
 * and must, for a frozen broker to be noticed.
 */
export function shortenKeepalive({ properties }: IConnackPacket, keepaliveSeconds: number): void {
  if (properties?.serverKeepAlive === undefined) return;
  properties.serverKeepAlive = Math.min(properties.serverKeepAlive, keepaliveSeconds);
}

/** Left out on 3.1.1, which has none. */
export function propertiesOf({ contentType, correlationData }: Message, protocol: Protocol) {
  if (protocol !== "5.0" || (contentType === undefined && correlationData === undefined)) return {};
  return {
    properties: {
      ...(contentType === undefined ? {} : { contentType }),
      ...(correlationData === undefined ? {} : { correlationData: Buffer.from(correlationData) }),
    },
  };
}

/** What a broker would answer with DISCONNECT, or not at all, said beforehand; or null. */
export function publishFault(message: Message, payloadBytes: number, offer: BrokerSession): string | null {
  const topicBytes = Buffer.byteLength(message.topic);
  if (topicBytes === 0 || topicBytes > TOPIC_BYTES_MAX || /[+#\0]/.test(message.topic)) {
    return "topic name invalid";
  }
  const contentTypeBytes = message.contentType === undefined ? 0 : 3 + Buffer.byteLength(message.contentType);
  const correlationBytes = message.correlationData === undefined ? 0 : 3 + message.correlationData.length;
  // Their length takes a byte, or up to four (section 2.2.2.1).
  const propertiesBytes = offer.protocol === "5.0" ? 4 + contentTypeBytes + correlationBytes : 0;
  // Fixed header (at most 5), topic with its length, packet identifier, properties, payload (section 3.3).
  const packetBytes = 5 + 2 + topicBytes + 2 + propertiesBytes + payloadBytes;
  return packetBytes > offer.maximumPacketSizeBytes
    ? `packet too large: ${packetBytes} bytes, and the broker takes ${offer.maximumPacketSizeBytes}`
    : null;
}
