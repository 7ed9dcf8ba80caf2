/**
 * One channel for everybody who names the same address: a relay board has one cable and several relays. Wraps
 * `OpenChannel`, so that the drivers behind it need not know; the composition makes one of it for all relays.
 */
import type { Channel, ChannelAddress, ChannelEvents, OpenChannel } from "./ports.ts";

/** The first who opens an address opens the device, the last who closes it closes it; all hear what it says. */
export function shareChannels(openChannel: OpenChannel): OpenChannel {
  const shared = new Map<string, SharedChannel>();
  return (address, events) => {
    const key = address.kind === "serial" ? address.path : `tcp://${address.host}:${address.port}`;
    const found = shared.get(key);
    if (found) return found.join(address, events);
    const opened = new SharedChannel(address, openChannel, () => {
      if (shared.get(key) === opened) shared.delete(key);
    });
    shared.set(key, opened);
    return opened.join(address, events);
  };
}

class SharedChannel {
  readonly #address: ChannelAddress;
  readonly #opening: Promise<Channel>;
  /** Takes this channel off the table: the next who comes opens the device anew. */
  readonly #leave: () => void;
  readonly #listeners = new Set<ChannelEvents>();
  /** Who has it or waits for it. */
  #users = 0;

  constructor(address: ChannelAddress, openChannel: OpenChannel, leave: () => void) {
    this.#address = address;
    this.#leave = leave;
    this.#opening = openChannel(address, {
      data: (bytes) => {
        for (const listener of this.#listeners) listener.data(bytes);
      },
      closed: (why) => {
        leave();
        for (const listener of this.#listeners) listener.closed(why);
      },
    });
  }

  async join(address: ChannelAddress, events: ChannelEvents): Promise<Channel> {
    if (address.kind === "serial" && this.#address.kind === "serial") {
      if (address.baudRate !== this.#address.baudRate) {
        throw new Error(
          `${address.path} is open at ${this.#address.baudRate} baud already: use one baudRate`,
        );
      }
    }
    this.#users += 1;
    const channel = await this.#opening.catch((error: unknown) => {
      this.#leave();
      throw error;
    });
    this.#listeners.add(events);
    let closed: Promise<void> | null = null;
    return {
      write: (bytes) => (closed ? Promise.reject(new Error("the channel is closed")) : channel.write(bytes)),
      close: () => {
        closed ??= this.#part(channel, events);
        return closed;
      },
    };
  }

  #part(channel: Channel, events: ChannelEvents): Promise<void> {
    this.#listeners.delete(events);
    this.#users -= 1;
    if (this.#users > 0) return Promise.resolve();
    this.#leave();
    return channel.close();
  }
}
