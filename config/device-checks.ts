/**
 * What devices can and cannot do together: drivers of this version, `reads` that fit, ports that are not shared.
 */
import { type Draft, type Entry, fault, namesOf } from "./draft.ts";
import { type Complaint, didYouMean, enumerate } from "./faults.ts";
import { hidFaults } from "./hid-checks.ts";
import type { InputOptions, ReaderOptions, RelayOptions } from "./schema.ts";

/** The drivers of this version, by type. */
export interface Drivers {
  readers: readonly string[];
  relays: readonly string[];
  inputs: readonly string[];
}

/** Everything a site has wired, wherever the file names it. */
export interface Devices {
  readers: Entry<ReaderOptions>[];
  relays: Entry<RelayOptions>[];
  inputs: Entry<InputOptions>[];
}

export function deviceFaults(
  draft: Draft,
  { readers, relays, inputs }: Devices,
  drivers: Drivers,
): Complaint[] {
  return [
    ...driversNotHere(draft, readers, drivers.readers),
    ...driversNotHere(draft, relays, drivers.relays),
    ...driversNotHere(draft, inputs, drivers.inputs),
    ...readers.flatMap(({ pointer, sound }) => (sound === null ? [] : readsFaults(sound, pointer))),
    ...sharedPorts(readers, relays),
    ...hidFaults(readers, relays),
    ...sharedNames(readers),
    ...sharedTerminals([...relays, ...inputs]),
    ...[...relays, ...inputs].flatMap(({ pointer, sound }) => osdpReader(sound, pointer, readers)),
  ];
}

function driversNotHere(
  draft: Draft,
  entries: Entry<{ driver: string }>[],
  here: readonly string[],
): Complaint[] {
  return entries.flatMap(({ pointer, item: { driver } }) => {
    if (typeof driver !== "string" || here.includes(driver) || !draft.isSound(`${pointer}/driver`)) return [];
    return [
      fault(`${pointer}/driver`, `driver "${driver}" is not in this version, allowed: ${here.join(", ")}`),
    ];
  });
}

function readsFaults(reader: ReaderOptions, pointer: string): Complaint[] {
  if (!("reads" in reader) || typeof reader.reads === "string") return [];
  const { driver, reads } = reader;
  const place = `${pointer}/reads`;
  if ("wiegand" in reads) {
    if (driver !== "osdp" && !(driver === "hid" && reader.mode === "report")) {
      return [
        fault(
          place,
          `wiegand is not in this version for driver ${driver}, allowed: card-number, uid or { uid }`,
        ),
      ];
    }
    if (reads.wiegand > 40 && reads.cut !== undefined) {
      return [fault(`${place}/cut`, `${reads.wiegand} bits hold a whole UID of 7 bytes, allowed: no cut`)];
    }
    const tooFew = reads.wiegand === 26 && !reads.identityOf16Bits;
    const message = "26 bits tell only 65,536 cards apart, allowed: more bits, or identityOf16Bits: true";
    return tooFew ? [fault(`${place}/wiegand`, message)] : [];
  }
  if (reads.bytes === 3 && reads.cut === undefined) {
    return [fault(place, "3 bytes are no whole UID, allowed: cut: first or cut: last beside them")];
  }
  if (reads.bytes === 10 && reads.cut !== undefined) {
    return [fault(`${place}/cut`, "no UID is longer than 10 bytes, allowed: no cut")];
  }
  return [];
}

/** A device that uses a port. Only those of one `bus` share a port, each at its own `unit`. */
interface PortUser {
  pointer: string;
  port: string;
  baudRate: number;
  bus: string | null;
  unitKey: "address" | "channel" | "port";
  unit: number;
}

function sharedPorts(readers: Entry<ReaderOptions>[], relays: Entry<RelayOptions>[]): Complaint[] {
  const users = [...readers, ...relays].flatMap(({ pointer, sound }) => portUser(sound, pointer));
  const first = new Map<string, PortUser>();
  const units = new Set<string>();
  return users.flatMap((user) => {
    const other = first.get(user.port);
    first.set(user.port, other ?? user);
    const unit = `${user.unit} ${user.port}`;
    const unitTaken = units.has(unit);
    units.add(unit);
    if (other === undefined) return [];
    if (user.bus === null || user.bus !== other.bus) {
      return [fault(`${user.pointer}/port`, "is the port of another device too, allowed: a port of its own")];
    }
    if (unitTaken) {
      const key = user.unitKey;
      return [
        fault(
          `${user.pointer}/${key}`,
          `another device has this ${key} of the port, allowed: one of its own`,
        ),
      ];
    }
    if (user.baudRate !== other.baudRate) {
      return [fault(`${user.pointer}/baudRate`, `differs on the same port, allowed: ${other.baudRate}`)];
    }
    return [];
  });
}

function portUser(device: ReaderOptions | RelayOptions | null, pointer: string): PortUser[] {
  switch (device?.driver) {
    case "serial":
      return [{ pointer, port: device.port, baudRate: device.baudRate, bus: null, unitKey: "port", unit: 0 }];
    case "osdp":
      return [
        {
          pointer,
          port: device.port,
          baudRate: device.baudRate,
          bus: "osdp",
          unitKey: "address",
          unit: device.address,
        },
      ];
    case "serial-relay":
      return [
        {
          pointer,
          port: device.port,
          baudRate: device.baudRate,
          bus: "relays",
          unitKey: "channel",
          unit: device.channel,
        },
      ];
    default:
      return [];
  }
}

/** A line of a chip, and an input or output of a reader, is wired to one thing. */
function sharedTerminals(entries: Entry<RelayOptions | InputOptions>[]): Complaint[] {
  const taken = new Set<string>();
  return entries.flatMap(({ pointer, sound }) => {
    const terminal = terminalOf(sound);
    if (terminal === null) return [];
    const { key, name } = terminal;
    if (!taken.has(name)) {
      taken.add(name);
      return [];
    }
    return [fault(`${pointer}/${key}`, `another device has this ${key}, allowed: one of its own`)];
  });
}

/** PC/SC readers are found by a part of their names: where one is a part of another's, both would be the same reader. */
function sharedNames(readers: Entry<ReaderOptions>[]): Complaint[] {
  const named = readers.flatMap(({ pointer, sound }) =>
    sound?.driver === "pcsc" ? [{ pointer, name: sound.name.toLowerCase() }] : [],
  );
  return named.flatMap(({ pointer, name }, index) => {
    const other = named
      .slice(0, index)
      .find((other) => other.name.includes(name) || name.includes(other.name));
    if (other === undefined) return [];
    return [
      fault(
        `${pointer}/name`,
        "may be the name of another reader here, too, allowed: as much of each name as tells them apart, such as the numbers it ends with",
      ),
    ];
  });
}

function terminalOf(device: RelayOptions | InputOptions | null): { key: string; name: string } | null {
  switch (device?.driver) {
    case "gpio":
      return { key: "line", name: `${device.chip} ${device.line}` };
    case "osdp-output":
      return { key: "output", name: `output ${device.output} of ${device.reader}` };
    case "osdp-input":
      return { key: "input", name: `input ${device.input} of ${device.reader}` };
    default:
      return null;
  }
}

function osdpReader(
  device: RelayOptions | InputOptions | null,
  pointer: string,
  readers: Entry<ReaderOptions>[],
): Complaint[] {
  if (device?.driver !== "osdp-output" && device?.driver !== "osdp-input") return [];
  const known = namesOf(readers.filter(({ item }) => item.driver === "osdp"));
  if (known.includes(device.reader)) return [];
  const allowed = known.length === 0 ? "an OSDP reader, of which there is none" : enumerate(known);
  return [
    fault(`${pointer}/reader`, `is no OSDP reader${didYouMean(device.reader, known)}, allowed: ${allowed}`),
  ];
}
