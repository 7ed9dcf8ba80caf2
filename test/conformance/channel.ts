/** What ports.ts promises of a `Channel`, asked of any: a real one on any wire, or a simulated one. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Channel, ChannelAddress, ChannelEvents, OpenChannel } from "../../drivers/ports.ts";

/** The device's end of a wire. */
export interface ChannelPeer {
  address: ChannelAddress;
  open: OpenChannel;
  /** From the device. */
  send(bytes: Uint8Array): Promise<void>;
  /** Everything the device got since it was last there. */
  received(): Uint8Array;
  /** The device is gone, as by a pulled cable. */
  vanish(): Promise<void>;
  /** It is there again, under the same address. */
  comeBack(): Promise<void>;
  /** Takes no bytes any more, without going away. */
  stall(): void;
  /** Lets a little time pass. */
  pass(): Promise<void>;
  dispose(): Promise<void>;
}

const passesMax = 3_000;

class Heard implements ChannelEvents {
  bytes: Buffer = Buffer.alloc(0);
  whys: string[] = [];
  opened = false;
  early = 0;

  data(bytes: Uint8Array): void {
    if (!this.opened || this.whys.length > 0) this.early += 1;
    this.bytes = Buffer.concat([this.bytes, bytes]);
  }

  closed(why: string): void {
    if (!this.opened) this.early += 1;
    this.whys.push(why);
  }
}

export function channelConformance(name: string, makePeer: () => Promise<ChannelPeer>): void {
  describe(`a channel over ${name}`, () => {
    let peer: ChannelPeer;
    let heard: Heard;
    const open: Channel[] = [];

    async function openOne(events = heard): Promise<Channel> {
      const channel = await peer.open(peer.address, events);
      events.opened = true;
      open.push(channel);
      return channel;
    }

    async function until(what: () => boolean): Promise<void> {
      for (let passes = 0; !what(); passes += 1) {
        if (passes > passesMax) throw new Error(`waited in vain for ${what}`);
        await peer.pass();
      }
    }

    beforeEach(async () => {
      peer = await makePeer();
      heard = new Heard();
    });

    afterEach(async () => {
      for (const channel of open.splice(0)) await channel.close();
      await peer.dispose();
      expect(heard.early, "bytes or an end told before opening or after the end").toBe(0);
      expect(heard.whys.length, "ends told of").toBeLessThanOrEqual(1);
    });

    const everyByte = Uint8Array.from({ length: 256 }, (_, i) => i);

    it("carries every byte from the device", async () => {
      await openOne();
      await peer.send(everyByte);
      await until(() => heard.bytes.length >= 256);
      expect([...heard.bytes]).toEqual([...everyByte]);
    });

    it("carries every byte to the device, in the order of the writes", async () => {
      const channel = await openOne();
      const writes = [0, 64, 128, 192].map((at) => channel.write(everyByte.subarray(at, at + 64)));
      await Promise.all(writes);
      await until(() => peer.received().length >= 256);
      expect([...peer.received()]).toEqual([...everyByte]);
    });

    it("tells once of a device that is gone, in words, and takes no more writes", async () => {
      const channel = await openOne();
      await peer.vanish();
      await until(() => heard.whys.length > 0);
      expect(heard.whys[0]).toMatch(/\w+ \w+/);
      await expect(channel.write(everyByte)).rejects.toThrow(/\w+ \w+/);
      await channel.close();
      await channel.close();
      await peer.pass();
      expect(heard.whys).toHaveLength(1);
    });

    it("answers every write when the device is pulled in the middle of them", async () => {
      const channel = await openOne();
      const writes: Promise<string>[] = [];
      const answered = () =>
        channel.write(new Uint8Array(512)).then(
          () => "taken",
          () => "refused",
        );
      for (let i = 0; i < 16; i += 1) writes.push(answered());
      const vanished = peer.vanish();
      for (let i = 0; i < 16; i += 1) writes.push(answered());
      await vanished;
      await until(() => heard.whys.length > 0);
      writes.push(answered());
      const answers = await Promise.all(writes);
      expect(answers).toHaveLength(33);
      expect(answers.at(-1)).toBe("refused");
    });

    it("refuses a write that the device does not take within a second, and counts it as gone", async () => {
      const channel = await openOne();
      peer.stall();
      const refused = channel.write(new Uint8Array(32 * 1_048_576)).then(
        () => null,
        (error: Error) => error,
      );
      await until(() => heard.whys.length > 0);
      expect((await refused)?.message).toMatch(/\w+ \w+/);
    });

    it("says nothing of an end that we asked for", async () => {
      const channel = await openOne();
      await Promise.all([channel.close(), channel.close()]);
      await channel.close();
      await expect(channel.write(everyByte)).rejects.toThrow(/closed/);
      await peer.pass();
      expect(heard.whys).toEqual([]);
    });

    it("hands on what was written before it was closed", async () => {
      const channel = await openOne();
      await channel.write(everyByte);
      await channel.close();
      await until(() => peer.received().length >= 256);
    });

    it("is free to be opened again once it has been closed", async () => {
      await (await openOne()).close();
      const again = new Heard();
      await openOne(again);
      await peer.send(everyByte);
      await until(() => again.bytes.length >= 256);
      expect(heard.bytes).toHaveLength(0);
    });

    it("says in words that the device is not there, and opens it once it is", async () => {
      await peer.vanish();
      await expect(peer.open(peer.address, heard)).rejects.toThrow(/\w+ \w+ \w+/);
      await peer.comeBack();
      await openOne();
      await peer.send(everyByte);
      await until(() => heard.bytes.length >= 256);
    });
  });
}
