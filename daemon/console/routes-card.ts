/** What the console tells of one card. */
import { type Context, Hono } from "hono";
import type { Clock } from "../../drivers/ports.ts";
import type { CardStory } from "../answers/card-story.ts";
import type { LookupAnswer } from "../answers/lookup.ts";
import type { TapPage } from "../answers/recent-taps.ts";
import { maskCards } from "../mask.ts";
import { refusal, type Visitor } from "./access.ts";
import { answer, type InTurn, perMinute } from "./request.ts";
import { addressOf } from "./sign-in.ts";

const CARD_CHARACTERS_MAX = 128;
/** A tap's card, named by the tap: so somebody who is not shown the number can ask for it all the same. */
const BY_TAP = /^tap:(\d{1,15})$/;
/** Looked up by people who have signed in; more is a program's work, and would fill the journal with nothing else. */
const LOOKUPS_PER_MINUTE_MAX = 60;
/** Numbers typed by people nobody knows, all together. The four digits that they are not shown would take hours to try out. */
const GUESSES_PER_MINUTE_MAX = 30;

export interface CardRooms {
  clock: Clock;
  /** `card`: a card number or a token, as a person typed it. */
  lookup(card: string): LookupAnswer;
  story(card: string): Promise<CardStory>;
  taps(limit: number, before: number | null): Promise<TapPage>;
  /** Journals something that was done to the gateway. */
  note(event: string, data: Record<string, unknown>): Promise<unknown>;
}

export function cardRoutes(rooms: CardRooms, inTurn: InTurn): Hono<Visitor> {
  const app = new Hono<Visitor>();
  const admit = perMinute(LOOKUPS_PER_MINUTE_MAX, () => rooms.clock.monotonicMs());
  const admitGuess = perMinute(GUESSES_PER_MINUTE_MAX, () => rooms.clock.monotonicMs());

  /** What was asked for, as the card list knows it; `typed`: the visitor's own words for it. */
  const asked = async (c: Context<Visitor>): Promise<{ card: string; typed: string | null }> => {
    const typed = c.req.param("card") ?? "";
    if (typed.length > CARD_CHARACTERS_MAX)
      throw refusal(400, "this is too long for a card number", "no-number");
    const seq = Number(BY_TAP.exec(typed)?.[1] ?? 0);
    if (seq === 0 && !c.var.signedIn && !admitGuess())
      throw refusal(429, "too many look-ups; wait a minute, or sign in", "too-often");
    if (seq === 0) return { card: typed, typed };
    const [tap] = (await inTurn(() => rooms.taps(1, seq + 1))).taps;
    if (tap?.data.seq !== seq || typeof tap.data.card !== "string")
      throw refusal(404, "there is no such tap, or no card number was read", "no-tap");
    return { card: tap.data.card, typed: null };
  };

  app.get("/:card", async (c) => {
    const { card, typed } = await asked(c);
    const found = rooms.lookup(card);
    if (c.var.signedIn) {
      if (!admit()) throw refusal(429, "too many look-ups; wait a minute", "too-often");
      const who = { by: "console", name: c.var.name, address: addressOf(c) };
      await rooms.note("card-looked-up", { card: found.card, who });
      return c.json(found);
    }
    return c.json(onlyAsked(found, typed));
  });
  app.get("/:card/story", async (c) => {
    const { card } = await asked(c);
    const { card: number } = rooms.lookup(card);
    if (number === null) throw refusal(404, "this leads to no card number", "leads-nowhere");
    return answer(c, await inTurn(() => rooms.story(number)));
  });
  return app;
}

/**
 * What the site wrote of a card is for who has signed in. A token or a tap that leads to a card does not tell its number to
 * somebody nobody knows; a number one typed is known already.
 */
function onlyAsked(found: LookupAnswer, typed: string | null): LookupAnswer {
  const { site: _, ...rest } = found;
  const { card } = rest;
  const isAsked = card !== null && typed !== null && bare(typed) === bare(card);
  return card === null || isAsked ? rest : { ...rest, card: maskCards(card) };
}

function bare(text: string): string {
  return text.replace(/[^A-Za-z0-9]/g, "").toUpperCase();
}
