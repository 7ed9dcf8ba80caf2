/**
 * A relay of a USB relay board (`hid-boards.ts`). The boards time nothing themselves. What they show after a command is
 * read back: a relay that does not show what it was told has failed.
 */
import type { RelayModule } from "./driver.ts";
import type { BoardMatch, HidBoards } from "./hid-boards.ts";
import { PulseRelay } from "./pulse.ts";

/** `channel`: 1 to 8, as printed on the board. */
export interface HidRelayOptions extends BoardMatch {
  id: string;
  channel: number;
  boards: HidBoards;
}

export const hidRelay: RelayModule<HidRelayOptions> = {
  type: "hid-relay",
  kind: "relay",
  create: ({ id, channel, boards, ...match }, world, events) =>
    new PulseRelay(
      {
        name: `relay of ${id}`,
        open: async (lost) => {
          const board = await boards.hold(match, channel, lost);
          return {
            energise: () => board.set(true),
            release: () => board.set(false),
            close: () => board.release(),
          };
        },
      },
      world,
      events,
    ),
};
