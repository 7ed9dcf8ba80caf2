/** From a card's answer to what was presented. */
import type { Reading } from "../driver.ts";
import type { PcscStep } from "./pcsc-messages.ts";
import { readToken } from "./token.ts";

/**
 * Get Data for the UID (PC/SC part 3, 3.2.2.1.3): answered by the reader itself for ISO 14443-3 and -4 cards alike. It
 * reads, and is the only command a card is ever asked.
 */
export const GET_UID: Uint8Array = Uint8Array.of(0xff, 0xca, 0x00, 0x00, 0x00);

const DONE = 0x9000;
/** "No information is given", which readers say when the card did not answer them in time. */
const NO_ANSWER = 0x6300;

/** What a presentation gave. `atr`: hex, shown where the card is at fault: it tells the type of a card, not whose it is. */
export function readAnswer(answer: Uint8Array, atr: string): Reading {
  const { length } = answer;
  if (length === 0) return removedEarly("connected, no answer to get-UID");
  if (length === 1)
    return { kind: "misread", reason: "unreadable", step: "connected, one byte came to get-UID" };
  const status = (answer[length - 2]! << 8) | answer[length - 1]!;
  if (status === NO_ANSWER) return removedEarly("connected, the card gave no answer to get-UID (63 00)");
  const data = Buffer.from(answer.subarray(0, length - 2)).toString("hex");
  if (status !== DONE || data === "") {
    return {
      kind: "misread",
      reason: "wrong-type",
      step: `connected, it has no UID to give (${spaced(status)}, ATR ${atr || "none"})`,
    };
  }
  const token = readToken(data, "uid");
  if (token.kind === "refused") return { kind: "misread", reason: "malformed", step: token.why };
  return { kind: "credential", credential: token, assurance: "uid" };
}

/** What a presentation gave that led to no answer. */
export function readFailure(step: PcscStep, why: string): Reading {
  switch (step) {
    case "unseen":
      return removedEarly("not connected, it was gone at once");
    case "connect":
      return removedEarly(`connect failed: ${why}`);
    case "ask":
      return removedEarly(`connected, no answer to get-UID: ${why}`);
  }
}

function removedEarly(step: string): Reading {
  return { kind: "misread", reason: "removed-early", step };
}

function spaced(status: number): string {
  const hex = status.toString(16).toUpperCase().padStart(4, "0");
  return `${hex.slice(0, 2)} ${hex.slice(2)}`;
}
