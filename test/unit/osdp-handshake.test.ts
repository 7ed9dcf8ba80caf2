/** The steps to a secure channel and to a key of its own, where the reader does not keep its side of one. */
import { expect, it } from "vitest";
import { step } from "../../drivers/bus-osdp-machine.ts";
import { NEW_PD, type PdEffect, type PdEvent, type Phase } from "../../drivers/bus-osdp-state.ts";
import { encodeFrame, OsdpFramer, type ReceivedFrame } from "../../drivers/codec/osdp.ts";
import { COMMANDS, REPLIES } from "../../drivers/codec/osdp-messages.ts";
import { OsdpPd, type OsdpPdOptions } from "../../drivers/osdp-pd.ts";
import { SimClock } from "../sim/clock.ts";
import { SimRandom } from "../sim/random.ts";

const KEY = new Uint8Array(16).fill(7);
const SETTINGS = { address: 1, key: KEY, takesCards: true };
/** More than any handshake takes. */
const TURNS_MAX = 30;

function frameOf(bytes: Uint8Array): ReceivedFrame {
  const [frame] = new OsdpFramer().push(bytes);
  if (frame === undefined) throw new Error("that is no frame");
  return frame;
}

/** The gateway's machine and a reader, a turn at a time. */
class Talk {
  readonly pd: OsdpPd;
  state = NEW_PD;
  nowMs = 0;
  readonly effects: PdEffect[] = [];
  /** What is made of the reader's replies on their way; null: they do not come, or come too late. */
  change: (reply: ReceivedFrame, bytes: Uint8Array) => Uint8Array | null = (_, bytes) => bytes;

  constructor(options: Partial<OsdpPdOptions> = {}) {
    const world = { clock: new SimClock(), random: new SimRandom(3) };
    this.pd = new OsdpPd({ address: 1, key: KEY, ...options }, world);
  }

  apply(event: PdEvent): readonly PdEffect[] {
    const { state, effects } = step(SETTINGS, this.state, event, this.nowMs);
    this.state = state;
    this.effects.push(...effects);
    return effects;
  }

  turn(): void {
    this.nowMs += 50;
    for (const effect of this.apply({ kind: "turn", random: new Uint8Array(8) })) {
      const reply = effect.kind === "send" ? this.pd.take(frameOf(effect.bytes)) : null;
      if (reply === null) continue;
      const changed = this.change(frameOf(reply), reply);
      if (changed === null) this.apply({ kind: "silence", noiseBytes: 0 });
      else this.apply({ kind: "reply", frame: frameOf(changed) });
    }
  }

  until(phase: Phase): void {
    for (let turns = 0; this.state.phase !== phase; turns += 1) {
      if (turns === TURNS_MAX) throw new Error(`still in ${this.state.phase}`);
      this.turn();
    }
  }

  turns(count: number): void {
    for (let turns = 0; turns < count; turns += 1) this.turn();
  }

  /** Each challenge that went out: 0 with the key that everybody knows, 1 with its own. */
  get challenges(): (number | undefined)[] {
    return this.effects
      .flatMap((effect) => (effect.kind === "send" ? [frameOf(effect.bytes)] : []))
      .filter(({ code }) => code === COMMANDS.challenge.code)
      .map(({ security }) => security?.data[0]);
  }

  get told(): string[] {
    return this.effects.flatMap((effect) => {
      if (effect.kind === "down" || effect.kind === "note") return [`${effect.kind} ${effect.why}`];
      return effect.kind === "up" || effect.kind === "commissioned" ? [effect.kind] : [];
    });
  }
}

it("a reader that proves nothing in its last word has no session", () => {
  const talk = new Talk();
  talk.change = (reply, bytes) => {
    if (reply.code !== REPLIES.initialMac.code) return bytes;
    return encodeFrame({ ...reply, data: reply.data.map((byte, at) => (at === 15 ? byte ^ 1 : byte)) });
  };
  talk.until("cryptogram");
  talk.turn();
  expect(talk.state).toMatchObject({ session: null, standing: "down" });
  expect(talk.told).toEqual(["down it does not have the key of scbk"]);
});

/** That was online, and whose reader has just wanted its secure channel anew. */
function brokenTalk(): Talk {
  const talk = new Talk();
  talk.until("online");
  talk.turn();
  talk.pd.faults.nak = 6;
  talk.turn();
  talk.pd.faults.nak = null;
  return talk;
}

it("a reader that wants its secure channel anew, inside it, is challenged anew", () => {
  const talk = brokenTalk();
  expect(talk.state.session).toBeNull();
  talk.until("online");
  talk.turn();
  expect(talk.challenges).toEqual([1, 1]);
  // Before anybody hears of it.
  expect(talk.told).toEqual(["up"]);
});

it("a reader that answers the challenge of a renewal late, as it is said again, is up all the time", () => {
  const talk = brokenTalk();
  let late: Uint8Array | null = null;
  talk.change = (reply, bytes) => {
    if (reply.code !== REPLIES.clientCryptogram.code) return bytes;
    const before = late;
    late = bytes;
    return before;
  };
  talk.until("online");
  talk.turn();
  expect(talk.told).toEqual(["up"]);
  expect(talk.challenges).toEqual([1, 1, 1]);
});

it("a window that ends between two steps ends the use of the key that everybody knows", () => {
  const isTried = (closes: boolean): boolean => {
    const talk = new Talk({ key: null, installMode: true });
    talk.apply({ kind: "commission", untilMs: 10_000 });
    while (!talk.state.usesDefaultKey) talk.turn();
    talk.until("challenge");
    if (closes) talk.nowMs = 10_000;
    talk.turns(5);
    return talk.challenges.includes(0);
  };
  expect([isTried(false), isTried(true)]).toEqual([true, false]);
});

it("a reader that does not take its key is down, and spoken to with that key only", () => {
  const talk = new Talk({ key: null, installMode: true });
  talk.apply({ kind: "commission", untilMs: 60_000 });
  talk.until("keySet");
  talk.pd.faults.nak = 3;
  talk.turn();
  expect(talk.told.at(-1)).toMatch(/it does not take a key of its own/);
  expect(talk.told).not.toContain("commissioned");
  expect(talk.state).toMatchObject({ usesDefaultKey: false, session: null });
});

it("a reader that is slow to say that it has its key is asked again, and has been given it", () => {
  const talk = new Talk({ key: null, installMode: true });
  talk.apply({ kind: "commission", untilMs: 60_000 });
  talk.until("keySet");
  let slowTurns = 2;
  talk.change = (_, bytes) => (slowTurns-- > 0 ? null : bytes);
  talk.until("online");
  talk.turn();
  expect(talk.told.slice(-2)).toEqual(["commissioned", "up"]);
  expect(talk.challenges).toEqual([1, 0, 1]);
});

it("a reader that says in the clear that it has its key is believed when it opens the channel with it", () => {
  const talk = new Talk({ key: null, installMode: true });
  talk.apply({ kind: "commission", untilMs: 60_000 });
  talk.until("keySet");
  talk.pd.faults.plaintext = true;
  talk.turn();
  expect(talk.told).toContain("commissioned");
  expect(talk.told).not.toContain("up");
  talk.pd.faults.plaintext = false;
  talk.until("online");
  talk.turn();
  expect(talk.told.at(-1)).toBe("up");
  expect(talk.challenges).toEqual([1, 0, 1]);
});
