/** What no index of such a list can do without, by information theory. */
import { DAYS, STATUS_TURN } from "./cards.ts";

/** Card numbers that one issuer may give. */
const NUMBERS = 1e10;
/** A chip's UID is paired with a card: nothing can be saved on the order. */
const UID_BITS = 56;

/** Bytes a card: a set of numbers, each with a status, a last day and a UID, as likely as the made-up list has them. */
export function limitBytes(cards: number): number {
  return (setBits(cards) + statusBits() + Math.log2(DAYS) + UID_BITS) / 8;
}

/** A set of `cards` out of all numbers: log2 of how many such sets there are, a card. */
function setBits(cards: number): number {
  return Math.log2(NUMBERS / cards) + Math.LOG2E;
}

function statusBits(): number {
  const shares = [...new Set(STATUS_TURN)].map(
    (status) => STATUS_TURN.filter((other) => other === status).length / STATUS_TURN.length,
  );
  return -shares.reduce((sum, share) => sum + share * Math.log2(share), 0);
}
