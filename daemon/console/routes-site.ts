/** What a person does at the console, and what the page has to know of the site for it. */
import { Hono } from "hono";
import { type SiteChange, type SiteEvent, WHY_CHARACTERS_MAX, type Who } from "../../sync/site-change.ts";
import type { HistoryView } from "../answers/history.ts";
import { TEXTS } from "../gate/reasons.ts";
import type { Opening } from "../gate/turnstile.ts";
import type { HandAnswer, HandEvent, HandRequest, RollCall } from "../presence/presence-desk.ts";
import type { ListStatus, Status } from "../report/status.ts";
import type { SiteAnswer, SiteRequest } from "../site/site-desk.ts";
import { isOneLine } from "../words.ts";
import { refusal, type Visitor } from "./access.ts";
import { type IdentifyRooms, identifyStream } from "./identify-stream.ts";
import {
  answer,
  answerInSlices,
  askForPerson,
  type InTurn,
  perMinute,
  TAKE_JSON,
  textsOf,
} from "./request.ts";

/** The newest; the whole list is shown by `grindvakt site list`. */
const CHANGES_MAX = 500;
/** More than people go through one gate; the journal must not be filled by a button that sticks. */
const OPENINGS_PER_MINUTE_MAX = 60;
/** A whole crew that came in through an open gate, and still no program that fills the journal. */
const WORDS_PER_MINUTE_MAX = 60;
/** As `grindvakt presence` has them. */
const WAYS = { enter: "entered", leave: "left" } as const satisfies Record<string, HandEvent>;
const DOINGS = {
  block: "site-blocked",
  unblock: "site-unblocked",
  allow: "site-allowed",
  disallow: "site-disallowed",
} as const satisfies Record<string, SiteEvent>;

/** What of the configuration the page shows. */
export interface SiteFacts {
  workplaceId: string | null;
  timeZone: string;
  /** Readers that take test taps. */
  virtualReaders: readonly string[];
  /** Only cards that the site has allowed are let in. */
  allowsOnly: boolean;
}

/** What the site itself says of cards: the newest of `count`. */
export interface SiteListShown {
  changes: Omit<SiteChange, "untilMs">[];
  count: number;
}

export interface SiteRooms extends IdentifyRooms {
  facts: SiteFacts;
  status(): Status;
  history(): Promise<HistoryView>;
  /** Asks the feed now; resolves when the answer is in force or refused. */
  refresh(): Promise<void>;
  /** A card number in canonical form, or null where the text is none. */
  numberOf(text: string): string | null;
  /** Written down before anything moves. Null: the access point has no relay. */
  open(accessPoint: string, claims: { who: Who; why: string | null }): Promise<Opening | null>;
  /** Who is on the site. */
  rollCall(): Promise<RollCall>;
  /** Says by hand that a card came or went. */
  sayPresence(request: HandRequest): Promise<HandAnswer>;
  siteList(): SiteChange[];
  changeSiteList(request: SiteRequest): Promise<SiteAnswer>;
}

export function siteRoutes(rooms: SiteRooms, inTurn: InTurn): Hono<Visitor> {
  const app = new Hono<Visitor>();
  const admitWord = perMinute(WORDS_PER_MINUTE_MAX, () => rooms.clock.monotonicMs());
  const admitOpening = perMinute(OPENINGS_PER_MINUTE_MAX, () => rooms.clock.monotonicMs());
  app.get("/site", (c) => c.json({ ...rooms.facts, texts: TEXTS }));
  app.get("/history", async (c) => c.json(await inTurn(() => rooms.history(), "history")));
  app.post("/refresh", ...TAKE_JSON, async (c) => {
    await textsOf(c, []);
    await rooms.refresh();
    const list: ListStatus = rooms.status().list;
    return c.json({ list });
  });
  app.get("/site-blocks", (c) => {
    askForPerson(c);
    const all = rooms.siteList().sort((a, b) => (a.at < b.at ? 1 : -1));
    const shown: SiteListShown = { changes: all.slice(0, CHANGES_MAX).map(shownOf), count: all.length };
    return answer(c, shown);
  });
  app.post("/site-blocks", ...TAKE_JSON, async (c) => {
    askForPerson(c);
    const { card, do: what, until, why } = await textsOf(c, ["card", "do"], ["until", "why"]);
    if (!isDoing(what)) throw refusal(400, `do is one of ${Object.keys(DOINGS).join(", ")}`);
    const number = rooms.numberOf(card);
    if (number === null) throw refusal(422, "this is no card number like BB-1234-567890", "no-number");
    const outcome = await rooms.changeSiteList({
      event: DOINGS[what],
      card: number,
      until: until ?? null,
      why: why ?? null,
      who: { by: "console", name: c.var.name ?? "" },
    });
    if (outcome.kind === "refused") {
      const mayComeThrough = outcome.code === "busy" || outcome.code === "not-kept";
      throw refusal(mayComeThrough ? 503 : 422, outcome.why, outcome.code);
    }
    return answer(c, { change: shownOf(outcome.change) });
  });
  app.post("/openings", ...TAKE_JSON, async (c) => {
    askForPerson(c);
    const { accessPoint, why = "" } = await textsOf(c, ["accessPoint"], ["why"]);
    if (!isOneLine(why, WHY_CHARACTERS_MAX))
      throw refusal(422, `the reason must be one line of at most ${WHY_CHARACTERS_MAX} characters`, "reason");
    if (!admitOpening()) throw refusal(429, "too many openings; wait a minute", "too-often");
    const claims = { who: { by: "console", name: c.var.name ?? "" }, why: why === "" ? null : why } as const;
    const opening = await rooms.open(accessPoint, claims);
    if (opening === null)
      throw refusal(422, `there is no access point ${accessPoint} with a relay`, "no-relay");
    if (opening === "withheld")
      throw refusal(
        503,
        "the journal could not be written, and what is not written down is not done",
        "not-written",
      );
    return c.json({ pulse: opening }, 202);
  });
  app.get("/presence", async (c) => {
    askForPerson(c);
    const { people, ...facts } = await inTurn(() => rooms.rollCall(), "presence");
    return answerInSlices(c, rooms.clock, facts, "people", people);
  });
  app.post("/presence", ...TAKE_JSON, async (c) => {
    askForPerson(c);
    const {
      card,
      do: what,
      why,
      accessPoint,
      when,
    } = await textsOf(c, ["card", "do", "why"], ["accessPoint", "when"]);
    if (!isWay(what)) throw refusal(400, `do is one of ${Object.keys(WAYS).join(", ")}`);
    const number = rooms.numberOf(card);
    if (number === null) throw refusal(422, "this is no card number like BB-1234-567890", "no-number");
    if (!admitWord()) throw refusal(429, "too much is said by hand; wait a minute", "too-often");
    const outcome = await rooms.sayPresence({
      event: WAYS[what],
      card: number,
      accessPoint: accessPoint ?? null,
      when: when ?? null,
      why,
      who: { by: "console", name: c.var.name ?? "" },
    });
    if (outcome.kind === "refused") throw refusal(outcome.isUsage ? 422 : 503, outcome.why, outcome.code);
    return answer(c, { word: outcome.word });
  });
  app.get("/identify/:reader", (c) => {
    askForPerson(c);
    return identifyStream(c, rooms, c.req.param("reader"));
  });
  return app;
}

function isDoing(text: string): text is keyof typeof DOINGS {
  return Object.hasOwn(DOINGS, text);
}

function isWay(text: string): text is keyof typeof WAYS {
  return Object.hasOwn(WAYS, text);
}

/** `untilMs` follows from `until`. */
function shownOf({ untilMs: _, ...change }: SiteChange): Omit<SiteChange, "untilMs"> {
  return change;
}
