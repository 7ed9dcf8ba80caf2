/**
 * What the console answers (CONTRACT 8), as `docs/openapi.yaml` tells it. A fault is always `{"error": "…"}`.
 */
import { type Context, Hono, type MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { HTTPException } from "hono/http-exception";
import { methodNotAllowed } from "hono/method-not-allowed";
import { secureHeaders } from "hono/secure-headers";
import type { Log } from "../../drivers/ports.ts";
import type { LookupAnswer } from "../lookup.ts";
import { maskCards } from "../mask.ts";
import type { Exposition } from "../metrics.ts";
import type { RollCall } from "../presence-desk.ts";
import type { TapPage } from "../recent-taps.ts";
import { ailment, type Status } from "../status.ts";
import { refusal, type Visitor } from "./access.ts";
import type { Live } from "./live.ts";
import { renderPage } from "./page.ts";

const BODY_BYTES_MAX = 4 * 1024;
/** Longer than any spelling of a card number or a token. */
const CREDENTIAL_CHARACTERS_MAX = 128;
const TAPS_MAX = 500;
const TAPS_DEFAULT = 50;
const PAGE_TAPS = 20;
/** Requests that wait for the journal to be read, one after the other; more are told to come back. */
const READS_WAITING_MAX = 32;

export interface ConsoleRooms {
  status(): Status;
  metrics(): Promise<Exposition>;
  /** Newest first: taps before sequence `before` (null: from the end). */
  taps(limit: number, before: number | null): Promise<TapPage>;
  /** Who is on the site. */
  rollCall(): RollCall;
  /** Hands a credential to a virtual reader; a refusal in words, or null when taken. */
  present(reader: string, credential: string): string | null;
  /** `card`: a card number or a token, as a person typed it. */
  lookup(card: string): LookupAnswer;
}

export function createApp(
  guards: readonly MiddlewareHandler<Visitor>[],
  rooms: ConsoleRooms,
  live: Live,
  log: Log,
): Hono<Visitor> {
  const app = new Hono<Visitor>();
  const readTaps = oneAtATime((limit: number, before: number | null) => rooms.taps(limit, before));

  const readMetrics = oneAtATime(() => rooms.metrics());

  app.onError((error) => {
    if (error instanceof HTTPException) return error.getResponse();
    log.error("the console failed to answer", { why: maskCards(error.message) });
    return Response.json({ error: "the gateway failed to answer; its log says why" }, { status: 500 });
  });
  app.notFound((c) => c.json({ error: "there is nothing here" }, 404));
  app.use(headers());
  for (const guard of guards) app.use(guard);
  app.use(
    methodNotAllowed({
      app,
      onMethodNotAllowed: (c, methods) =>
        c.json({ error: `only ${methods.join(", ")} here` }, 405, { Allow: methods.join(", ") }),
    }),
  );

  app.get("/", async (c) => {
    const { taps } = await readTaps(PAGE_TAPS, null);
    const page = await renderPage(rooms.status(), taps);
    return c.html(shown(c, String(page)));
  });
  app.get("/healthz", (c) => {
    const ailing = ailment(rooms.status());
    return ailing === null ? c.json({ status: "ok" }) : c.json({ status: "ailing", error: ailing }, 503);
  });
  app.get("/metrics", async (c) => {
    const { contentType, text } = await readMetrics();
    return c.body(text, 200, { "Content-Type": contentType });
  });
  app.get("/api/status", (c) => answer(c, rooms.status()));
  app.get("/api/taps", async (c) => {
    const limit = integerOf(c, "limit", TAPS_MAX) ?? TAPS_DEFAULT;
    const before = integerOf(c, "before", Number.MAX_SAFE_INTEGER);
    return answer(c, await readTaps(limit, before));
  });
  app.post("/api/taps", takeJsonOnly, boundBody, async (c) => {
    const { reader, credential } = presentationOf(await c.req.json().catch(() => null));
    const why = rooms.present(reader, credential);
    if (why !== null) throw refusal(422, shown(c, why));
    return c.json({ taken: true }, 202);
  });
  app.get("/api/presence", (c) => {
    if (!c.var.signedIn) throw refusal(401, "who is on site is shown to who gives console.password");
    return c.json(rooms.rollCall());
  });
  app.get("/api/cards/:card", (c) => {
    const asked = c.req.param("card");
    if (asked.length > CREDENTIAL_CHARACTERS_MAX) throw refusal(400, "this is too long for a card number");
    return c.json(onlyAsked(rooms.lookup(asked), asked, c.var.signedIn));
  });
  app.get("/api/events", (c) => {
    const { outgoing } = c.env;
    const stream = live.open(c.var.signedIn, () => outgoing.destroy());
    if (stream === null) throw refusal(503, "too many pages are open on this gateway");
    // However it ends, and also where nobody reads the body (HEAD).
    outgoing.once("close", stream.closed);
    return c.body(stream.body, 200, { "Content-Type": "text/event-stream" });
  });
  return app;
}

/** Nothing from elsewhere, in no frame, and nothing kept by a browser that the next person may use. */
function headers(): MiddlewareHandler<Visitor> {
  const secure = secureHeaders({
    contentSecurityPolicy: {
      defaultSrc: ["'self'"],
      baseUri: ["'none'"],
      formAction: ["'self'"],
      frameAncestors: ["'none'"],
    },
    xFrameOptions: "DENY",
    // The name may be shared with other ports that speak http.
    strictTransportSecurity: false,
  });
  return async (c, next) => {
    await secure(c, next);
    c.res.headers.set("Cache-Control", "no-store");
  };
}

/** A page from elsewhere cannot send this content type unasked. */
const takeJsonOnly: MiddlewareHandler<Visitor> = (c, next) => {
  const type = c.req.header("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (type !== "application/json") throw refusal(415, "send application/json");
  // What is said beforehand is refused before it is read.
  if (c.req.header("content-length") === undefined) throw refusal(411, "say the body's length");
  return next();
};

const boundBody = bodyLimit({
  maxSize: BODY_BYTES_MAX,
  onError: () => {
    throw refusal(413, `send at most ${BODY_BYTES_MAX} bytes`);
  },
});

function answer(c: Context<Visitor>, value: unknown): Response {
  return c.body(shown(c, JSON.stringify(value)), 200, { "Content-Type": "application/json" });
}

function shown(c: Context<Visitor>, text: string): string {
  return c.var.signedIn ? text : maskCards(text);
}

/**
 * What the site wrote of a card is for who has signed in. A token that leads to a card does not tell its number to
 * somebody nobody knows; a number one typed is known already.
 */
function onlyAsked(found: LookupAnswer, asked: string, signedIn: boolean): LookupAnswer {
  if (signedIn) return found;
  const { site: _, ...rest } = found;
  const { card } = rest;
  const isAsked = card !== null && bare(asked) === bare(card);
  return card === null || isAsked ? rest : { ...rest, card: maskCards(card) };
}

function bare(text: string): string {
  return text.replace(/[^A-Za-z0-9]/g, "").toUpperCase();
}

/** A query parameter from 1 to `max`, or null where it is not given. */
function integerOf(c: Context<Visitor>, name: string, max: number): number | null {
  const text = c.req.query(name);
  if (text === undefined) return null;
  const value = /^\d{1,16}$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > max) throw refusal(400, `${name} is a whole number from 1 to ${max}`);
  return value;
}

function presentationOf(body: unknown): { reader: string; credential: string } {
  const fields = typeof body === "object" && body !== null ? (body as Record<string, unknown>) : {};
  const { reader, credential, ...rest } = fields;
  const isText = (value: unknown): value is string =>
    typeof value === "string" && value !== "" && value.length <= CREDENTIAL_CHARACTERS_MAX;
  if (!isText(reader) || !isText(credential) || Object.keys(rest).length > 0) {
    throw refusal(400, 'send {"reader": "…", "credential": "…"}');
  }
  return { reader, credential };
}

/** Reads run one after the other, so that many pages cannot make the disk busy together. */
function oneAtATime<Args extends unknown[], Result>(
  read: (...args: Args) => Promise<Result>,
): (...args: Args) => Promise<Result> {
  let waiting = 0;
  let last: Promise<unknown> = Promise.resolve();
  return async (...args) => {
    if (waiting >= READS_WAITING_MAX) throw refusal(503, "too many are asking; ask again in a second");
    waiting += 1;
    const result = last.then(() => read(...args));
    last = result.catch(() => null);
    return result.finally(() => {
      waiting -= 1;
    });
  };
}
