/** What each command does, over the rooms of the house. What is not on the disk is not done. */
import type { Observer, Sight } from "../../drivers/driver.ts";
import type { Clock } from "../../drivers/ports.ts";
import { type Candidate, Identifier } from "../answers/identify.ts";
import type { LookupDesk } from "../answers/lookup.ts";
import type { Command } from "../broker/command.ts";
import type { Resent } from "../broker/resend.ts";
import type { Turnstile } from "../gate/turnstile.ts";
import type { ListStatus } from "../report/status.ts";
import type { SiteAnswer, SiteRequest } from "../site/site-desk.ts";
import type { Deed, Outcome } from "./command-desk.ts";

export interface DeedRooms {
  clock: Clock;
  /** Of an access point that has a relay, or null. */
  turnstileOf(accessPoint: string): Turnstile | null;
  refresh(): Promise<void>;
  list(): ListStatus;
  changeSiteList(request: SiteRequest): Promise<SiteAnswer>;
  resend(fromSeq: number, toSeq: number): Promise<Resent>;
  hasReader(reader: string): boolean;
  /** Throws, in words, what it cannot. */
  watch(reader: string, observer: Observer): () => void;
  desk: LookupDesk;
  candidatesOf(sight: Sight): readonly Candidate[];
  hashToken(uid: string): string;
}

type Of<Name extends Command["name"]> = Extract<Command, { name: Name }>;

const NOT_WRITTEN: Outcome = {
  kind: "refused",
  reason: "not-written",
  why: "the journal could not be written, and what is not written down is not done",
};

export class CommandDeeds {
  readonly #rooms: DeedRooms;
  /** Ends the `identify` under way: one at a time, so that technicians at the gate are not kept from watching. */
  #endIdentify: ((why: string) => void) | null = null;

  constructor(rooms: DeedRooms) {
    this.#rooms = rooms;
  }

  of(command: Command): Deed {
    switch (command.name) {
      case "open":
        return this.#open(command);
      case "refresh":
        return once(() => this.#refresh());
      case "identify":
        return this.#identify(command);
      case "site-block":
      case "site-unblock":
        return once(() => this.#changeSiteList(command));
      case "resend":
        return once(() => this.#resend(command));
    }
  }

  /** What only waits is ended. */
  stop(): void {
    this.#endIdentify?.("the gateway stops");
  }

  #open({ id, asked }: Of<"open">): Deed {
    const { accessPoint } = asked;
    const turnstile = this.#rooms.turnstileOf(accessPoint);
    return {
      fault:
        turnstile === null ? `there is no access point ${accessPoint} with a relay` : downFault(turnstile),
      carryOut: async (writeDown) => {
        const pulse = (await turnstile?.commanded(id, writeDown)) ?? "withheld";
        return pulse === "withheld" ? NOT_WRITTEN : { kind: "done", facts: { pulse } };
      },
    };
  }

  async #refresh(): Promise<Outcome> {
    await this.#rooms.refresh();
    const { revision, refreshedAt, freshness } = this.#rooms.list();
    return { kind: "done", facts: { list: { revision, refreshedAt, freshness } } };
  }

  async #changeSiteList({ name, who, why, asked }: Of<"site-block" | "site-unblock">): Promise<Outcome> {
    const answer = await this.#rooms.changeSiteList({
      event: name === "site-block" ? "site-blocked" : "site-unblocked",
      card: asked.card,
      until: "until" in asked ? (asked.until ?? null) : null,
      why,
      who: { by: "mqtt", name: who ?? "" },
    });
    return answer.kind === "done"
      ? { kind: "done", facts: { card: answer.change.card, until: answer.change.until } }
      : { kind: "refused", reason: "failed", why: answer.why };
  }

  async #resend({ asked }: Of<"resend">): Promise<Outcome> {
    const { sent, why } = await this.#rooms.resend(asked.from, asked.to);
    if (why === null) return { kind: "done", facts: { ...asked, sent } };
    return { kind: "refused", reason: "failed", why: `${sent} events were sent, then: ${why}` };
  }

  #identify({ asked }: Of<"identify">): Deed {
    const fault = this.#rooms.hasReader(asked.reader) ? null : `there is no reader ${asked.reader}`;
    return once(() => this.#awaitTap(asked), fault);
  }

  /** The next tap, every way to read it, in hashes: a token never leaves the gateway in clear. */
  async #awaitTap({ reader, seconds }: Of<"identify">["asked"]): Promise<Outcome> {
    if (this.#endIdentify !== null) throw new Error("another identify is under way");
    const { clock, hashToken } = this.#rooms;
    const identifier = new Identifier({ ...this.#rooms, nameToken: (uid) => `hash:${hashToken(uid)}` });
    return new Promise((resolve) => {
      const end = (outcome: Outcome): void => {
        this.#endIdentify = null;
        timer.cancel();
        identifier.stop();
        unwatch();
        resolve(outcome);
      };
      const fail = (why: string): void => end({ kind: "refused", reason: "failed", why });
      // The sight itself may hold the token.
      const unwatch = this.#rooms.watch(reader, (sight, stamp) =>
        identifier.take(sight, stamp, ({ ways }) => end({ kind: "done", facts: { reader, ways } })),
      );
      const timer = clock.after(seconds * 1_000, () => fail(`nobody tapped within ${seconds} s`));
      this.#endIdentify = fail;
    });
  }
}

/** Nobody is told that a gate opens whose relay is known not to move. */
function downFault({ relayState }: Turnstile): string | null {
  return relayState?.state === "down" ? `its relay is down: ${relayState.why}` : null;
}

/** A deed that begins when it is written down. */
function once(carryOut: () => Promise<Outcome>, fault: string | null = null): Deed {
  return {
    fault,
    carryOut: async (writeDown) => {
      const settlement = await writeDown();
      return settlement.kind === "synced" ? carryOut() : NOT_WRITTEN;
    },
  };
}
