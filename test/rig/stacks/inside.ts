/** The machine, as a suite has it that runs inside. */
import { Guest, type Place } from "../guest.ts";

export function inside(): Guest {
  const { RIG_PLACE } = process.env;
  if (RIG_PLACE === undefined)
    throw new Error("these run in the rig's guest: npm run test:rig -- conformance");
  return new Guest({ ...(JSON.parse(RIG_PLACE) as Place), isInside: true });
}
