/**
 * The control panel's machine for one reader, alone: whatever the reader, the cable and the people say, in any order,
 * what must never happen does not.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { step } from "../../drivers/bus-osdp-machine.ts";
import { NEW_PD, type PdEvent, type PdState } from "../../drivers/bus-osdp-state.ts";
import { encodeFrame, OsdpFramer, type ReceivedFrame, SECURITY } from "../../drivers/codec/osdp.ts";
import { COMMANDS, REPLIES } from "../../drivers/codec/osdp-messages.ts";
import { DEFAULT_KEY } from "../../drivers/codec/osdp-secure.ts";
import { OsdpPd } from "../../drivers/osdp-pd.ts";
import { SimClock } from "../sim/clock.ts";
import { SimRandom } from "../sim/random.ts";

const FUZZ_RUNS = 10_000;
const KEY = new Uint8Array(16).fill(7);

const framer = new OsdpFramer();

function frameOf(bytes: Uint8Array): ReceivedFrame {
  const [frame] = framer.push(bytes);
  if (frame === undefined) throw new Error("that is no frame");
  return frame;
}

const u8 = fc.integer({ min: 0, max: 255 });
const replyCodes = Object.values(REPLIES).map(({ code }) => code);

/** Anything that may stand on the wire with a right check, mostly from the right reader. */
const anyFrame: fc.Arbitrary<ReceivedFrame> = fc
  .record({
    address: fc.oneof(
      { weight: 5, arbitrary: fc.constant(1) },
      { weight: 1, arbitrary: fc.nat({ max: 127 }) },
    ),
    reply: fc.oneof({ weight: 9, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.boolean() }),
    sequence: fc.nat({ max: 3 }),
    check: fc.constantFrom("crc" as const, "crc" as const, "checksum" as const),
    security: fc.option(
      fc.record({
        type: fc.oneof(u8, fc.constantFrom(...Object.values(SECURITY))),
        data: fc.uint8Array({ maxLength: 2 }),
      }),
    ),
    code: fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...replyCodes) }, { weight: 1, arbitrary: u8 }),
    data: fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.constantFrom(
        Uint8Array.of(),
        Uint8Array.of(0, 0),
        Uint8Array.of(4),
        Uint8Array.of(6),
        Uint8Array.of(0, 0, 8, 0, 1),
        Uint8Array.of(0, 0, 2, 65, 66),
      ),
    ),
  })
  .map((frame) => frameOf(encodeFrame(frame, () => new Uint8Array(16))));

/** `real`: what a real reader would have said, which is how the machine gets anywhere. */
type Act = { event: PdEvent } | { real: true } | { card: true } | { passMs: number };

const acts: fc.Arbitrary<Act[]> = fc.array(
  fc.oneof(
    { weight: 30, arbitrary: fc.constant<Act>({ real: true }) },
    {
      weight: 4,
      arbitrary: fc
        .uint8Array({ minLength: 8, maxLength: 8 })
        .map((random): Act => ({ event: { kind: "turn", random } })),
    },
    { weight: 4, arbitrary: anyFrame.map((frame): Act => ({ event: { kind: "reply", frame } })) },
    {
      weight: 1,
      arbitrary: fc.nat({ max: 9 }).map((noiseBytes): Act => ({ event: { kind: "silence", noiseBytes } })),
    },
    {
      weight: 1,
      arbitrary: fc
        .nat({ max: 3 })
        .map((id): Act => ({ event: { kind: "request", request: { id, command: { name: "poll" } } } })),
    },
    {
      weight: 1,
      arbitrary: fc.nat({ max: 3 }).map((requestId): Act => ({ event: { kind: "withdraw", requestId } })),
    },
    { weight: 1, arbitrary: fc.constant<Act>({ event: { kind: "line-lost", why: "pulled" } }) },
    { weight: 3, arbitrary: fc.constant<Act>({ card: true }) },
    { weight: 1, arbitrary: fc.nat({ max: 4_000 }).map((passMs): Act => ({ passMs })) },
  ),
  { minLength: 1, maxLength: 60 },
);

const CLEAR_CODES = new Set<number>([
  COMMANDS.id.code,
  COMMANDS.capabilities.code,
  COMMANDS.challenge.code,
  COMMANDS.serverCryptogram.code,
]);

/** Plays the acts against a machine with a key, and tells what it must never do. */
function play(
  given: readonly Act[],
  pdKey: Uint8Array | null,
): { faults: string[]; cards: number; ups: number } {
  const clock = new SimClock();
  const pd = new OsdpPd({ address: 1, key: pdKey }, { clock, random: new SimRandom(3) });
  let state: PdState = NEW_PD;
  let nowMs = 0;
  const faults: string[] = [];
  const asked: number[] = [];
  let cards = 0;
  let ups = 0;
  let standing = "new";
  const apply = (event: PdEvent, isReal: boolean) => {
    const before = state;
    const { state: next, effects } = step({ address: 1, key: KEY, takesCards: true }, state, event, nowMs);
    state = next;
    for (const effect of effects) {
      switch (effect.kind) {
        case "send": {
          const { security, code, mac } = frameOf(effect.bytes);
          if (mac === null && !CLEAR_CODES.has(code)) faults.push(`sent ${code} in the clear`);
          if (security?.data[0] === 0) faults.push("offered the key that everybody knows");
          break;
        }
        case "raw":
        case "formatted":
        case "keypad":
        case "tamper":
        case "power":
          if (!isReal) faults.push(`believed ${effect.kind} of nobody`);
          if (before.session === null) faults.push(`took ${effect.kind} in the clear`);
          cards += 1;
          break;
        case "up":
        case "down":
          if (standing === effect.kind) faults.push(`${effect.kind} twice`);
          standing = effect.kind;
          if (effect.kind === "up") ups += 1;
          break;
        case "settled": {
          const at = asked.indexOf(effect.requestId);
          if (at < 0) faults.push(`settled ${effect.requestId}, which nobody waits for`);
          else asked.splice(at, 1);
          break;
        }
        case "commissioned":
          faults.push("gave its key away");
          break;
        case "note":
        case "inputs":
        case "alarm":
          break;
      }
    }
    return effects;
  };
  for (const act of given) {
    if ("passMs" in act) nowMs += act.passMs;
    else if ("card" in act) pd.present("BB-1234-567890");
    else if ("event" in act) {
      if (act.event.kind === "request") asked.push(act.event.request.id);
      apply(act.event, false);
    } else {
      const sent = apply({ kind: "turn", random: new Uint8Array(8) }, true).find(
        ({ kind }) => kind === "send",
      );
      const reply = sent?.kind === "send" ? pd.take(frameOf(sent.bytes)) : null;
      if (reply !== null) apply({ kind: "reply", frame: frameOf(reply) }, true);
    }
    if (state.requests.length > 16) faults.push("keeps more requests than it may");
  }
  return { faults, cards, ups };
}

describe("a machine with a key, whatever it is told", () => {
  it("says nothing in the clear, believes nobody without the key, and answers everybody once", () => {
    let cards = 0;
    let ups = 0;
    fc.assert(
      fc.property(acts, (given) => {
        const played = play(given, KEY);
        expect(played.faults).toEqual([]);
        cards += played.cards;
        ups += played.ups;
      }),
      { numRuns: FUZZ_RUNS },
    );
    // The runs have been somewhere.
    expect(ups).toBeGreaterThan(FUZZ_RUNS / 20);
    expect(cards).toBeGreaterThan(FUZZ_RUNS / 100);
  });

  it("never gets anywhere with a reader of another key, or of the one that everybody knows", () => {
    fc.assert(
      fc.property(acts, fc.constantFrom(null, DEFAULT_KEY, new Uint8Array(16)), (given, pdKey) => {
        expect(play(given, pdKey)).toEqual({ faults: [], cards: 0, ups: 0 });
      }),
      { numRuns: FUZZ_RUNS / 10 },
    );
  });
});

describe("a request", () => {
  it("is refused while the reader is down, and beyond the bound; what opens goes before what shines", () => {
    const settings = { address: 1, key: null, takesCards: true };
    const ask = (state: PdState, id: number, name: "poll" | "output") =>
      step(
        settings,
        state,
        { kind: "request", request: { id, command: name === "poll" ? { name } : { name, records: [] } } },
        0,
      );
    expect(ask(NEW_PD, 1, "poll").effects).toMatchObject(
      [{ kind: "settled", why: /^it is down/ }].map((one) => ({ kind: one.kind })),
    );
    let state: PdState = { ...NEW_PD, standing: "up", phase: "online" };
    for (let id = 0; id < 15; id += 1) state = ask(state, id, "poll").state;
    state = ask(state, 100, "output").state;
    expect(state.requests.map(({ id }) => id).slice(0, 3)).toEqual([100, 0, 1]);
    const refused = ask(state, 101, "output");
    expect(refused.effects).toMatchObject([{ kind: "settled", requestId: 101 }]);
    expect(refused.state).toBe(state);
  });
});
