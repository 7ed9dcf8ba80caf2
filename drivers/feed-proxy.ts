/**
 * The way out of a site's network through a proxy, as `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` say it (and in lower
 * case, which comes first). An http feed is asked of the proxy itself, an https one through a tunnel (CONNECT, RFC 9110,
 * 9.3.6), so that no proxy sees inside.
 */
import { request as httpRequest } from "node:http";
import { type AgentOptions, Agent as HttpsAgent } from "node:https";
import { isIP, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";

export interface HttpProxy {
  host: string;
  port: number;
  /** For messages, without credentials. */
  name: string;
  headers: Record<string, string>;
}

/** `fault`: the environment names a proxy that cannot be one, in words. */
export type ProxyChoice =
  | { kind: "direct" }
  | { kind: "proxy"; proxy: HttpProxy }
  | { kind: "fault"; why: string };

/** Which proxy leads to `url`. This machine itself is never asked of one. */
export function chooseProxy(
  url: URL,
  environment: Readonly<Record<string, string | undefined>>,
): ProxyChoice {
  const variable = url.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY";
  const text = read(variable, environment);
  if (text === "" || isExempt(url, read("NO_PROXY", environment))) return { kind: "direct" };
  const address = text.includes("://") ? text : `http://${text}`;
  const fault = (why: string): ProxyChoice => ({ kind: "fault", why: `${variable} ${why}` });
  if (!URL.canParse(address)) return fault("is no address like http://proxy:3128");
  const { protocol, hostname, port, username, password } = new URL(address);
  if (protocol !== "http:") return fault(`is ${protocol}//; only http:// proxies are spoken to`);
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  const authorization = `Basic ${Buffer.from(credentials).toString("base64")}`;
  const portNumber = port === "" ? 80 : Number(port);
  return {
    kind: "proxy",
    proxy: {
      host: hostname.replace(/^\[|\]$/g, ""),
      port: portNumber,
      name: `${hostname}:${portNumber}`,
      headers: username === "" ? {} : { "proxy-authorization": authorization },
    },
  };
}

function read(name: string, environment: Readonly<Record<string, string | undefined>>): string {
  return (environment[name.toLowerCase()] ?? environment[name] ?? "").trim();
}

/** `NO_PROXY`: hosts and domains separated by commas, each with a port or without; `*` for all. */
function isExempt(url: URL, exemptions: string): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, "").toLowerCase();
  if (host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."))) return true;
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  return exemptions
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== "")
    .some((entry) => {
      const [, name = "", entryPort] = /^(.*?)(?::(\d+))?$/.exec(isIP(entry) === 6 ? `[${entry}]` : entry)!;
      if (entryPort !== undefined && entryPort !== port) return false;
      const domain = name.replace(/^\*?\.|^\[|\]$/g, "");
      return name === "*" || host === domain || (isIP(host) === 0 && host.endsWith(`.${domain}`));
    });
}

/** An agent whose every connection is a tunnel through `proxy`. `connectMs`: until the tunnel and TLS in it stand. */
export function createTunnelAgent(proxy: HttpProxy, options: AgentOptions, connectMs: number): HttpsAgent {
  const agent = new HttpsAgent(options);
  // Node's own way to make connections otherwise; its types know only the one that returns a socket.
  Object.assign(agent, {
    createConnection(
      target: ConnectionOptions & { host: string; port: number },
      done: (error: Error | null, socket?: Socket) => void,
    ) {
      openTunnel(proxy, target, connectMs).then((socket) => done(null, socket), done);
    },
  });
  return agent;
}

async function openTunnel(
  proxy: HttpProxy,
  target: ConnectionOptions & { host: string; port: number },
  connectMs: number,
): Promise<Socket> {
  const socket = await askForTunnel(proxy, target, connectMs);
  return new Promise((resolve, reject) => {
    const tls = connectTls({ ...target, socket });
    const late = setTimeout(() => tls.destroy(new Error(`no TLS within ${connectMs / 1000} s`)), connectMs);
    const fail = (error: Error) => {
      clearTimeout(late);
      socket.destroy();
      reject(error);
    };
    tls.once("error", fail);
    tls.once("secureConnect", () => {
      clearTimeout(late);
      tls.off("error", fail);
      resolve(tls);
    });
  });
}

function askForTunnel(
  { host, port, name, headers }: HttpProxy,
  target: { host: string; port: number },
  connectMs: number,
): Promise<Socket> {
  const authority = `${isIP(target.host) === 6 ? `[${target.host}]` : target.host}:${target.port}`;
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      host,
      port,
      method: "CONNECT",
      path: authority,
      headers: { ...headers, host: authority },
      agent: false,
    });
    const late = setTimeout(() => request.destroy(new Error(`no answer from the proxy ${name}`)), connectMs);
    const end = (error: Error) => {
      clearTimeout(late);
      reject(error);
    };
    request.once("error", end);
    // An answer with a body, and no tunnel.
    request.once("response", (reply) => {
      reply.destroy();
      end(new Error(`the proxy ${name} answers ${reply.statusCode}`));
    });
    request.once("connect", (reply, socket) => {
      clearTimeout(late);
      if (reply.statusCode === 200) return resolve(socket);
      socket.destroy();
      const wants = reply.statusCode === 407 ? ": it wants a username and password, in HTTPS_PROXY" : "";
      reject(new Error(`the proxy ${name} answers ${reply.statusCode}${wants}`));
    });
    request.end();
  });
}
