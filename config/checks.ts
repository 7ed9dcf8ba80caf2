/**
 * What no schema can say: names that must fit together, devices that must not be shared, sites that would be
 * open to the world. Runs on a draft that may have faults of shape, and says nothing about those parts again.
 */
import { type Drivers, deviceFaults } from "./device-checks.ts";
import { type Draft, type Entry, entriesOf, entryOf, fault, namesOf, section } from "./draft.ts";
import { type Complaint, didYouMean, enumerate } from "./faults.ts";
import { isLoopback } from "./forms.ts";
import type {
  AccessPointOptions,
  CardsOptions,
  ConsoleOptions,
  InputOptions,
  InputUse,
  MqttOptions,
  ReaderOptions,
  RelayOptions,
} from "./schema.ts";

export interface CrossFindings {
  faults: Complaint[];
  warnings: Complaint[];
}

export function crossCheck(draft: Draft, drivers: Drivers): CrossFindings {
  const readers = entriesOf<ReaderOptions>(draft, "readers");
  const points = entriesOf<AccessPointOptions>(draft, "accessPoints");
  const relays = points.flatMap(({ pointer, item }) =>
    entryOf<RelayOptions>(draft, `${pointer}/relay`, item.relay),
  );
  const inputs = points.flatMap(({ pointer, item }) => inputsOf(draft, pointer, item.inputs));
  const cards = section(draft, "cards");
  const mqtt = section(draft, "mqtt");
  const console = section(draft, "console");
  return {
    faults: [
      ...duplicateIds(readers, "reader"),
      ...duplicateIds(points, "access point"),
      ...readerNames(readers, points),
      ...deviceFaults(draft, { readers, relays, inputs }, drivers),
      ...points.flatMap(buttonFaults),
      ...(cards === null ? [] : ageFaults(cards)),
      ...(console === null ? [] : consoleFaults(console)),
    ],
    warnings: [
      ...(cards === null ? [] : feedWarnings(cards)),
      ...(mqtt === null ? [] : openDoors(mqtt)),
      ...(console === null ? [] : consoleWarnings(console)),
      ...passbackWarnings(points),
      ...openLines(readers),
    ],
  };
}

// ---------------------------------------------------------------- names

function duplicateIds(entries: Entry<{ id: string }>[], what: string): Complaint[] {
  const seen = new Set<unknown>();
  return entries.flatMap(({ pointer, item: { id } }) => {
    if (typeof id !== "string") return [];
    if (seen.has(id))
      return [fault(`${pointer}/id`, `is the name of another ${what} too, allowed: a name of its own`)];
    seen.add(id);
    return [];
  });
}

/** Every reader stands at exactly one access point; one that is played stands at none that really opens. */
function readerNames(readers: Entry<ReaderOptions>[], points: Entry<AccessPointOptions>[]): Complaint[] {
  const driverOf = new Map(readers.map(({ item }) => [item.id, item.driver]));
  const known = namesOf(readers);
  const placeOf = new Map<unknown, unknown>();
  const faults: Complaint[] = [];
  for (const { pointer, item } of points) {
    const relay = (item.relay as Partial<RelayOptions> | undefined)?.driver;
    for (const [index, name] of listOf(item.readers).entries()) {
      if (typeof name !== "string") continue;
      const place = `${pointer}/readers/${index}`;
      const other = placeOf.get(name);
      // Where there are no readers at all, that is the fault.
      if (!driverOf.has(name) && known.length > 0) {
        faults.push(fault(place, `is no reader${didYouMean(name, known)}, allowed: ${enumerate(known)}`));
      } else if (other !== undefined && other !== pointer) {
        faults.push(fault(place, "stands at another access point too, allowed: one access point"));
      } else if (driverOf.get(name) === "virtual" && relay !== undefined && relay !== "virtual") {
        faults.push(
          fault(place, "is a virtual reader beside a real relay, allowed: a virtual relay or none"),
        );
      }
      placeOf.set(name, pointer);
    }
  }
  if (points.length === 0 || points.some(({ item }) => !Array.isArray(item.readers))) return faults;
  const unused = readers.filter(({ item }) => typeof item.id === "string" && !placeOf.has(item.id));
  const message = "is named by no access point, allowed: a reader in the readers of one";
  return [...faults, ...unused.map(({ pointer }) => fault(`${pointer}/id`, message))];
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

// ---------------------------------------------------------------- contacts

const INPUT_USES: readonly InputUse[] = ["passage", "request-to-exit", "tamper"];

function inputsOf(draft: Draft, point: string, value: unknown): Entry<InputOptions>[] {
  if (typeof value !== "object" || value === null) return [];
  return INPUT_USES.flatMap((use) =>
    entryOf<InputOptions>(draft, `${point}/inputs/${use}`, (value as Record<string, unknown>)[use]),
  );
}

function buttonFaults({ pointer, sound }: Entry<AccessPointOptions>): Complaint[] {
  if (sound?.inputs["request-to-exit"] === undefined || sound.relay !== undefined) return [];
  return [
    fault(`${pointer}/inputs/request-to-exit`, "there is no relay that it could open, allowed: a relay too"),
  ];
}

// ---------------------------------------------------------------- the list, the broker, the console

function ageFaults(cards: CardsOptions): Complaint[] {
  if (cards.lateAfterMinutes < cards.staleAfterHours * 60) return [];
  return [
    fault(
      "/cards/lateAfterMinutes",
      "the list would be stale before it is late, allowed: less than staleAfterHours",
    ),
  ];
}

function feedWarnings(cards: CardsOptions): Complaint[] {
  const warnings: Complaint[] = [];
  if (cards.feed.startsWith("http://") && !isLoopback(new URL(cards.feed).hostname)) {
    warnings.push(
      fault("/cards/feed", "anyone on the way can read the list and the password, better: https://"),
    );
  }
  if (cards.refreshSeconds >= cards.lateAfterMinutes * 60) {
    warnings.push(
      fault(
        "/cards/refreshSeconds",
        "the list will be late between refreshes, better: less than lateAfterMinutes",
      ),
    );
  }
  return warnings;
}

function openDoors(mqtt: MqttOptions): Complaint[] {
  return mqtt.urls.flatMap((url, index) => {
    if (url.startsWith("mqtts:") || isLoopback(new URL(url).hostname)) return [];
    return [
      fault(`/mqtt/urls/${index}`, "anyone on the way can read and change what is sent, better: mqtts://"),
    ];
  });
}

function consoleFaults({ listen, password, tls }: ConsoleOptions): Complaint[] {
  const faults: Complaint[] = [];
  if (password === undefined && !isLoopback(listen.host)) {
    faults.push(
      fault(
        "/console/listen",
        "is open to the network without a password, allowed: 127.0.0.1:PORT, or a password",
      ),
    );
  }
  if (tls !== undefined && tls.cert === undefined) {
    faults.push(fault("/console/tls", "has no certificate, allowed: cert and key"));
  }
  return faults;
}

function consoleWarnings({ listen, tls }: ConsoleOptions): Complaint[] {
  if (tls !== undefined || isLoopback(listen.host)) return [];
  return [fault("/console/listen", "anyone on the way can read the password, better: tls with cert and key")];
}

function openLines(readers: Entry<ReaderOptions>[]): Complaint[] {
  return readers.flatMap(({ pointer, sound }) => {
    if (sound?.driver !== "osdp" || sound.scbk !== undefined) return [];
    return [fault(pointer, "anyone at the cable can present cards, better: scbk, the reader's own key")];
  });
}

/** Who can only go in is refused the second time, until `resetMinutes` have passed. */
function passbackWarnings(points: Entry<AccessPointOptions>[]): Complaint[] {
  return points.flatMap(({ pointer, sound }) => {
    if (sound === null || sound.passback.mode === "off") return [];
    if (points.some(({ item }) => item.direction !== sound.direction)) return [];
    const other = sound.direction === "entry" ? "exit" : "entry";
    return [
      fault(
        `${pointer}/passback/mode`,
        `only resetMinutes will end a stay, better: an access point with direction ${other}`,
      ),
    ];
  });
}
