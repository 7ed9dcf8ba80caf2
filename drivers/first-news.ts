import type { Clock } from "./ports.ts";

/**
 * News of a device, from `start` to `stop`. `start` resolves with the first of them, and whoever awaits it goes on before it
 * hears of anything.
 */
export class FirstNews<News> {
  readonly #clock: Clock;
  readonly #tell: (news: News) => void;
  #started: Promise<void> | null = null;
  #resolveStart: () => void = () => {};
  /** News from before `start` resolved; null from then on. */
  #early: News[] | null = [];
  #stopping = false;

  constructor(clock: Clock, tell: (news: News) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  get stopping(): boolean {
    return this.#stopping;
  }

  /** `join`: from then on there may be news; called once, and not after `stop`. */
  start(join: () => void): Promise<void> {
    if (this.#started === null) {
      this.#started = new Promise((resolve) => {
        this.#resolveStart = resolve;
      });
      if (this.#stopping) this.#resolveStart();
      else join();
    }
    return this.#started;
  }

  hear(news: News): void {
    if (this.#early === null) return this.#pass(news);
    this.#early.push(news);
    if (this.#early.length > 1) return;
    this.#resolveStart();
    this.#clock.after(0, () => {
      const early = this.#early ?? [];
      this.#early = null;
      for (const news of early) this.#pass(news);
    });
  }

  stop(): void {
    this.#stopping = true;
    this.#resolveStart();
  }

  #pass(news: News): void {
    if (!this.#stopping) this.#tell(news);
  }
}
