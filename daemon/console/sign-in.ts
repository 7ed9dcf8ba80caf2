/**
 * Signing in: a session cookie for people, HTTP Basic for programs. `required` (off loopback): nothing passes without one of them.
 * Else the password is asked of nobody, and somebody who gives it is signed in.
 */
import { type Context, Hono, type MiddlewareHandler } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { auth } from "hono/utils/basic-auth";
import type { Log } from "../../drivers/ports.ts";
import { WHO_CHARACTERS_MAX } from "../../sync/site-change.ts";
import { isOneLine } from "../words.ts";
import { refusal, type Visitor } from "./access.ts";
import type { SignInPage } from "./page.ts";
import type { Password } from "./password.ts";
import { TAKE_JSON, textsOf } from "./request.ts";
import { SESSION_SECONDS, type Sessions } from "./sessions.ts";

const SESSION_PATH = "/api/session";

export interface Door {
  /** Null: nobody can sign in. */
  password: Password | null;
  required: boolean;
  /** The cookie goes over TLS only. */
  secure: boolean;
  /** Cookies of one host are shared by all its ports: each console has its own. */
  cookie: () => string;
  sessions: Sessions;
  page: SignInPage;
  log: Log;
}

export function guardPerson(door: Door): MiddlewareHandler<Visitor> {
  return async (c, next) => {
    enter(c, null, () => false);
    const token = getCookie(c, door.cookie()) ?? "";
    const session = door.sessions.find(token);
    if (session !== null) {
      // A browser says where a request that changes something comes from; whether that is here, is checked before.
      if (!isReading(c) && c.req.header("origin") === undefined)
        throw refusal(403, "a request with a session must say its origin");
      enter(c, session.name, () => door.sessions.find(token) !== null);
      return next();
    }
    const given = auth(c.req.raw);
    if (door.password !== null && (given !== undefined || c.req.header("authorization") !== undefined)) {
      if (given === undefined || !(await isRight(door.password, given.password, c)))
        return turnAway(c, door.page);
      askForName(given.username);
      enter(c, given.username, () => true);
      return next();
    }
    const isSigningIn = c.req.path === SESSION_PATH && c.req.method === "POST";
    if (door.required && !isSigningIn) return turnAway(c, door.page);
    return next();
  };
}

/** The routes by which one comes and goes. */
export function sessionRoutes(door: Door): Hono<Visitor> {
  const app = new Hono<Visitor>();
  const whoIs = (c: Context<Visitor>) =>
    c.json({ signedIn: c.var.signedIn, name: c.var.name, canSignIn: door.password !== null });
  app.get("/", whoIs);
  app.post("/", ...TAKE_JSON, async (c) => {
    const { password, name } = await textsOf(c, ["password", "name"]);
    if (door.password === null)
      throw refusal(422, "this console has no password: nobody can sign in", "no-password");
    if (!(await isRight(door.password, password, c)))
      throw refusal(403, "this is not the password", "password");
    askForName(name);
    const token = door.sessions.open(name);
    door.log.info("signed in at the console", { name, address: addressOf(c) });
    setCookie(c, door.cookie(), token, {
      httpOnly: true,
      sameSite: "Strict",
      secure: door.secure,
      path: "/",
      maxAge: SESSION_SECONDS,
    });
    return c.json({ signedIn: true, name, canSignIn: true });
  });
  app.delete("/", (c) => {
    door.sessions.close(getCookie(c, door.cookie()) ?? "");
    deleteCookie(c, door.cookie(), { path: "/", secure: door.secure });
    return c.json({ signedIn: false, name: null, canSignIn: door.password !== null });
  });
  return app;
}

export function addressOf(c: Context<Visitor>): string {
  return c.env.incoming.socket.remoteAddress ?? "gone";
}

/** It is written down with all they do. */
function askForName(name: string): void {
  if (!isOneLine(name, WHO_CHARACTERS_MAX))
    throw refusal(422, `your name must be one line of at most ${WHO_CHARACTERS_MAX} characters`, "name");
}

function enter(c: Context<Visitor>, name: string | null, isStillIn: () => boolean): void {
  c.set("signedIn", name !== null);
  c.set("name", name);
  c.set("isStillIn", isStillIn);
}

async function isRight(password: Password, given: string, c: Context<Visitor>): Promise<boolean> {
  const verdict = await password.check(given, addressOf(c));
  switch (verdict) {
    case "right":
      return true;
    case "wrong":
      return false;
    case "spent":
      throw refusal(429, "too many wrong passwords; wait a minute", "passwords-spent");
    case "busy":
      throw refusal(503, "too many are signing in; try again in a second", "busy");
  }
}

function isReading({ req }: Context<Visitor>): boolean {
  return req.method === "GET" || req.method === "HEAD";
}

/**
 * A person is shown where to sign in, and nothing else. Our own page asks for JSON or events, and must not make the browser ask for
 * a password by itself: the scheme it is told is one that no browser knows.
 */
function turnAway(c: Context<Visitor>, page: SignInPage): Response {
  const accept = c.req.header("accept") ?? "*/*";
  if (isReading(c) && accept.includes("text/html"))
    return c.html(page.html, 401, {
      "Content-Security-Policy": page.policy,
      "WWW-Authenticate": 'Session realm="Grindvakt"',
    });
  const scheme = accept === "*/*" ? "Basic" : "Session";
  return c.json({ error: "the console's password is required" }, 401, {
    "WWW-Authenticate": `${scheme} realm="Grindvakt"`,
  });
}
