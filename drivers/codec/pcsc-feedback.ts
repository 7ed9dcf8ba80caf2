/**
 * Lights and beeps of the PC/SC readers that have them, by the reader's name. The bytes follow the makers' manuals: ACR122U
 * application programming interface 2.04, 6.2 and 6.7; ACM1252U-Y3 reference manual 1.03, 5.3.
 */
import type { Signal } from "../driver.ts";
import type { PcscVia } from "./pcsc-messages.ts";

export interface PcscCommand {
  via: PcscVia;
  bytes: Uint8Array;
}

/** Commands after one another, each so long after the signal. */
export interface FeedbackStep extends PcscCommand {
  afterMs: number;
}

export interface Feedback {
  /** Silences the reader's own beep, so that a beep is a decision; asked once the reader is there. */
  quiet: PcscCommand;
  /** What its answer means: it is quiet, or is once this is sent; `unheard`: it is not known, and may be asked again. */
  hearQuiet(answer: Uint8Array): "quiet" | "unheard" | PcscCommand;
  /** What is lost where no escape command reaches the reader, in words that follow its name. */
  withoutEscape: string;
  signals: Readonly<Record<Signal, readonly FeedbackStep[]>>;
}

/** Null: the reader has none that is known, and is left alone. */
export function feedbackOf(reader: string): Feedback | null {
  if (/\bACR122[TU]?\b/i.test(reader)) return ACR122;
  if (/\bAC[RM]1252/i.test(reader)) return ACR1252;
  return null;
}

// ---------------------------------------------------------------- ACR122U

/**
 * State of the lamps (6.2, P2): final red and green, which of them change, where blinking begins, which blink. Each ends with red
 * alone, as the reader rests: a second command to that end would not come where the card is gone and escapes are not let through.
 */
const LAMPS = { greenOnce: 0xed, redBlinking: 0x5d } as const;
const BEEPS_WHILE_ON = 1;

/** Times in tenths of a second; the reader answers, and reads the next card, when they are over. */
function acr122(lamps: number, on: number, off: number, count: number): FeedbackStep {
  const bytes = Uint8Array.of(0xff, 0x00, 0x40, lamps, 0x04, on, off, count, BEEPS_WHILE_ON);
  return { afterMs: 0, via: "apdu", bytes };
}

const ACR122: Feedback = {
  quiet: { via: "apdu", bytes: Uint8Array.of(0xff, 0x00, 0x52, 0x00, 0x00) },
  hearQuiet: (answer) => (answer.length === 2 && answer[0] === 0x90 ? "quiet" : "unheard"),
  withoutEscape:
    "beeps by itself at the first card, and shows and sounds a decision only while the card lies there",
  signals: {
    granted: [acr122(LAMPS.greenOnce, 3, 0, 1)],
    denied: [acr122(LAMPS.redBlinking, 1, 1, 2)],
  },
};

// ---------------------------------------------------------------- ACR1252U

/** As long as a turnstile waits to be looked at; then the reader shows that it is ready again. */
const LIGHT_MS = 1_500;
const LAMP = { off: 0x00, red: 0x01, green: 0x02 } as const;
/** Of the behaviour byte: beeps when a card comes and goes. */
const CARD_BEEP = 0x08;

function acr1252(what: number, ...data: number[]): PcscCommand {
  return { via: "escape", bytes: Uint8Array.of(0xe0, 0x00, 0x00, what, data.length, ...data) };
}

const light = (lamp: number) => acr1252(0x29, lamp);
/** In hundredths of a second. */
const beep = (duration: number) => acr1252(0x28, duration);

/** The behaviour byte in an answer `E1 00 00 00 01 xx`. */
function behaviourOf(answer: Uint8Array): number | null {
  return answer.length === 6 && answer[0] === 0xe1 && answer[4] === 1 ? answer[5]! : null;
}

const ACR1252: Feedback = {
  // The reader keeps the behaviour when it is switched off, and its memory wears: it is read, and written only to change it.
  quiet: acr1252(0x21),
  hearQuiet: (answer) => {
    const behaviour = behaviourOf(answer);
    if (behaviour === null) return "unheard";
    return (behaviour & CARD_BEEP) === 0 ? "quiet" : acr1252(0x21, behaviour & ~CARD_BEEP);
  },
  withoutEscape: "shows and sounds no decision, and beeps as it is set",
  signals: {
    granted: [
      { afterMs: 0, ...light(LAMP.green) },
      { afterMs: 0, ...beep(10) },
      { afterMs: LIGHT_MS, ...light(LAMP.off) },
    ],
    denied: [
      { afterMs: 0, ...light(LAMP.red) },
      { afterMs: 0, ...beep(6) },
      { afterMs: 180, ...beep(6) },
      { afterMs: 360, ...beep(6) },
      { afterMs: LIGHT_MS, ...light(LAMP.off) },
    ],
  },
};
