/**
 * Who may speak to the console (CONTRACT 8): on loopback everybody on this machine, but no web page from elsewhere;
 * off loopback nobody without the password.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { HttpBindings } from "@hono/node-server";
import type { MiddlewareHandler } from "hono";
import { basicAuth } from "hono/basic-auth";
import { HTTPException } from "hono/http-exception";
import type { Clock, Log } from "../../drivers/ports.ts";

/** Wrong passwords from one address in a minute: enough for a person in the rain, useless for guessing. */
const FAILURES_PER_MINUTE_MAX = 10;
/** Addresses that are remembered; while the table is full no other address may try. */
const ADDRESSES_MAX = 1_024;
const MINUTE_MS = 60_000;

/** What the handlers know of a request. `signedIn`: may see whole card numbers. */
export interface Visitor {
  Bindings: HttpBindings;
  Variables: { signedIn: boolean };
}

/** Whether an address of this host never leaves the machine. `host` as in a URL, with or without brackets. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host === "[::1]" || /^127(\.\d{1,3}){3}$/.test(host);
}

/**
 * A name that an attacker's page made point at this machine (DNS rebinding) shows in `Host`; a page from elsewhere
 * shows in `Origin`. Off loopback the gateway does not know its own names, and there the password stands in the way.
 */
export function guardOrigin(
  { loopback, portDefault }: { loopback: boolean; portDefault: 80 | 443 },
  port: () => number,
): MiddlewareHandler<Visitor> {
  return async (c, next) => {
    const host = addressOf(`http://${c.req.header("host") ?? ""}`);
    if (host === null) throw refusal(400, "the request names no host");
    if (loopback && !(isLoopback(host.hostname) && Number(host.port || portDefault) === port())) {
      throw refusal(403, `this console answers to localhost:${port()} and 127.0.0.1:${port()} only`);
    }
    const origin = c.req.header("origin");
    if (origin !== undefined && addressOf(origin)?.host !== host.host) {
      throw refusal(403, "requests from other sites' pages are refused");
    }
    return next();
  };
}

function addressOf(text: string): URL | null {
  return URL.canParse(text) ? new URL(text) : null;
}

/**
 * HTTP Basic; any user name. `required` (off loopback): nothing passes without the password. Else it is asked of
 * nobody, and somebody who gives it is signed in.
 */
export function guardPassword(
  password: string | null,
  required: boolean,
  world: { clock: Clock; log: Log },
): MiddlewareHandler<Visitor> {
  const failures = createFailures(world.clock);
  const check =
    password === null
      ? null
      : basicAuth({
          realm: "Grindvakt",
          invalidUserMessage: { error: "the console's password is required" },
          verifyUser: (_name, given, c) => {
            const address = (c.env as HttpBindings).incoming.socket.remoteAddress ?? "gone";
            if (failures.spent(address)) throw refusal(429, "too many wrong passwords; wait a minute");
            if (isEqual(given, password)) return true;
            if (failures.add(address) === 1) world.log.warn("wrong password at the console", { address });
            return false;
          },
        });
  return async (c, next) => {
    const asks = check !== null && (required || c.req.header("authorization") !== undefined);
    c.set("signedIn", asks);
    return asks ? check(c, next) : next();
  };
}

/** Takes as long for a password that is nearly right as for any other, whatever its length. */
function isEqual(given: string, password: string): boolean {
  return timingSafeEqual(sha256(given), sha256(password));
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

/** Failed attempts by address, forgotten together a minute after the first. */
function createFailures(clock: Clock) {
  const counts = new Map<string, number>();
  let sinceMs = 0;
  const forget = (): void => {
    if (clock.monotonicMs() - sinceMs >= MINUTE_MS) counts.clear();
  };
  return {
    spent(address: string): boolean {
      forget();
      const count = counts.get(address);
      return count === undefined ? counts.size >= ADDRESSES_MAX : count >= FAILURES_PER_MINUTE_MAX;
    },
    /** Failures of this address, with this one. */
    add(address: string): number {
      if (counts.size === 0) sinceMs = clock.monotonicMs();
      const count = (counts.get(address) ?? 0) + 1;
      counts.set(address, count);
      return count;
    },
  };
}

/** A browser asks for the password, and everybody knows when to come back. */
const HEADERS: Readonly<Record<number, Record<string, string>>> = {
  401: { "WWW-Authenticate": 'Basic realm="Grindvakt"' },
  429: { "Retry-After": "60" },
  503: { "Retry-After": "1" },
};

/** An answer other than yes, as every route gives it: `{"error": "…"}`. */
export function refusal(
  status: 400 | 401 | 403 | 411 | 413 | 415 | 422 | 429 | 503,
  error: string,
): HTTPException {
  return new HTTPException(status, {
    res: Response.json({ error }, { status, headers: HEADERS[status] ?? {} }),
    message: error,
  });
}
