/**
 * The one bounded queue before the gateway's loop. Each source has its own row, and rows are served in turn, so a
 * reader whose cable floods cannot delay its neighbours; what does not fit is refused, and the source counts it.
 */

/** Events of one source that wait: what a device server hands over at once after its line was away, and far more. */
export const ROW_EVENTS_MAX = 4_096;

export interface Mailbox<Event> {
  /** False when the source's row is full: the event is dropped, and that is to be recorded. */
  put(source: string, event: Event): boolean;
  /** The next event, a source at a time. */
  take(): Event | undefined;
}

export function createMailbox<Event>(): Mailbox<Event> {
  const rows = new Map<string, Event[]>();
  return {
    put(source, event) {
      const row = rows.get(source);
      if (row === undefined) rows.set(source, [event]);
      else if (row.length < ROW_EVENTS_MAX) row.push(event);
      else return false;
      return true;
    },
    take() {
      for (const [source, row] of rows) {
        const event = row.shift();
        // To the end of the queue of rows, or out of it.
        rows.delete(source);
        if (row.length > 0) rows.set(source, row);
        return event;
      }
      return undefined;
    },
  };
}
