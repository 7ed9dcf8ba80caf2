/**
 * A door: from a URL to a connected socket, verified where it says so. Nothing of MQTT is sent before this is done,
 * so that a password never reaches somebody who has not proved who they are.
 */
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { errorWord } from "./broker-words.ts";

/** PEM texts. `ca` replaces the authorities this machine trusts. */
export interface BrokerTls {
  ca?: Buffer | string;
  cert?: Buffer | string;
  key?: Buffer | string;
}

export interface Door {
  scheme: "mqtt" | "mqtts";
  host: string;
  port: number;
  /** `host:port`, for messages. */
  name: string;
}

export type Dialed = { kind: "open"; socket: Socket } | { kind: "failed"; why: string };

/** Null when it is no `mqtt://` or `mqtts://` address. */
export function parseDoor(url: string): Door | null {
  if (!URL.canParse(url)) return null;
  const { protocol, hostname, port } = new URL(url);
  if ((protocol !== "mqtt:" && protocol !== "mqtts:") || hostname === "") return null;
  const scheme = protocol === "mqtts:" ? "mqtts" : "mqtt";
  const portNumber = port === "" ? (scheme === "mqtts" ? 8883 : 1883) : Number(port);
  // An IPv6 address stands in brackets in a URL, and without them in everything else.
  return {
    scheme,
    host: hostname.replace(/^\[|\]$/g, ""),
    port: portNumber,
    name: `${hostname}:${portNumber}`,
  };
}

/** Never rejects. Ends, with the words of `signal.reason`, when `signal` does. */
export function dial(door: Door, tls: BrokerTls | undefined, signal: AbortSignal): Promise<Dialed> {
  if (signal.aborted) return Promise.resolve({ kind: "failed", why: String(signal.reason) });
  return new Promise((resolve) => {
    let socket: Socket;
    try {
      socket =
        door.scheme === "mqtts" ? openTls(door, tls) : connectTcp({ host: door.host, port: door.port });
    } catch (error) {
      // Only OpenSSL, reading PEM, throws here.
      resolve({ kind: "failed", why: `mqtt.tls cannot be used: ${errorWord(error, door.host)}` });
      return;
    }
    const settle = (dialed: Dialed) => {
      signal.removeEventListener("abort", onAbort);
      socket.off("error", onError).off("close", onClose);
      if (dialed.kind === "failed") socket.on("error", () => {}).destroy();
      resolve(dialed);
    };
    const onAbort = () => settle({ kind: "failed", why: String(signal.reason) });
    const onError = (error: Error) => settle({ kind: "failed", why: errorWord(error, door.host) });
    const onClose = () => settle({ kind: "failed", why: "the other side closed the connection" });
    signal.addEventListener("abort", onAbort);
    socket.on("error", onError).on("close", onClose);
    socket.once(door.scheme === "mqtts" ? "secureConnect" : "connect", () => {
      // An event is one small packet: it must not wait for the one before to be acknowledged.
      socket.setNoDelay(true);
      settle({ kind: "open", socket });
    });
  });
}

function openTls(door: Door, tls: BrokerTls | undefined): Socket {
  return connectTls({
    ...tls,
    host: door.host,
    port: door.port,
    ...(isIP(door.host) === 0 ? { servername: door.host } : {}),
    rejectUnauthorized: true,
    minVersion: "TLSv1.2",
  });
}
