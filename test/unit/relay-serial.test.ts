import { describe, expect, it } from "vitest";
import { shareChannels } from "../../drivers/channel-shared.ts";
import { relayCommand, serialRelay } from "../../drivers/relay-serial.ts";
import { simulatedWorld } from "../conformance/world.ts";

const silent = { energised: () => {}, released: () => {}, failed: () => {}, up: () => {}, down: () => {} };

describe("the board's command", () => {
  it.each([
    [1, true, "a00101a2"],
    [1, false, "a00100a1"],
    [2, true, "a00201a3"],
    [4, false, "a00400a4"],
    [16, true, "a01001b1"],
    [96, true, "a0600101"],
  ])("for relay %d, energised %s, is %s", (channel, on, hex) => {
    expect(Buffer.from(relayCommand(channel, on)).toString("hex")).toBe(hex);
  });
});

describe("relays on one board", () => {
  it("share its one port, and each moves only its own", async () => {
    const written: string[] = [];
    let openCount = 0;
    const world = simulatedWorld(
      shareChannels(async () => {
        openCount += 1;
        return {
          write: async (bytes) => {
            written.push(Buffer.from(bytes).toString("hex"));
          },
          close: async () => {
            openCount -= 1;
          },
        };
      }),
    );
    const relays = [1, 2].map((channel) =>
      serialRelay.create(
        { id: `gate-${channel}`, port: "/dev/ttyUSB1", baudRate: 9_600, channel },
        world,
        silent,
      ),
    );
    for (const relay of relays) await relay.start();
    await world.clock.advance(0);
    expect(openCount).toBe(1);
    expect(written.splice(0)).toEqual(["a00100a1", "a00200a2"]);
    relays[0]?.pulse(500);
    await world.clock.advance(300);
    relays[1]?.pulse(500);
    await world.clock.advance(500);
    expect(written.splice(0)).toEqual(["a00101a2", "a00201a3", "a00100a1", "a00200a2"]);
    await relays[0]?.stop();
    expect(openCount).toBe(1);
    relays[1]?.pulse(500);
    await world.clock.advance(500);
    await relays[1]?.stop();
    expect(openCount).toBe(0);
    expect(written).toEqual(["a00100a1", "a00201a3", "a00200a2", "a00200a2"]);
  });
});
