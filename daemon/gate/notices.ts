/**
 * What a reader's device tells of itself beside cards, written down and kept in the reader's state. The device hangs
 * outside the door: events are bounded like noise, and keys, which may be somebody's PIN, are only ever counted.
 */
import type { ReaderNotice, Stamp } from "../../drivers/driver.ts";
import type { Clock } from "../../drivers/ports.ts";
import { cut, type Scribe, timeOf } from "../journal/scribe.ts";
import { createNoise, createTally } from "./noise.ts";
import type { ReaderState } from "./reader-state.ts";

export interface Notices {
  take(notice: ReaderNotice, stamp: Stamp): void;
  /** Tells now what has only been counted. */
  flush(): void;
}

export function createNotices(
  reader: string,
  rooms: { clock: Clock; scribe: Scribe; show(part: Partial<ReaderState>): void },
): Notices {
  const { clock, scribe, show } = rooms;
  const write = (stamp: Stamp, data: Record<string, unknown>) =>
    void scribe.write("grindvakt.reader.v1", reader, stamp, { ...data, reader });
  const noise = createNoise(clock, (count) => write(scribe.stamp(), { event: "notices", count }));
  const keys = createTally(clock, (count) => write(scribe.stamp(), { event: "keys", count }));
  const tell = (stamp: Stamp, data: Record<string, unknown>): void => {
    if (noise.admit()) write(stamp, data);
  };
  return {
    take(notice, stamp) {
      switch (notice.kind) {
        case "tamper":
          show({ tamper: notice.active });
          return tell(stamp, { event: "tamper", active: notice.active });
        case "power":
          show({ powerFailed: notice.failed });
          return tell(stamp, { event: "power", failed: notice.failed });
        case "alarm":
          show({ alarm: { at: timeOf(stamp), why: cut(notice.why) } });
          return tell(stamp, { event: "alarm", why: notice.why });
        case "commissioned":
          return tell(stamp, { event: "commissioned" });
        case "keys":
          return keys.add(notice.digits.length);
        case "inputs":
          // Told by the input whose contact it is.
          return;
      }
    },
    flush() {
      noise.flush();
      keys.flush();
    },
  };
}
