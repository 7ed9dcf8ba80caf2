/**
 * The common serial relay boards that take four bytes, `A0 channel state sum` ("LCUS" and its many copies, mostly
 * behind a CH340). They answer nothing and time nothing themselves. Several relays may name one port: `world`
 * then brings an `openChannel` that shares (`channel-shared.ts`).
 */
import { parseChannelAddress } from "./channel.ts";
import type { RelayModule } from "./driver.ts";
import { PulseRelay } from "./pulse.ts";

/** `port`: `tcp://host:port` or the name of a device. `channel`: 1 to 16, as printed on the board. */
export interface SerialRelayOptions {
  id: string;
  port: string;
  baudRate: number;
  channel: number;
}

export const serialRelay: RelayModule<SerialRelayOptions> = {
  type: "serial-relay",
  kind: "relay",
  create: (options, world, events) => {
    const command = (on: boolean) => relayCommand(options.channel, on);
    return new PulseRelay(
      {
        name: `relay of ${options.id}`,
        open: async (lost) => {
          const parsed = parseChannelAddress(options.port, options.baudRate);
          if (parsed.kind === "refused") throw new Error(parsed.why);
          const channel = await world.openChannel(parsed.address, { data: () => {}, closed: lost });
          return {
            energise: () => channel.write(command(true)),
            release: () => channel.write(command(false)),
            close: () => channel.close(),
          };
        },
      },
      world,
      events,
    );
  },
};

/** The last byte is the low byte of the sum of the others. */
export function relayCommand(channel: number, on: boolean): Uint8Array {
  const state = on ? 1 : 0;
  return Uint8Array.of(0xa0, channel, state, (0xa0 + channel + state) & 0xff);
}
