/** A USB CCID reader under the guest's own pcscd. */
import { expect, onTestFinished, test } from "vitest";
import { READER_TYPES } from "../../drivers/registry.ts";
import { CARDS } from "../e2e/site.ts";
import { needs, setGate } from "./gate.ts";
import { ROUNDS, replug } from "./replug.ts";
import { CardReader } from "./virtual-card.ts";

const UID = "04a1b2c3d4e5f6";
/** pcscd asks a reader for its card every 400 ms: one that is gone for less was never gone. */
const goneMs = 1_500;

test(`a PC/SC reader is plugged in again ${ROUNDS} times under taps, and pcscd is killed and comes back`, async (context) => {
  needs(context, READER_TYPES, "pcsc");
  const gate = await setGate((configuration) => {
    configuration.readers = [{ id: "north-in-1", driver: "pcsc", name: "Gem" }];
  });
  const reader = new CardReader(gate.guest);
  onTestFinished(() => reader.unplug());
  const daemon = await gate.run();
  let taps = 0;
  const tap = async (): Promise<string> => {
    reader.present(UID);
    taps += 1;
    await gate.ear.hearTaps(`tap ${taps}; ${daemon.said.slice(-500)}`, ({ length }) => length >= taps);
    reader.remove();
    await new Promise((go) => setTimeout(go, goneMs));
    return CARDS.granted;
  };
  await replug(gate, daemon, {
    reader: "north-in-1",
    plug: () => reader.plug(),
    tap,
    pull: () => reader.unplug(),
  });
  await reader.plug();
  await daemon.readerIs("north-in-1", "up");
  const { since } = await daemon.readerIs("north-in-1", "up");
  await gate.guest.sh("systemctl kill -s KILL pcscd.service");
  await daemon.readerIs("north-in-1", "down");
  const back = await daemon.readerIs("north-in-1", "up");
  expect(back.since).not.toBe(since);
  await tap();
  expect(gate.ear.taps().map(({ data }) => data.card)).toEqual(
    Array.from({ length: taps }, () => CARDS.granted),
  );
});
