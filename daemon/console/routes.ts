/**
 * What the console answers (CONTRACT 8), as `docs/openapi.yaml` tells it. A fault is always `{"error": "…"}`.
 */
import { type Context, Hono, type MiddlewareHandler } from "hono";
import { HTTPException } from "hono/http-exception";
import { methodNotAllowed } from "hono/method-not-allowed";
import { secureHeaders } from "hono/secure-headers";
import type { Log } from "../../drivers/ports.ts";
import type { TapPage } from "../answers/recent-taps.ts";
import type { TapQuery } from "../answers/tap-search.ts";
import { REASONS, type Reason, TEXTS } from "../gate/reasons.ts";
import { maskCards } from "../mask.ts";
import type { Exposition } from "../report/metrics.ts";
import { ailment, type Status } from "../report/status.ts";
import { refusal, type Visitor } from "./access.ts";
import type { Live } from "./live.ts";
import { languageOf, type Page } from "./page.ts";
import type { Refusal } from "./refusals.ts";
import {
  answer,
  answerText,
  type InTurn,
  integerOf,
  oneAtATime,
  shown,
  TAKE_JSON,
  textOf,
  textsOf,
} from "./request.ts";
import { type CardRooms, cardRoutes } from "./routes-card.ts";
import { type SiteRooms, siteRoutes } from "./routes-site.ts";

const TAPS_MAX = 500;
const TAPS_DEFAULT = 50;
/** As many as somebody who has not signed in is shown of a card number. */
const OPEN_DIGITS_MAX = 6;

export interface ConsoleRooms extends CardRooms, SiteRooms {
  status(): Status;
  metrics(): Promise<Exposition>;
  /** Newest first: taps before sequence `before` (null: from the end). */
  taps(limit: number, before: number | null): Promise<TapPage>;
  search(query: TapQuery, limit: number, before: number | null): Promise<TapPage>;
  /** Hands a credential to a virtual reader; a refusal in words, or null when taken. */
  present(reader: string, credential: string): string | null;
}

export interface ConsoleDoors {
  guards: readonly MiddlewareHandler<Visitor>[];
  session: Hono<Visitor>;
  page: Page;
  live: Live;
  log: Log;
}

export function createApp(
  { guards, session, page, live, log }: ConsoleDoors,
  rooms: ConsoleRooms,
): Hono<Visitor> {
  const app = new Hono<Visitor>();
  const inTurn = oneAtATime();
  const metricsInTurn = oneAtATime();
  const newest = createNewest(rooms, inTurn);

  app.onError((error) => {
    if (error instanceof HTTPException) return error.getResponse();
    log.error("the console failed to answer", { why: maskCards(error.message) });
    return failed();
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

  app.get("/", (c) => c.html(page.in(languageOf(c.req.header("accept-language") ?? ""))));
  app.get("/page/:file", (c) => {
    const file = page.files.get(c.req.param("file"));
    if (file === undefined) return c.notFound();
    // Asked for again at each visit, and sent again only after an update of the program.
    const cached = { ETag: file.tag, "Cache-Control": "no-cache" };
    if (c.req.header("if-none-match") === file.tag) return c.body(null, 304, cached);
    return c.body(file.text, 200, { ...cached, "Content-Type": file.type });
  });
  app.get("/healthz", (c) => {
    const ailing = ailment(rooms.status());
    return ailing === null ? c.json({ status: "ok" }) : c.json({ status: "ailing", error: ailing }, 503);
  });
  app.get("/metrics", async (c) => {
    const { contentType, text } = await metricsInTurn(() => rooms.metrics());
    return c.body(text, 200, { "Content-Type": contentType });
  });
  app.get("/api/status", (c) => answer(c, rooms.status()));
  app.get("/api/taps", async (c) => {
    const limit = integerOf(c, "limit", TAPS_MAX) ?? TAPS_DEFAULT;
    const before = integerOf(c, "before", Number.MAX_SAFE_INTEGER);
    const query = queryOf(c);
    if (query === null && before === null) return answerText(c, await newest(limit, c.var.signedIn));
    const read = () => (query === null ? rooms.taps(limit, before) : rooms.search(query, limit, before));
    return answer(c, await inTurn(read));
  });
  app.post("/api/taps", ...TAKE_JSON, async (c) => {
    const { reader, credential } = await textsOf(c, ["reader", "credential"]);
    const why = rooms.present(reader, credential);
    if (why !== null) throw refusal(422, shown(c, why), "no-test-tap");
    return c.json({ taken: true }, 202);
  });
  app.get("/api/events", (c) => {
    const { outgoing } = c.env;
    const stream = live.open(c.var.isStillIn, () => outgoing.destroy());
    if (stream === null) throw refusal(503, "too many pages are open on this gateway", "busy");
    // However it ends, and also where nobody reads the body (HEAD).
    outgoing.once("close", stream.closed);
    return c.body(stream.body, 200, { "Content-Type": "text/event-stream" });
  });
  app.route("/api/session", session);
  app.route("/api/cards", cardRoutes(rooms, inTurn));
  app.route("/api", siteRoutes(rooms, inTurn));
  return app;
}

/** The newest taps, which every page asks for: read and written out once for all of them, until something is written down. */
function createNewest(
  rooms: ConsoleRooms,
  inTurn: InTurn,
): (limit: number, signedIn: boolean) => Promise<string> {
  let made = { name: "", text: "" };
  return async (limit, signedIn) => {
    const nameOf = () => `${limit} ${signedIn} ${rooms.status().journal.headSeq}`;
    if (made.name === nameOf()) return made.text;
    return inTurn(async () => {
      const name = nameOf();
      if (made.name !== name) made = { name, text: textOf(await rooms.taps(limit, null), signedIn) };
      return made.text;
    }, `newest ${limit} ${signedIn}`);
  };
}

function failed(): Response {
  const code: Refusal = "failed";
  return Response.json({ error: "the gateway failed to answer; its log says why", code }, { status: 500 });
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
    let own: string | null = null;
    await secure(c, async () => {
      await next();
      own = c.res.headers.get("Content-Security-Policy");
    });
    if (own !== null) c.res.headers.set("Content-Security-Policy", own);
    if (!c.res.headers.has("Cache-Control")) c.res.headers.set("Cache-Control", "no-store");
  };
}

/** What taps are searched by; null where nothing is asked for. */
function queryOf(c: Context<Visitor>): TapQuery | null {
  const { card, reason, accessPoint, reader, from, to } = c.req.query();
  const cardEnd = card?.replace(/[^0-9]/g, "") ?? null;
  if (cardEnd !== null && !/^\d{2,10}$/.test(cardEnd))
    throw refusal(400, "card is a card number's last digits", "digits");
  // Otherwise digits that are not shown could be tried out.
  if (cardEnd !== null && cardEnd.length > OPEN_DIGITS_MAX && !c.var.signedIn)
    throw refusal(
      403,
      `sign in to search by more than a card number's last ${OPEN_DIGITS_MAX} digits`,
      "digits",
    );
  if (reason !== undefined && !isReason(reason)) throw refusal(400, `reason is one of ${REASONS.join(", ")}`);
  const query = {
    cardEnd,
    reason: reason ?? null,
    accessPoint: accessPoint ?? null,
    reader: reader ?? null,
    fromMs: timeOf("from", from),
    toMs: timeOf("to", to),
  };
  return Object.values(query).every((wish) => wish === null) ? null : query;
}

function isReason(text: string): text is Reason {
  return Object.hasOwn(TEXTS, text);
}

function timeOf(name: string, text: string | undefined): number | null {
  if (text === undefined) return null;
  const ms = /^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) throw refusal(400, `${name} is a time like 2026-11-22T06:30:00Z`);
  return ms;
}
