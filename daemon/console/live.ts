/**
 * What the console's pages see as it happens, as server-sent events: `status` at once, when it has changed and at every beat,
 * `tap` for each decided tap, `missed` where taps were too many to show. A page that was cut off asks `/api/taps` for the rest.
 */
import type { Clock, Timer } from "../../drivers/ports.ts";
import type { TapView } from "../gate/gateway.ts";
import { type Reason, TEXTS } from "../gate/reasons.ts";
import { maskCards } from "../mask.ts";
import type { Status } from "../report/status.ts";

/** Pages that are open at once on one gateway. */
const CLIENTS_MAX = 32;
/** A page that has not taken this much is cut off, and comes back when it can. */
const CLIENT_BYTES_MAX = 256 * 1024;
/** Often enough for eyes and for middle boxes that close silent connections. */
const BEAT_MS = 10_000;
/** A reader that went down is seen within this; more often, a busy gate would send little else. */
const LOOK_MS = 1_000;
/** Taps are handed on together, away from the tap's own way to the relay. */
const FLUSH_MS = 50;
/** More taps than this within one flush are counted, not shown. */
const PENDING_TAPS_MAX = 256;
/** How soon a browser comes back after the gateway's restart. */
const RETRY_MS = 2_000;

/** A tap as `tap` carries it. */
export interface LiveTap {
  accessPoint: string;
  reader: string;
  /** RFC 3339, UTC. */
  time: string;
  card: string | null;
  granted: boolean;
  reason: Reason;
  texts: { sv: string; en: string };
}

export interface Live {
  /**
   * A stream for one page, until `closed` is called; null when too many are open. `seesWhole`: whether card numbers are whole,
   * asked each time. `hangUp` cuts the page's connection.
   */
  open(
    seesWhole: () => boolean,
    hangUp: () => void,
  ): { body: ReadableStream<Uint8Array>; closed(): void } | null;
  /** Returns at once. */
  tapped(tap: TapView): void;
}

interface Client {
  seesWhole(): boolean;
  hangUp(): void;
  controller: ReadableStreamDefaultController<Uint8Array>;
}

export function createLive(clock: Clock, status: () => Status): Live {
  const clients = new Set<Client>();
  let pending: TapView[] = [];
  let missed = 0;
  let flushing: Timer | null = null;
  let looking: Timer | null = null;
  let told = "";
  let looks = 0;

  const forget = (client: Client): void => {
    if (clients.delete(client) && clients.size === 0) rest();
  };
  const rest = (): void => {
    flushing?.cancel();
    looking?.cancel();
    flushing = null;
    looking = null;
    pending = [];
    missed = 0;
  };
  const send = (text: string): void => {
    const whole = Buffer.from(text);
    const masked = Buffer.from(maskCards(text));
    for (const client of [...clients]) {
      if ((client.controller.desiredSize ?? 0) <= 0) client.hangUp();
      else client.controller.enqueue(client.seesWhole() ? whole : masked);
    }
  };
  const look = (): void => {
    looking = clock.after(LOOK_MS, look);
    looks += 1;
    const now = message("status", status());
    if (now === told && looks * LOOK_MS < BEAT_MS) return;
    told = now;
    looks = 0;
    send(now);
  };
  const flush = (): void => {
    flushing = null;
    const taps = pending.map((tap) => message("tap", liveTap(tap)));
    if (missed > 0) taps.push(message("missed", { count: missed }));
    pending = [];
    missed = 0;
    send(taps.join(""));
  };
  return {
    open(seesWhole, hangUp) {
      if (clients.size >= CLIENTS_MAX) return null;
      let closed = (): void => {};
      const body = new ReadableStream<Uint8Array>(
        {
          start(controller) {
            const client = { seesWhole, hangUp, controller };
            closed = () => forget(client);
            clients.add(client);
            const now = message("status", status());
            if (clients.size === 1) told = now;
            const hello = `retry: ${RETRY_MS}\n\n${now}`;
            controller.enqueue(Buffer.from(seesWhole() ? hello : maskCards(hello)));
          },
          cancel: () => closed(),
        },
        new ByteLengthQueuingStrategy({ highWaterMark: CLIENT_BYTES_MAX }),
      );
      if (looking === null) {
        looks = 0;
        looking = clock.after(LOOK_MS, look);
      }
      return { body, closed };
    },
    tapped(tap) {
      if (clients.size === 0) return;
      if (pending.length < PENDING_TAPS_MAX) pending.push(tap);
      else missed += 1;
      flushing ??= clock.after(FLUSH_MS, flush);
    },
  };
}

export function liveTap({ accessPoint, reader, time, decision }: TapView): LiveTap {
  const { card, granted, reason } = decision;
  return { accessPoint, reader, time, card, granted, reason, texts: { ...TEXTS[reason] } };
}

/** JSON has no line feed of its own, so one `data` line holds it. */
function message(event: string, data: unknown): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
