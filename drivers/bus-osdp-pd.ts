/** One PD as the bus keeps it: its machine's state, who listens to it, and who waits for its answers. */
import { isDue, isUrgent, step } from "./bus-osdp-machine.ts";
import { ExchangeSight } from "./bus-osdp-sight.ts";
import { NEW_PD, type PdEffect, type PdEvent, type PdSettings, type PdState } from "./bus-osdp-state.ts";
import type { Command, Reply } from "./codec/osdp-messages.ts";
import type { Observer, Stamp } from "./driver.ts";
import type { Clock } from "./ports.ts";
import { stampOf } from "./stamp.ts";

/** What those who use a PD hear of it. */
export type PdNews = Exclude<PdEffect, { kind: "send" | "settled" }>;

/** `stamp`: when the first byte of what told it came. */
export type HearPd = (news: PdNews, stamp: Stamp) => void;

interface Waiter {
  resolve(reply: Reply | null): void;
  reject(error: Error): void;
}

export class Pd {
  settings: PdSettings;
  state: PdState = NEW_PD;
  /** When it last had its turn. */
  turnMs = Number.NEGATIVE_INFINITY;
  /** Whether it has gone before its turn in this round. */
  hasJumped = false;
  readonly listeners = new Set<HearPd>();
  observer: Observer | null = null;
  /** Of the exchange under way, where somebody looks on. */
  sight: ExchangeSight | null = null;
  readonly #clock: Clock;
  readonly #waiters = new Map<number, Waiter>();
  #requests = 0;

  constructor(settings: PdSettings, clock: Clock) {
    this.settings = settings;
    this.#clock = clock;
  }

  get isDue(): boolean {
    return isDue(this.state, this.#clock.monotonicMs());
  }

  get isUrgent(): boolean {
    return !this.hasJumped && isUrgent(this.state);
  }

  /** Its reader comes, and is told what it has missed; or it goes. */
  seat(takesCards: boolean, hear: HearPd): void {
    this.settings = { ...this.settings, takesCards };
    if (!takesCards) return;
    const { standing, model, why, tamper, powerFailed } = this.state;
    if (standing === "up") hear({ kind: "up", model }, stampOf(this.#clock));
    if (standing === "down")
      hear({ kind: "down", why: why ?? "it has not been reached yet" }, stampOf(this.#clock));
    if (tamper) hear({ kind: "tamper", active: true }, stampOf(this.#clock));
    if (powerFailed) hear({ kind: "power", failed: true }, stampOf(this.#clock));
  }

  /** Moves the machine on, tells whoever listens, and gives the bytes to send, if any. */
  apply(event: PdEvent, stamp: Stamp | null = null): Uint8Array | null {
    const before = this.state;
    const { pending } = before;
    const { state, effects } = step(this.settings, before, event, this.#clock.monotonicMs());
    this.state = state;
    // A poll that brings nothing comes every few milliseconds.
    const isQuiet = pending?.command.name === "poll" && effects.length === 0 && state.phase === "online";
    const isAnswer = event.kind === "silence" || (event.kind === "reply" && state !== before && !isQuiet);
    if (isAnswer) this.#show();
    let bytes: Uint8Array | null = null;
    for (const effect of effects) {
      if (effect.kind === "send") bytes = this.#begin(effect.bytes);
      else if (effect.kind === "settled") this.#settle(effect.requestId, effect.why, effect.reply);
      else for (const hear of [...this.listeners]) hear(effect, stamp ?? stampOf(this.#clock));
    }
    return bytes;
  }

  /** Resolves with the PD's answer; rejects, within `withinMs`, with words why it has not taken the command. */
  async request(command: Command, withinMs: number): Promise<Reply | null> {
    this.#requests += 1;
    const id = this.#requests;
    const answered = new Promise<Reply | null>((resolve, reject) => {
      this.#waiters.set(id, { resolve, reject });
    });
    const bound = this.#clock.after(withinMs, () => this.apply({ kind: "withdraw", requestId: id }));
    this.apply({ kind: "request", request: { id, command } });
    try {
      return await answered;
    } finally {
      bound.cancel();
    }
  }

  /** Before what the exchange has brought is told. */
  #show(): void {
    const { sight } = this;
    this.sight = null;
    sight?.tell();
  }

  /** A key that is handed over is shown to nobody. */
  #begin(bytes: Uint8Array): Uint8Array {
    const isShown = this.state.pending?.command.name !== "keySet";
    this.sight =
      this.observer && isShown ? new ExchangeSight(this.observer, bytes, stampOf(this.#clock)) : null;
    return bytes;
  }

  /** Nobody uses it any more. */
  leave(why: string): void {
    this.listeners.clear();
    for (const id of [...this.#waiters.keys()]) this.#settle(id, why, null);
  }

  #settle(requestId: number, why: string | null, reply: Reply | null): void {
    const waiter = this.#waiters.get(requestId);
    this.#waiters.delete(requestId);
    if (why === null) waiter?.resolve(reply);
    else waiter?.reject(new Error(why));
  }
}
