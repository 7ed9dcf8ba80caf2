/**
 * What a broker, a socket or a certificate answers, in words a site technician can act on. Pure.
 */

/** Reason codes of MQTT 5 (section 2.4) and return codes of 3.1.1 (section 3.2.2.3) that a CONNACK may carry. */
const CONNECT_REASONS: ReadonlyMap<number, string> = new Map([
  [0x01, "the broker does not speak this version of MQTT"],
  [0x02, "the broker refuses the client id"],
  [0x03, "the broker is not available"],
  [0x04, "the broker refuses the user name or password: check mqtt.username and mqtt.password"],
  [
    0x05,
    "the broker does not let this gateway in: check mqtt.username, mqtt.password and the broker's access list",
  ],
  [0x84, "the broker does not speak this version of MQTT"],
  [0x85, "the broker refuses the client id"],
  [0x86, "the broker refuses the user name or password: check mqtt.username and mqtt.password"],
  [
    0x87,
    "the broker does not let this gateway in: check mqtt.username, mqtt.password and the broker's access list",
  ],
  [0x8c, "the broker wants another way to sign in than a user name and password"],
]);

/** Reason codes of MQTT 5 that more than one kind of packet may carry. */
const REASONS: ReadonlyMap<number, string> = new Map([
  [0x80, "unspecified error"],
  [0x81, "malformed packet"],
  [0x82, "protocol error"],
  [0x83, "implementation specific error"],
  [0x87, "not authorized"],
  [0x88, "server unavailable"],
  [0x89, "server busy"],
  [0x8a, "banned"],
  [0x8b, "server shutting down"],
  [0x8d, "keep alive timeout"],
  [0x8e, "session taken over: another client uses the same client id"],
  [0x8f, "topic filter invalid"],
  [0x90, "topic name invalid"],
  [0x91, "packet identifier in use"],
  [0x93, "receive maximum exceeded"],
  [0x94, "topic alias invalid"],
  [0x95, "packet too large"],
  [0x96, "message rate too high"],
  [0x97, "quota exceeded"],
  [0x98, "administrative action"],
  [0x99, "payload format invalid"],
  [0x9a, "retain not supported"],
  [0x9b, "QoS not supported"],
  [0x9c, "use another server"],
  [0x9d, "server moved"],
  [0x9f, "connection rate exceeded"],
  [0xa0, "maximum connect time"],
  [0xa2, "wildcard subscriptions not supported"],
]);

/** The name of a reason, as the standard has it, with its number where it has none. */
export function reasonWord(code: number): string {
  return REASONS.get(code) ?? `reason 0x${code.toString(16).padStart(2, "0")}`;
}

/** Why a CONNACK says no. */
export function connectRefusal(code: number): string {
  return CONNECT_REASONS.get(code) ?? `the broker refuses the connection: ${reasonWord(code)}`;
}

/** Whether a CONNECT of MQTT 5 was refused for its version: in words, or perhaps, as by a connection that just ended. */
export type VersionRefused = "no" | "perhaps" | "in-words";

/** `code`: a CONNACK's, or that of an error of the connection, if it has one. */
export function refusesVersion(code: unknown): VersionRefused {
  if (typeof code === "number") return code === 0x01 || code === 0x84 ? "in-words" : "no";
  // A broker of 3.1.1 may reset on a CONNECT of MQTT 5, or answer in a way that MQTT 5 cannot read.
  return code === undefined || code === "ECONNRESET" || code === "EPIPE" ? "perhaps" : "no";
}

const UNTRUSTED =
  "the broker's certificate is signed by nobody this gateway trusts: set mqtt.tls.ca to the certificate of who signed it";

/** Node's error codes for names, sockets and TLS. */
function codeWord(code: string, host: string): string | null {
  switch (code) {
    case "ECONNREFUSED":
      return "connection refused: is the broker running, and is the port right?";
    case "ENOTFOUND":
      return `the name ${host} is not known: check the address and this machine's DNS`;
    case "EAI_AGAIN":
      return `the name ${host} could not be looked up: is there a network and a name server?`;
    case "EHOSTUNREACH":
    case "ENETUNREACH":
    case "ENETDOWN":
      return `there is no way to ${host}: is the network up?`;
    case "ETIMEDOUT":
      return "no answer: is the address right, and does a firewall let it through?";
    case "ECONNRESET":
    case "EPIPE":
      return "the connection was broken";
    case "CERT_HAS_EXPIRED":
      return "the broker's certificate has expired (or this machine's clock is wrong)";
    case "CERT_NOT_YET_VALID":
      return "the broker's certificate is not valid yet: is this machine's clock right?";
    case "CERT_REVOKED":
      return "the broker's certificate has been revoked";
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
    case "UNABLE_TO_GET_ISSUER_CERT":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
    case "CERT_SIGNATURE_FAILURE":
      return UNTRUSTED;
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return `the broker's certificate is for another name than ${host}: use the name that is in it`;
    case "ERR_SSL_WRONG_VERSION_NUMBER":
    case "ERR_SSL_PACKET_LENGTH_TOO_LONG":
      return "no TLS is spoken there: is it the port for mqtts?";
    case "EPROTO":
      return "the TLS handshake failed: is it the port for mqtts?";
    default:
      return code.startsWith("ERR_SSL_") && code.includes("ALERT")
        ? `the broker ended TLS (${code}): does it want a certificate from mqtt.tls.cert?`
        : null;
  }
}

/** What went wrong on the way to `host`; `error` is whatever a socket or MQTT.js handed over. */
export function errorWord(error: unknown, host: string): string {
  if (!(error instanceof Error)) return String(error);
  const code = (error as NodeJS.ErrnoException).code;
  const word = typeof code === "string" ? codeWord(code, host) : null;
  return word ?? (error.message || (typeof code === "string" ? code : error.name));
}
