/** USB readers that type, readers with reports of their own, and relay boards. */
import { once } from "node:events";
import { expect, onTestFinished, test } from "vitest";
import { READER_TYPES } from "../../drivers/registry.ts";
import { CARDS, until } from "../e2e/site.ts";
import { needs, setGate } from "./gate.ts";
import type { Guest } from "./guest.ts";
import { Keyboard } from "./keyboard.ts";
import { cardOf, ROUNDS, replug } from "./replug.ts";
import { Uhid } from "./uhid.ts";

/** What is typed into the guest's console, as a login prompt there would get it. */
async function overhear(guest: Guest): Promise<{ heard(): string }> {
  let heard = "";
  const ssh = guest.start("chvt 1; echo $$; exec cat </dev/tty1");
  ssh.stdout?.setEncoding("utf8").on("data", (text: string) => {
    heard += text;
  });
  const pid = await until("somebody listens at the console", () => /^\d+(?=\n)/.exec(heard)?.[0] ?? null);
  onTestFinished(async () => {
    await guest.run(`kill ${pid}`);
    if (ssh.exitCode === null) await once(ssh, "exit");
  });
  return { heard: () => heard.slice(pid.length + 1) };
}

test(`a reader that types is plugged in again ${ROUNDS} times under taps, and types nothing into the console`, async (context) => {
  needs(context, READER_TYPES, "hid");
  const gate = await setGate((configuration) => {
    configuration.readers = [
      { id: "north-in-1", driver: "hid", vendorId: 0x0627, productId: 1, reads: "card-number" },
    ];
  });
  const keyboard = new Keyboard(gate.guest);
  onTestFinished(() => keyboard.unplug());
  const prompt = await overhear(gate.guest);
  // Without a gateway it does: else this test could see nothing.
  await keyboard.plug();
  await until("the console hears the reader", async () => {
    await keyboard.type("nobody takes it\n");
    return prompt.heard().includes("nobody takes it\n") || null;
  });
  await keyboard.unplug();
  const before = prompt.heard();
  const daemon = await gate.run();
  await replug(gate, daemon, {
    reader: "north-in-1",
    plug: () => keyboard.plug(),
    tap: async (round, tap) => {
      const card = cardOf(4, round, tap);
      await keyboard.type(`${card.toLowerCase()}\n`);
      return card;
    },
    pull: () => keyboard.unplug(),
  });
  expect(prompt.heard()).toBe(before);
});

test(`a reader with reports and a relay board are plugged in again ${ROUNDS} times, each opening`, async (context) => {
  needs(context, READER_TYPES, "hid");
  const gate = await setGate((configuration) => {
    configuration.readers = [
      {
        ...{ id: "north-in-1", driver: "hid", vendorId: 0x0c27, productId: 0x3bfa },
        ...{ mode: "report", report: { lengthBits: 56 }, reads: "uid" },
      },
    ];
    // Longer than a slow translated machine takes to tell the board and to be shown what it did.
    configuration.accessPoints[0].relay = { driver: "hid-relay", channel: 2, pulseMs: 400 };
  });
  const devices = new Uhid(gate.guest);
  onTestFinished(() => devices.end());
  const daemon = await gate.run();
  const openings = () => gate.ear.events().filter(({ data }) => data.event === "opened").length;
  let taps = 0;
  await replug(gate, daemon, {
    reader: "north-in-1",
    plug: async () => {
      const before = devices.told.length;
      await devices.create("board", "relay");
      await devices.create("reader", "raw");
      // A board is released first.
      await until(
        () => `the board is released; ${daemon.said.slice(-500)}`,
        () => devices.told.slice(before).some(({ told }) => told === "relay") || null,
      );
    },
    tap: async () => {
      const before = devices.states("board").length;
      devices.report("reader", "04a1b2c3d4e5f600");
      const moved = () => devices.states("board").slice(before);
      await until(
        () => `relay 2 moves; it went ${devices.states("board")}; ${daemon.said.slice(-500)}`,
        () => (moved().includes(2) && moved().at(-1) === 0) || null,
      );
      // Until the board has shown its release the gate is open, and a tap starts no pulse of its own.
      taps += 1;
      await until(`opening ${taps} is told`, () => openings() === taps || null);
      return CARDS.granted;
    },
    pull: async () => {
      await devices.destroy("reader");
      await devices.destroy("board");
    },
  });
});
