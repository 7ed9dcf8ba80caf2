import fc from "fast-check";
import { expect, test } from "vitest";
import { createMailbox, ROW_EVENTS_MAX } from "../../daemon/gate/mailbox.ts";

test("each source gets its own back, in order; what was refused never comes", () => {
  const source = fc.constantFrom("a", "b", "c");
  const burst = fc.integer({ min: ROW_EVENTS_MAX - 10, max: ROW_EVENTS_MAX + 10 });
  const act = fc.oneof(
    { weight: 6, arbitrary: fc.record({ put: source, times: fc.constant(1) }) },
    { weight: 1, arbitrary: fc.record({ put: source, times: burst }) },
    { weight: 3, arbitrary: fc.constant({ put: null, times: 0 }) },
  );
  fc.assert(
    fc.property(fc.array(act, { maxLength: 60, size: "max" }), (acts) => {
      const mailbox = createMailbox<{ source: string; count: number }>();
      const rows = new Map<string, number[]>([
        ["a", []],
        ["b", []],
        ["c", []],
      ]);
      let count = 0;
      for (const { put: source, times } of acts) {
        if (source === null) {
          const event = mailbox.take();
          if (event === undefined) expect([...rows.values()].flat()).toEqual([]);
          else expect(rows.get(event.source)?.shift()).toBe(event.count);
          continue;
        }
        const row = rows.get(source)!;
        const room = ROW_EVENTS_MAX - row.length;
        const put = Array.from({ length: times }, () => {
          count += 1;
          return { count, taken: mailbox.put(source, { source, count }) };
        });
        // The first of them, as many as there is room for.
        expect(put.filter(({ taken }) => taken).length).toBe(Math.min(times, room));
        expect(put.slice(room).some(({ taken }) => taken)).toBe(false);
        row.push(...put.slice(0, room).map(({ count }) => count));
      }
    }),
  );
});

test("nobody waits for more than one event of each other source", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(9), fc.integer({ min: 1, max: 64 })), { maxLength: 20 }),
      (floods) => {
        const mailbox = createMailbox<string>();
        const sources = new Set<string>();
        for (const [source, count] of floods)
          for (let event = 0; event < count; event += 1) {
            mailbox.put(`flood ${source}`, `flood ${source}`);
            sources.add(`flood ${source}`);
          }
        mailbox.put("neighbour", "neighbour");
        const before: string[] = [];
        for (let event = mailbox.take(); event !== "neighbour"; event = mailbox.take()) before.push(event!);
        expect(new Set(before).size).toBe(before.length);
        expect(before.length).toBe(sources.size);
      },
    ),
  );
});

test("one source that floods is refused, and no other is", () => {
  const mailbox = createMailbox<number>();
  const taken = Array.from({ length: 10_000 }, (_, count) => mailbox.put("flood", count)).filter(Boolean);
  expect(taken.length).toBe(ROW_EVENTS_MAX);
  expect(mailbox.put("neighbour", -1)).toBe(true);
  mailbox.take();
  expect(mailbox.put("flood", 0)).toBe(true);
  expect(mailbox.put("flood", 0)).toBe(false);
});
