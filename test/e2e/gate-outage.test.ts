/** The broker is away for 200 taps, and the power goes too: everything written down arrives, and all that moved a relay. */
import { describe, expect, test } from "vitest";
import type { Event } from "./ear.ts";
import { BURST_TAPS, cards, tap } from "./load.ts";
import { CARDS, relayCommands, relayTold, sharedFeed, until } from "./site.ts";
import { type Stage, setStage } from "./stage.ts";

const OUTAGE_TAPS = 200;
const KILLS = 2;
/** Before each kill. */
const OUTAGE_EACH = Math.ceil(OUTAGE_TAPS / KILLS);

const feedDir = await sharedFeed();

describe("an outage of the broker", () => {
  test("200 taps arrive after it, in order, and 200 more after another though the gate is killed again meanwhile", async () => {
    const stage = await setStage(
      feedDir,
      ({ accessPoints: [accessPoint] }) => {
        // Long enough for the kill to come in mid-pulse.
        accessPoint.relay.pulseMs = 1_000;
      },
      { persistence: true },
    );
    const { broker, line, board, ear, site } = stage;
    let daemon = await (await site.run()).healthy();
    await tap(line, daemon, 0, 3);
    await ear.hearTaps("taps before the outage", ({ length }) => length === 3);

    await broker.stop();
    await daemon.become("the broker is missed", ({ broker: { state } }) => state === "down");
    await tap(line, daemon, 3, OUTAGE_TAPS);
    await daemon.become("all of them wait", ({ outbox }) => outbox.unsent >= OUTAGE_TAPS);
    await broker.restart();
    const first = await ear.hearTaps("all taps", ({ length }) => length === 3 + OUTAGE_TAPS);
    expect(first.map(({ data }) => data.card)).toEqual(cards(3 + OUTAGE_TAPS));
    await daemon.become("nothing unsent", ({ outbox }) => outbox.unsent === 0);

    await broker.stop();
    for (let life = 0; life < KILLS; life += 1) {
      await tap(line, daemon, 0, OUTAGE_EACH);
      await until("everything is written down", async () => {
        const journal = await site.journal();
        const { openers, outcomes } = pulses(journal);
        const written = journal.filter(isTap).length - first.length - life;
        return written === OUTAGE_EACH * (life + 1) && openers.length === outcomes.length ? true : null;
      });
      await relayTold(board, "to rest", (commands) => commands.at(-1) === "1 off");
      const before = relayCommands(board).length;
      await line.send(`${CARDS.granted}\r\n`);
      await relayTold(board, "to move", ({ length }) => length > before);
      await daemon.end("SIGKILL");

      daemon = await (await site.run()).healthy();
      // Released before anything else, whatever the crash left.
      const told = await relayTold(board, "the release", ({ length }) => length > before + 1);
      expect(told.slice(before, before + 2)).toEqual(["1 on", "1 off"]);
    }
    await tap(line, daemon, 0, BURST_TAPS);
    await broker.restart();
    await daemon.become("nothing unsent", ({ outbox }) => outbox.unsent === 0);
    await daemon.end();

    const events = await everythingArrived(stage);
    expect(events.filter(isTap).length).toBe(first.length + KILLS * (OUTAGE_EACH + 1) + BURST_TAPS);
    const unknown = events.filter(({ data }) => data.event === "unknown");
    expect(unknown.length).toBeGreaterThan(0);
    expect(unknown.length).toBeLessThanOrEqual(KILLS);
    expect(ear.faults()).toEqual([]);
  });
});

/** Every journaled event came, in order, without gaps; no relay moved without a grant that came. */
async function everythingArrived({ site, ear, board }: Stage): Promise<Event[]> {
  const verdict = JSON.parse((await site.command("journal", "verify", "--json")).stdout) as object;
  expect(verdict).toMatchObject({ ok: true });
  const journal = await site.journal();
  const events = await ear.hearUpTo(journal.length);
  expect(events.map(({ id, data }) => [id, data.chain])).toEqual(
    journal.map(({ chain }, index) => [`gate-07/${index + 1}`, chain]),
  );
  const { openers, outcomes } = pulses(events);
  expect(outcomes.map(({ data }) => data.tap)).toEqual(openers.map(({ id }) => id));
  const told = await relayTold(board, "to rest", (commands) => commands.at(-1) === "1 off");
  expect(told[0]).toBe("1 off");
  expect(told.filter((command) => command === "1 on").length).toBe(openers.length);
  return events;
}

type Told = Pick<Event, "type" | "data">;

/** Grants that had the relay move, and what is told of the relay. */
function pulses<Kind extends Told>(events: readonly Kind[]): { openers: Kind[]; outcomes: Kind[] } {
  return {
    openers: events.filter(({ data }) => data.granted === true && data.pulse === undefined),
    outcomes: events.filter(({ type }) => type === "grindvakt.passage.v1"),
  };
}

function isTap({ type }: Told): boolean {
  return type === "grindvakt.tap.v1";
}
