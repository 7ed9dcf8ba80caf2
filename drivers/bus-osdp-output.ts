/**
 * An output of an OSDP reader as a relay. The reader times the pulse itself, so that the output falls also where the
 * gateway or the cable dies in the middle of it; the gateway releases at the pulse's own end all the same.
 */
import type { OsdpBus, PdHold } from "./bus-osdp.ts";
import type { PdSettings } from "./bus-osdp-state.ts";
import { OUTPUT } from "./codec/osdp-messages.ts";
import type { RelayModule } from "./driver.ts";
import type { Clock } from "./ports.ts";
import { type Contact, PulseRelay } from "./pulse.ts";

/** A relay's commands settle within a second; the rest is room for a slow timer. */
const COMMAND_MS_MAX = 900;
/** Readers count time in tenths of a second. */
const TIMER_MS = 100;
/** An opening waits for a reader that is down, as it may be back any moment; stopping has to wait for it. */
const OPEN_MS_MAX = 1_500;

/** `address`, `scbk` and `bus` as its reader has them. `output`: from 0. */
export interface OsdpOutputOptions {
  id: string;
  address: number;
  scbk: Uint8Array | null;
  output: number;
  bus: OsdpBus;
}

export const osdpOutput: RelayModule<OsdpOutputOptions> = {
  type: "osdp-output",
  kind: "relay",
  create: (options, world, events) =>
    new PulseRelay(
      { name: `relay of ${options.id}`, open: (lost) => openOutput(options, world.clock, lost) },
      world,
      events,
    ),
};

async function openOutput(
  { bus, address, scbk, output }: OsdpOutputOptions,
  clock: Clock,
  lost: (why: string) => void,
): Promise<Contact> {
  const hold = await holdReader(bus, { address, key: scbk, takesCards: false }, clock, lost);
  const command = async (control: number, timer: number): Promise<void> => {
    await hold.request({ name: "output", records: [{ output, control, timer }] }, COMMAND_MS_MAX);
  };
  return {
    energise: (durationMs) => command(OUTPUT.onForTime, Math.ceil(durationMs / TIMER_MS)),
    release: () => command(OUTPUT.off, 0),
    close: () => hold.release(),
  };
}

/** Resolves once the reader is up; rejects when it is told of as down, or stays down. `lost`: it went down later. */
async function holdReader(
  bus: OsdpBus,
  settings: PdSettings,
  clock: Clock,
  lost: (why: string) => void,
): Promise<PdHold> {
  let settle: (why: string | null) => void = () => {};
  const isUp = new Promise<string | null>((resolve) => {
    settle = resolve;
  });
  const hold = bus.hold(settings, (news) => {
    if (news.kind === "up") settle(null);
    if (news.kind !== "down") return;
    settle(news.why);
    lost(`its reader is down: ${news.why}`);
  });
  if (hold.standing === "up") return hold;
  const bound = clock.after(OPEN_MS_MAX, () => settle(hold.why ?? "it has not answered yet"));
  const why = await isUp;
  bound.cancel();
  if (why === null) return hold;
  await hold.release();
  throw new Error(`its reader is down: ${why}`);
}
