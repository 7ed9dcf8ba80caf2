/** What is taken from a broker: MQTT.js trusts its own, and we do not. */
import type { Socket } from "node:net";
import type { MqttClient, Packet } from "mqtt";

/** Of a subscription: commands, announcements and states are a few hundred bytes. */
export const RECEIVED_BYTES_MAX = 64 * 1024;

/** Held of a packet that is not complete yet. MQTT 5 brokers are told, others are left when they pass it. */
export const PACKET_BYTES_MAX = 256 * 1024;

/**
 * MQTT.js holds up to 256 MB of an unfinished packet, keeps messages of QoS 2 that nobody asked for, and throws where nobody can
 * catch it on a PUBREL without an identifier. `refuse` is told why the connection is to be ended. `isOver`: it has been, and
 * nothing that still comes counts.
 */
export function guardPackets(
  client: MqttClient,
  socket: Socket,
  refuse: (why: string) => void,
  isOver: () => boolean = () => false,
): void {
  let unfinishedBytes = 0;
  client.on("packetreceive", (packet) => {
    unfinishedBytes = 0;
    if (!isOver() && isExpected(packet)) return;
    refuse(`the broker sent a packet that nobody asked for (${packet.cmd})`);
    // MQTT.js passes over what it does not know.
    (packet as { cmd: string }).cmd = "ignored";
  });
  socket.on("data", (bytes: Buffer) => {
    unfinishedBytes += bytes.length;
    if (unfinishedBytes > PACKET_BYTES_MAX) refuse("the broker sent a packet that is too long");
  });
}

/** All that a broker has to say to a client that publishes and subscribes with QoS 1. */
function isExpected(packet: Packet): boolean {
  switch (packet.cmd) {
    case "connack":
    case "pingresp":
    case "disconnect":
      return true;
    case "puback":
    case "suback":
      return packet.messageId !== undefined;
    case "publish":
      return packet.qos !== 2;
    default:
      return false;
  }
}
