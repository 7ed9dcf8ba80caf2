/** A feed behind any web server: plain GETs of static files, taken as they are. */
import {
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
} from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { chooseProxy, createTunnelAgent, type HttpProxy } from "./feed-proxy.ts";
import { resumable } from "./feed-resume.ts";
import type { FeedReply, FeedSource } from "./ports.ts";

/** PEM texts of an authority of the site's own, and of a client certificate and its key. */
export interface FeedTls {
  ca?: string;
  cert?: string;
  key?: string;
}

export interface HttpFeedOptions {
  username?: string;
  password?: string;
  tls?: FeedTls;
  /** Where proxies are named: `HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`. Without it none is used. */
  environment?: Readonly<Record<string, string | undefined>>;
  limits?: Partial<typeof LIMITS>;
}

/**
 * `connectMs`: until the connection stands; a dead link shows itself in this time. `idleMs`: without a byte from the
 * server, before the reply and within it. `resumeMs`: before a broken transfer is taken up again, doubled each time.
 * `replyMs`: until the head of the reply is whole, however busily the server sends it: a request that never ends would
 * keep one of the few connections.
 */
const LIMITS = { connectMs: 5_000, idleMs: 10_000, resumeMs: 1_000, replyMs: 25_000 };

/** The only file of a feed that changes under its name: asked for each time, and mostly it is the one we have. */
const CHANGING_FILE = "timestamp.json";
const CHANGING_BYTES_MAX = 64 * 1024;

/** A page that says what is not there. */
const PAGE_BYTES_MAX = 16 * 1024;

/**
 * Servers make their validators from a time in whole seconds and a length. A file so young may yet change within its
 * second without a change of those (RFC 9110, 8.8.2.2), and a list would be missed: it is asked for anew.
 */
const SETTLED_MS = 2_000;

/** A server may tidy its addresses; a chain of redirects is a fault of its configuration. */
const REDIRECTS_MAX = 3;

const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** One for the file, one for the next: a feed is fetched file after file. */
const SOCKETS_MAX = 2;

/** The feed below `address`, `http://` or `https://`. Throws for what is no such address. */
export function createHttpSource(address: string, options: HttpFeedOptions = {}): FeedSource {
  const base = new URL(address.endsWith("/") ? address : `${address}/`);
  if (base.protocol !== "http:" && base.protocol !== "https:")
    throw new Error(`${address} is no http or https address`);
  const username = options.username ?? decodeURIComponent(base.username);
  const password = options.password ?? decodeURIComponent(base.password);
  base.username = "";
  base.password = "";
  const limits = { ...LIMITS, ...options.limits };
  const settings = { keepAlive: true, maxSockets: SOCKETS_MAX, timeout: limits.idleMs };
  const choice = chooseProxy(base, options.environment ?? {});
  const proxy = choice.kind === "proxy" ? choice.proxy : null;
  const client: Client = {
    headers: {
      accept: "*/*",
      // As it lies there: the hash is over the gzip itself.
      "accept-encoding": "identity",
      ...(username !== "" && {
        authorization: `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`,
      }),
    },
    proxy,
    agents: {
      "http:": new HttpAgent(settings),
      "https:":
        proxy === null
          ? new HttpsAgent({ ...settings, ...options.tls })
          : createTunnelAgent(proxy, { ...settings, ...options.tls }, limits.connectMs),
    },
    limits,
  };
  /** The last timestamp.json, and what it is asked by whether it still is. */
  let kept: Kept | null = null;

  async function fetch(url: URL, path: string, redirectsLeft: number): Promise<FeedReply> {
    const isChanging = path === CHANGING_FILE;
    let reply: IncomingMessage;
    try {
      reply = await get(url, client, isChanging ? (kept?.validators ?? {}) : {});
    } catch (error) {
      return unreachable(url, words(error as NodeJS.ErrnoException), proxy);
    }
    const status = reply.statusCode ?? 0;
    if (status === 200 && isChanging) return { kind: "found", body: keeping(reply) };
    if (status === 200) {
      const again = (headers: Record<string, string>) => get(url, client, headers);
      return { kind: "found", body: resumable(reply, again, limits.resumeMs) };
    }
    await discard(reply);
    if (status === 304 && isChanging && kept !== null) return { kind: "found", body: once(kept.bytes) };
    // Object stores answer 403 for what is not there to those who may not list.
    if (status === 404 || status === 410 || status === 403) return { kind: "missing" };
    if (status === 401) return unreachable(url, "the server wants another username and password", proxy);
    if (status === 407) return unreachable(url, "it wants a username and password, in HTTP_PROXY", proxy);
    if (!REDIRECTS.has(status)) {
      const told = unreachable(url, `the server answers ${status} ${reply.statusMessage}`, proxy);
      const retryAfterMs = retryAfterOf(reply.headers);
      return { ...told, ...(retryAfterMs > 0 && { retryAfterMs }) };
    }
    const target = redirectTarget(url, reply.headers.location);
    if (target === null)
      return unreachable(url, "redirected elsewhere, which is not followed: configure that address", proxy);
    if (redirectsLeft === 0) return unreachable(url, "redirected too often", proxy);
    return fetch(target, path, redirectsLeft - 1);
  }

  /** The reply, kept when it has come whole. */
  async function* keeping(reply: IncomingMessage): AsyncGenerator<Uint8Array, void, void> {
    kept = null;
    const pieces: Uint8Array[] = [];
    let sizeBytes = 0;
    for await (const piece of reply as AsyncIterable<Buffer>) {
      sizeBytes += piece.length;
      if (sizeBytes <= CHANGING_BYTES_MAX) pieces.push(piece);
      yield piece;
    }
    const validators = validatorsOf(reply);
    if (validators !== null && sizeBytes <= CHANGING_BYTES_MAX)
      kept = { validators, bytes: Buffer.concat(pieces) };
  }

  return {
    name: base.href,
    async fetch(path) {
      const url = new URL(path, base);
      return choice.kind === "fault" ? unreachable(url, choice.why, null) : fetch(url, path, REDIRECTS_MAX);
    },
  };
}

/**
 * Reads a page that nobody wants to its end, so that its connection serves the next file: each refresh asks for a root
 * that mostly is not there yet. One that is long, or has no end, is not worth it.
 */
async function discard(reply: IncomingMessage): Promise<void> {
  let sizeBytes = 0;
  try {
    for await (const piece of reply as AsyncIterable<Buffer>) {
      sizeBytes += piece.length;
      if (sizeBytes > PAGE_BYTES_MAX) break;
    }
  } catch {
    // Its status has said what there is to know.
  }
}

interface Kept {
  /** Request headers that ask for it only if it is another by now. */
  validators: Record<string, string>;
  bytes: Uint8Array;
}

function validatorsOf({ headers }: IncomingMessage): Record<string, string> | null {
  const { etag, date } = headers;
  const modified = headers["last-modified"];
  const ageMs = Date.parse(date ?? "") - Date.parse(modified ?? "");
  if (modified !== undefined && !(ageMs >= SETTLED_MS)) return null;
  if (etag !== undefined) return { "if-none-match": etag };
  return modified === undefined ? null : { "if-modified-since": modified };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  yield bytes;
}

/** What a server that is overloaded or away for a while asks for (RFC 9110, 10.2.3), in seconds or until a time; or 0. */
function retryAfterOf({ date, "retry-after": text = "" }: IncomingHttpHeaders): number {
  if (/^\d{1,9}$/.test(text)) return 1000 * Number(text);
  // By the server's own clock: this machine's may be wrong.
  const untilMs = Date.parse(text) - Date.parse(date ?? "");
  return Number.isNaN(untilMs) ? 0 : Math.max(0, untilMs);
}

/** The credentials go with a redirect, so it may only lead to the same host, and never from https to http. */
function redirectTarget(from: URL, location: string | undefined): URL | null {
  if (location === undefined || !URL.canParse(location, from.href)) return null;
  const to = new URL(location, from);
  const isSameServer =
    to.hostname === from.hostname && (to.protocol === from.protocol || to.protocol === "https:");
  return isSameServer ? to : null;
}

interface Client {
  headers: Record<string, string>;
  proxy: HttpProxy | null;
  agents: { "http:": HttpAgent; "https:": HttpsAgent };
  limits: typeof LIMITS;
}

/** The head of the reply; its body is the message itself, which ends with an error when the server falls silent. */
function get(url: URL, client: Client, more: Record<string, string>): Promise<IncomingMessage> {
  const { agents, limits, proxy } = client;
  return new Promise((resolve, reject) => {
    const isTls = url.protocol === "https:";
    // A proxy is asked for the whole address; within a tunnel it is not there.
    const through =
      proxy === null || isTls
        ? {}
        : {
            host: proxy.host,
            port: proxy.port,
            path: url.href,
            headers: { ...proxy.headers, host: url.host },
          };
    const request = (isTls ? httpsRequest : httpRequest)(url, {
      agent: agents[isTls ? "https:" : "http:"],
      timeout: limits.idleMs,
      ...through,
      headers: { ...client.headers, ...through.headers, ...more },
    });
    const connecting = setTimeout(() => {
      request.destroy(new Error(`no connection within ${limits.connectMs / 1000} s`));
    }, limits.connectMs);
    const connected = () => clearTimeout(connecting);
    const replying = setTimeout(() => {
      request.destroy(new Error(`no whole answer within ${limits.replyMs / 1000} s`));
    }, limits.replyMs);
    request.on("close", () => clearTimeout(replying));
    request.on("socket", (socket) => {
      if (socket.connecting) socket.once(isTls ? "secureConnect" : "connect", connected);
      else connected();
    });
    // Once there is a reply, it must be told why it ends: the request no longer tells anybody.
    let silent: { destroy(why: Error): void } = request;
    request.on("timeout", () => silent.destroy(new Error(`silent for ${limits.idleMs / 1000} s`)));
    request.on("error", (error: NodeJS.ErrnoException) => {
      connected();
      // The server closed a kept connection in the moment we took it up again: nothing was asked yet.
      if (request.reusedSocket && error.code === "ECONNRESET") resolve(get(url, client, more));
      else reject(error);
    });
    request.on("response", (reply) => {
      clearTimeout(replying);
      silent = reply;
      resolve(reply);
    });
    request.end();
  });
}

function unreachable(
  url: URL,
  why: string,
  proxy: HttpProxy | null,
): Extract<FeedReply, { kind: "unreachable" }> {
  const by = proxy === null ? "" : `by the proxy ${proxy.name}: `;
  return { kind: "unreachable", why: `${url.origin}${url.pathname}: ${by}${why.trim()}` };
}

/** What to look at, for the failures a site meets. */
function words(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return "no such host, or no name server answers";
    case "ECONNREFUSED":
      return "nothing listens there";
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return "no way to the host: is the network up?";
    case "CERT_HAS_EXPIRED":
      return "its certificate has expired, or the time here is wrong";
    case "CERT_NOT_YET_VALID":
      return "its certificate is not valid yet: is the time here right?";
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
      return "its certificate is of an authority unknown here: see tls.ca";
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return "its certificate is for another name";
    default:
      // Several addresses were tried: Node's own message is then empty.
      return error.message || error.code || "no connection";
  }
}
