/** What USB devices that speak HID can and cannot do together. */
import { type Entry, fault } from "./draft.ts";
import type { Complaint } from "./faults.ts";
import type { ReaderOptions, RelayOptions } from "./schema.ts";

type HidReader = Extract<ReaderOptions, { driver: "hid" }>;
type HidRelay = Extract<RelayOptions, { driver: "hid-relay" }>;

export function hidFaults(readers: Entry<ReaderOptions>[], relays: Entry<RelayOptions>[]): Complaint[] {
  const wedges = readers.flatMap(({ pointer, sound }) =>
    sound?.driver === "hid" ? [{ pointer, ...sound }] : [],
  );
  const boards = relays.flatMap(({ pointer, sound }) =>
    sound?.driver === "hid-relay" ? [{ pointer, ...sound }] : [],
  );
  return [
    ...wedges.flatMap((reader) => reportFaults(reader, reader.pointer)),
    ...wedges.flatMap((reader, index) =>
      wedges.slice(0, index).some((other) => mayBeSame(reader, other))
        ? [
            fault(
              `${reader.pointer}/productId`,
              "is that of another reader too, allowed: path or serial beside both",
            ),
          ]
        : [],
    ),
    ...boards.flatMap((relay, index) =>
      boards.slice(0, index).some((other) => relay.channel === other.channel && mayBeSameBoard(relay, other))
        ? [
            fault(
              `${relay.pointer}/channel`,
              "is used by another access point too, allowed: one of its own, or path or serial of another board",
            ),
          ]
        : [],
    ),
  ];
}

function reportFaults({ mode, report, reads }: HidReader, pointer: string): Complaint[] {
  if (mode === "keyboard") {
    return report === undefined
      ? []
      : [fault(`${pointer}/report`, "says nothing to a keyboard, allowed: mode: report beside it")];
  }
  if (report === undefined)
    return [fault(`${pointer}/mode`, "is report, allowed: report beside it, which says where the card is")];
  if ((report.lengthBits === undefined) === (report.lengthByte === undefined)) {
    return [fault(`${pointer}/report`, "has no length or two, allowed: one of lengthBits and lengthByte")];
  }
  if (report.holds === "bits" && reads === "card-number") {
    return [
      fault(
        `${pointer}/mode`,
        "gives bits, which are no card number, allowed: reads: uid, { uid } or { wiegand }, or holds: text",
      ),
    ];
  }
  if (report.holds === "text" && typeof reads === "object" && "wiegand" in reads) {
    return [
      fault(
        `${pointer}/reads`,
        "is Wiegand bits, and the report holds text, allowed: card-number, uid, { uid }, or holds: bits",
      ),
    ];
  }
  return [];
}

/** Whether both could mean one device: nothing that both say tells them apart. */
function mayBeSame(one: HidReader, other: HidReader): boolean {
  const sameKind = one.vendorId === other.vendorId && one.productId === other.productId;
  return (
    sameKind &&
    mayBeSameBoard(one, other) &&
    !differ(one.usagePage, other.usagePage) &&
    !differ(one.usage, other.usage)
  );
}

function mayBeSameBoard(
  one: Pick<HidRelay, "serial" | "path">,
  other: Pick<HidRelay, "serial" | "path">,
): boolean {
  return !differ(one.serial, other.serial) && !differ(one.path, other.path);
}

function differ(one: unknown, other: unknown): boolean {
  return one !== undefined && other !== undefined && one !== other;
}
