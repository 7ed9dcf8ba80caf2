/**
 * What a technician may have an OSDP reader do, over the control socket: open the window in which it is given its key,
 * and give it another place on its line. Both are written down with who asked.
 */
import type { Reader } from "../drivers/driver.ts";
import type { ControlMethods } from "./control.ts";

/** Of an account's name; longer ones are cut. */
const NAME_CHARS_MAX = 100;
const MINUTE_MS = 60_000;

export interface OsdpRooms {
  reader(id: string): Reader | undefined;
  /** Journals something about the gateway. */
  note(event: string, data: Record<string, unknown>): Promise<unknown>;
}

/** They reject with words why not. */
export function osdpMethods({ reader, note }: OsdpRooms): ControlMethods {
  const find = (id: unknown): Required<Pick<Reader, "commission" | "setLine">> => {
    const found = reader(String(id));
    if (found?.commission === undefined || found.setLine === undefined)
      throw new Error(
        `the running gateway has no OSDP reader ${id}: was the configuration changed since it started?`,
      );
    return { commission: found.commission.bind(found), setLine: found.setLine.bind(found) };
  };
  return {
    "osdp-commission": async ({ reader, minutes, name }) => {
      const why = find(reader).commission(Number(minutes) * MINUTE_MS);
      if (why !== null) throw new Error(why);
      await note("commissioning", { reader, minutes, who: whoOf(name) });
    },
    "osdp-comset": async ({ reader, address, baudRate, name }) => {
      const taken = await find(reader).setLine(Number(address), Number(baudRate));
      await note("line-set", { reader, ...taken, who: whoOf(name) });
      return taken;
    },
  };
}

function whoOf(name: unknown): object {
  return { by: "command", name: String(name).slice(0, NAME_CHARS_MAX) };
}
