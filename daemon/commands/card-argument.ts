import type { Configuration } from "../../config/schema.ts";
import { readCard } from "../../drivers/reads.ts";
import { Exit } from "./exit.ts";

/** The card number that somebody typed, canonical; anything else is a usage error. */
export function cardNumber(text: string, { cards }: Configuration): string {
  const reading = readCard(text, cards.issuers);
  if (reading.kind === "misread") throw new Exit(2, `${reading.step}; write it like BB-1234-567890`);
  if (reading.credential.kind !== "number")
    throw new Exit(2, "a card number is wanted here; grindvakt lookup finds the number of a chip");
  return reading.credential.number;
}
