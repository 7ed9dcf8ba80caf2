/** Bugs that must be caught, each planted in what a gateway is handed, so that its own code is what runs. */
import type { DiskFile, Files } from "../../drivers/ports.ts";
import type { Plant } from "./gate.ts";
import type { LiveOptions } from "./life.ts";
import { JOURNAL } from "./site.ts";

/** How much later what was said to be done is done. */
const LATE_MS = 5_000;
/** Half of what the broker takes at once. */
const IN_FLIGHT_MAX = 10;

/** Writes and syncs of the journal are answered at once, and done later: the relay moves before. */
const pulseBeforeSync: Plant = (ports, { disk }) => {
  disk.liesAbout = (path) => path.startsWith(JOURNAL);
  return ports;
};

/** What was sent counts as acknowledged, as long as the broker takes it all. */
const cursorBeforeAcknowledgement: Plant = (ports) => ({
  ...ports,
  createBroker: (will, subscriptions) => {
    const broker = ports.createBroker(will, subscriptions);
    if (broker === null) return null;
    let inFlight = 0;
    return {
      start: (events) => broker.start(events),
      stop: (last) => broker.stop(last),
      publish: async (message) => {
        inFlight += 1;
        const answered = broker.publish(message).finally(() => {
          inFlight -= 1;
        });
        if (inFlight > IN_FLIGHT_MAX) await answered;
        return { kind: "acknowledged" };
      },
    };
  },
});

/** A relay's driver that gives each pulse twice. */
const twoPulsesAGrant: Plant = (ports, { clock }) => ({
  ...ports,
  createRelay: async (id, events) => {
    const relay = await ports.createRelay(id, events);
    return {
      start: () => relay.start(),
      stop: () => relay.stop(),
      pulse: (durationMs) => {
        relay.pulse(durationMs);
        clock.after(2 * durationMs, () => relay.pulse(durationMs));
      },
    };
  },
});

/** The word which list is in force is answered at once, and written later. */
const swapBeforeStore: Plant = (ports) => ({
  ...ports,
  files: {
    ...ports.files,
    replace: async (path, content) => {
      if (!path.includes("/cards/in-force")) return ports.files.replace(path, content);
      ports.clock.after(LATE_MS, () => void ports.files.replace(path, content).catch(() => undefined));
    },
  },
});

/** At recovery the journal's last line is overlooked: its sequence is given to another. */
const sequenceReused: Plant = (ports) => ({ ...ports, files: withoutLastLine(ports.files) });

function withoutLastLine(files: Files): Files {
  return {
    ...files,
    open: async (path, mode) => {
      const file = await files.open(path, mode);
      if (mode !== "read" || !path.startsWith(JOURNAL)) return file;
      const sizeBytes = await file.sizeBytes();
      const bytes = Buffer.from(await file.read(0, sizeBytes));
      const endBytes = bytes.lastIndexOf(10, bytes.length - 2) + 1;
      return shortened(file, endBytes);
    },
    read: async (path, sizeBytesMax) => {
      const bytes = await files.read(path, sizeBytesMax);
      if (bytes === null || !path.startsWith(JOURNAL)) return bytes;
      return bytes.subarray(0, bytes.lastIndexOf(10, bytes.length - 2) + 1);
    },
  };
}

function shortened(file: DiskFile, endBytes: number): DiskFile {
  return {
    ...file,
    sizeBytes: async () => endBytes,
    read: (offset, lengthBytes) => file.read(offset, Math.max(0, Math.min(lengthBytes, endBytes - offset))),
  };
}

const siteListNotWritten: Plant = (ports) => ({
  ...ports,
  files: {
    ...ports.files,
    replace: async (path, content) => {
      if (!path.includes("/site-list")) await ports.files.replace(path, content);
    },
  },
});

const commandIdsNotWritten: Plant = (ports) => ({
  ...ports,
  files: {
    ...ports.files,
    replace: async (path, content) => {
      if (!path.includes("/command-ids")) await ports.files.replace(path, content);
    },
  },
});

/** By what they are, and a part of the words in which they must be found out. */
export const PLANTS: readonly { bug: string; caughtAs: RegExp; options: LiveOptions }[] = [
  {
    bug: "pulse before sync",
    caughtAs: /a pulse without a durable grant/,
    options: { plant: pulseBeforeSync },
  },
  {
    bug: "two pulses for one grant",
    caughtAs: /a pulse (without a durable grant|that nobody has asked for)/,
    options: { plant: twoPulsesAGrant },
  },
  {
    bug: "cursor before acknowledgement",
    caughtAs: /the cursor says|came before/,
    options: {
      plant: cursorBeforeAcknowledgement,
      // What is not waited for must not be found out by its number alone.
      prepare: ({ world: { broker } }) => {
        broker.session = { ...broker.session, receiveMaximum: 1_000 };
        // A long way to it, so that there is always something under way.
        broker.travelMs = [200, 1_500];
      },
    },
  },
  {
    bug: "swap before store",
    caughtAs: /is in force after .* was decided on/,
    options: { plant: swapBeforeStore },
  },
  {
    bug: "sequence reused after a crash",
    caughtAs: /was durable and is not any more|two events are called|journal/,
    options: { plant: sequenceReused },
  },
  {
    bug: "relay not released at start",
    caughtAs: /not released at start/,
    options: {
      prepare: ({ world }) => {
        for (const id of ["in", "out"]) world.relay(id).forgetsRelease = true;
      },
    },
  },
  {
    bug: "site list not written",
    caughtAs: /blocked by the site/,
    options: { plant: siteListNotWritten },
  },
  {
    bug: "ids of commands not written",
    caughtAs: /command .* twice/,
    options: { plant: commandIdsNotWritten },
  },
  {
    bug: "contact told of twice",
    caughtAs: /have passed, and the contact closed|is answered twice/,
    options: {
      prepare: ({ world }) => {
        world.input("in passage").stutters = true;
      },
    },
  },
];
