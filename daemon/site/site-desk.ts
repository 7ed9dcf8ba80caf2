/**
 * Where the site's own list is asked, by taps and lookups, and changed, by commands. A change is judged, made durable,
 * in force, then journaled; a list that was damaged is mended from what is left of it.
 */
import type { Clock, Files, Log } from "../../drivers/ports.ts";
import type { Found } from "../../sync/durable-file.ts";
import {
  isChange,
  ruleOf,
  type SiteChange,
  type SiteEvent,
  type SiteRule,
  WHO_CHARACTERS_MAX,
  WHY_CHARACTERS_MAX,
  type Who,
} from "../../sync/site-change.ts";
import { SiteList, type SiteRefusal } from "../../sync/site-list.ts";
import type { Settlement } from "../journal/journal.ts";
import type { Line } from "../journal/record.ts";
import { maskCards } from "../mask.ts";
import { isOneLine, wordsOf } from "../words.ts";
import type { SiteTime } from "./site-time.ts";
import { readUntil } from "./site-until.ts";

/** Lines handed to the journal at once: a fraction of what it holds for taps. */
const JOURNALED_AT_ONCE_MAX = 200;

/** The site's own blocks and permissions, as they are at this moment. */
export interface SiteRules {
  isBlocked(card: string): boolean;
  isAllowed(card: string): boolean;
}

/** What stands on the list under one rule, for a person to read. */
export type SiteWord = Pick<SiteChange, "until" | "why" | "who" | "at" | "atTrusted">;
export type SiteStanding = Record<SiteRule, SiteWord | null>;

export interface SiteRequest {
  event: SiteEvent;
  /** Canonical. */
  card: string;
  until: string | null;
  why: string | null;
  who: Who;
}

/** What a command asks over the control socket, where `name` is who gave it; throws words for anything else. */
export function siteRequestOf(params: Readonly<Record<string, unknown>>): SiteRequest {
  const { event, card, until, why, name } = params;
  const who = { by: "command", name };
  const change: unknown = { event, card, until, untilMs: null, why, who, at: "", atTrusted: false };
  if (!isChange(change)) throw new Error("this is no change of the site list");
  return change;
}

export type SiteFault = "until" | "until-passed" | "reason" | "name" | SiteRefusal["code"];

/** `isUsage`: it was asked for wrongly. Nothing has changed then. */
export type SiteAnswer =
  | { kind: "done"; change: SiteChange }
  | { kind: "refused"; code: SiteFault; why: string; isUsage: boolean };

export interface SiteStatus {
  blocked: number;
  allowed: number;
  /** How the list was damaged when this run began, and what was done about it; null: it was not. */
  fault: string | null;
}

/** Writes down what the list did. `data` has neither the sequence nor the clock yet. */
export type JournalSiteChange = (data: Readonly<Record<string, unknown>>) => Promise<Settlement>;

export class SiteDesk implements SiteRules {
  readonly #list: SiteList;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #siteTime: SiteTime;
  /** The latest time that was ever trusted: what an end is judged by while the clock is not trusted. */
  #floorMs = 0;
  #fault: string | null = null;
  #append: JournalSiteChange | null = null;
  #toJournal: SiteChange[] = [];
  #journaling: Promise<void> | null = null;

  constructor(
    settings: { path: string; siteTime: SiteTime },
    world: { clock: Clock; files: Files; log: Log },
  ) {
    this.#clock = world.clock;
    this.#log = world.log;
    this.#siteTime = settings.siteTime;
    this.#list = new SiteList(settings.path, world.files, world.log, () => this.judgedMs());
  }

  /** Reads the list; never rejects. After `lost` nothing is on it, until it is restored. */
  async open(floorMs: number): Promise<Found> {
    this.#floorMs = floorMs;
    const found = await this.#list.load();
    if (found === "copy") this.#fault = COPY_USED;
    if (found === "lost") this.#fault = LOST;
    return found;
  }

  /** After `lost`: makes the list anew from the journal's lines. Never rejects; what is missing is a fault. */
  async restore(lines: AsyncIterable<Line>): Promise<void> {
    try {
      await this.#list.restore(changesIn(lines, this.#siteTime));
      this.#fault = RESTORED;
    } catch (error) {
      const why = wordsOf(error);
      this.#log.error("the site list could not be restored whole", { why });
      this.#fault = `${LOST}, and the list could not be restored whole from the journal: ${why}`;
    }
  }

  /** From now on changes are journaled, those first that no journal has yet. */
  startJournaling(append: JournalSiteChange): void {
    this.#append = append;
    this.#journalToo(this.#list.unjournaled);
  }

  isBlocked(card: string): boolean {
    return this.#list.find("blocked", card) !== null;
  }

  isAllowed(card: string): boolean {
    return this.#list.find("allowed", card) !== null;
  }

  standing(card: string): SiteStanding {
    return {
      blocked: wordOf(this.#list.find("blocked", card)),
      allowed: wordOf(this.#list.find("allowed", card)),
    };
  }

  all(): SiteChange[] {
    return [...this.#list.all()];
  }

  get status(): SiteStatus {
    return { blocked: this.#list.count("blocked"), allowed: this.#list.count("allowed"), fault: this.#fault };
  }

  /** Resolves once it is durable and in force, or refused. */
  async change(request: SiteRequest): Promise<SiteAnswer> {
    const judged = this.#judge(request);
    if (judged.kind === "refused") return judged;
    const { change } = judged;
    const outcome = await this.#list.change(change);
    if (outcome.kind === "refused") return { ...outcome, isUsage: false };
    const { event, card, who } = change;
    this.#log.info("site list changed", { event, card: maskCards(card), by: who.by });
    if (this.#append !== null) this.#journalToo([change]);
    return judged;
  }

  /** Resolves when nothing is being written any more. */
  async stop(): Promise<void> {
    while (this.#journaling !== null) await this.#journaling;
    await this.#list.settled();
  }

  /** A wall time that has come for certain: the clock's, or the floor. */
  judgedMs(): number {
    return this.#clock.trusted() ? this.#clock.wallMs() : this.#floorMs;
  }

  // ---------------------------------------------------------------- inside

  #judge({ event, card, until, why, who }: SiteRequest): SiteAnswer {
    const refuse = (code: SiteFault, words: string): SiteAnswer => {
      return { kind: "refused", code, why: words, isUsage: true };
    };
    const end = until === null ? null : readUntil(until, this.#siteTime);
    if (until !== null && end === null) return refuse("until", UNTIL_WORDS);
    if (end !== null && !ruleOf(event).isOn)
      return refuse("until", "only a block or an allowance has an end");
    if (end !== null && end.untilMs <= this.judgedMs())
      return refuse("until-passed", `${until} has passed already`);
    const text = why?.trim() ?? "";
    if (!isOneLine(text, WHY_CHARACTERS_MAX))
      return refuse("reason", `the reason must be one line of at most ${WHY_CHARACTERS_MAX} characters`);
    if (!isOneLine(who.name, WHO_CHARACTERS_MAX))
      return refuse(
        "name",
        `the name of who asks must be one line of at most ${WHO_CHARACTERS_MAX} characters`,
      );
    const change: SiteChange = {
      event,
      card,
      until: end?.until ?? null,
      untilMs: end?.untilMs ?? null,
      why: text === "" ? null : text,
      who,
      at: new Date(this.#clock.wallMs()).toISOString(),
      atTrusted: this.#clock.trusted(),
    };
    return { kind: "done", change };
  }

  #journalToo(changes: readonly SiteChange[]): void {
    this.#toJournal.push(...changes);
    if (this.#toJournal.length > 0) this.#journaling ??= this.#journal();
  }

  async #journal(): Promise<void> {
    const append = this.#append;
    while (append !== null && this.#toJournal.length > 0) {
      const changes = this.#toJournal.splice(0, JOURNALED_AT_ONCE_MAX);
      const settlements = await Promise.all(changes.map((change) => append(dataOf(change))));
      // One that the journal could not take yet may still come into it; it stays in the file, too, for the next start.
      this.#list.journaled(changes.filter((_, index) => settlements[index]?.kind === "synced"));
    }
    this.#journaling = null;
  }
}

const UNTIL_WORDS =
  "the end must be a day like 2026-12-24, or a time with its offset like 2026-12-24T18:00:00+01:00";
const COPY_USED = "the site list was damaged; its copy is used, which may lack the last change";
const LOST = "the site list and its copy were damaged";
const RESTORED = `${LOST}; the list was restored from the journal, as far back as that goes`;

function wordOf(change: SiteChange | null): SiteWord | null {
  if (change === null) return null;
  const { until, why, who, at, atTrusted } = change;
  return { until, why, who, at, atTrusted };
}

/** What its event says; `untilMs` follows from `until`. */
function dataOf({ untilMs: _, ...data }: SiteChange): Record<string, unknown> {
  return data;
}

async function* changesIn(lines: AsyncIterable<Line>, siteTime: SiteTime): AsyncGenerator<SiteChange> {
  for await (const { type, data } of lines) {
    if (type !== "grindvakt.list.v1") continue;
    const { until } = data;
    const untilMs = typeof until === "string" ? (readUntil(until, siteTime)?.untilMs ?? null) : null;
    const { event, card, why, who, at, atTrusted } = data;
    const change: unknown = { event, card, until, untilMs, why, who, at, atTrusted };
    if (isChange(change)) yield change;
  }
}
