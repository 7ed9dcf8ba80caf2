/**
 * Who may speak to the console (CONTRACT 8): on loopback everybody on this machine, but no web page from elsewhere;
 * off loopback nobody without the password (`sign-in.ts`).
 */
import type { HttpBindings } from "@hono/node-server";
import type { MiddlewareHandler } from "hono";
import { HTTPException } from "hono/http-exception";
import type { Refusal } from "./refusals.ts";

/**
 * What the handlers know of a request. `signedIn`: may see whole card numbers. `name`: who they say they are. `isStillIn`: the
 * same as `signedIn`, but now.
 */
export interface Visitor {
  Bindings: HttpBindings;
  Variables: { signedIn: boolean; name: string | null; isStillIn: () => boolean };
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

/** An answer other than yes, as every route gives it: `{"error": "…"}`, and a `code` where the page has words of its own for it. */
export function refusal(
  status: 400 | 403 | 404 | 411 | 413 | 415 | 422 | 429 | 503,
  error: string,
  code?: Refusal,
): HTTPException {
  const retry: Record<string, string> =
    status === 429 ? { "Retry-After": "60" } : status === 503 ? { "Retry-After": "1" } : {};
  return new HTTPException(status, {
    res: Response.json({ error, code }, { status, headers: retry }),
    message: error,
  });
}
