import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FORMS } from "../../config/forms.ts";
import { isOpen, MINUTES_OF_WEEK, parseOpeningHours } from "../../daemon/site/opening-hours.ts";

const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
const DAY_MINUTES = 24 * 60;

const clockTime = fc.integer({ min: 0, max: DAY_MINUTES - 1 });
const span = fc
  .record({
    first: fc.nat(6),
    last: fc.nat(6),
    from: clockTime,
    to: fc.integer({ min: 1, max: DAY_MINUTES }),
  })
  .filter(({ from, to }) => from !== to);
type Span = typeof span extends fc.Arbitrary<infer T> ? T : never;
const minuteOfWeek = fc.integer({ min: 0, max: MINUTES_OF_WEEK - 1 });

function wordsOf({ first, last, from, to }: Span): string {
  const days = first === last ? DAYS[first] : `${DAYS[first]}-${DAYS[last]}`;
  return `${days} ${timeOf(from)}-${timeOf(to)}`;
}

function timeOf(minutes: number): string {
  const two = (count: number): string => String(count).padStart(2, "0");
  return `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

/** As a person reads the sign: today's opening, or yesterday's that goes on past midnight. */
function isOpenByTheSign({ first, last, from, to }: Span, minute: number): boolean {
  const day = Math.floor(minute / DAY_MINUTES);
  const time = minute % DAY_MINUTES;
  const isOn = (weekday: number): boolean =>
    first <= last ? first <= weekday && weekday <= last : weekday >= first || weekday <= last;
  if (from < to) return isOn(day) && from <= time && time < to;
  return (isOn(day) && time >= from) || (isOn((day + 6) % 7) && time < to);
}

test("hours are as a person reads the sign, in every minute", () => {
  fc.assert(
    fc.property(fc.array(span, { minLength: 1, maxLength: 4 }), minuteOfWeek, (spans, minute) => {
      const hours = parseOpeningHours(spans.map(wordsOf));
      expect(isOpen(hours, minute)).toBe(spans.some((one) => isOpenByTheSign(one, minute)));
    }),
    { numRuns: 2_000 },
  );
});

test("no hours are always", () => {
  fc.assert(fc.property(minuteOfWeek, (minute) => isOpen(parseOpeningHours([]), minute)));
});

test("whatever the configuration lets through is read as it stands", () => {
  fc.assert(
    fc.property(span, fc.constantFrom("", " ", "  "), fc.boolean(), (one, space, isLoud) => {
      const words = `${space}${wordsOf(one)}${space}`;
      const outcome = FORMS.hours.read(isLoud ? words.toUpperCase() : words);
      expect(outcome.kind).toBe("value");
      const { value } = outcome as { kind: "value"; value: string };
      expect(parseOpeningHours([value])).toEqual(parseOpeningHours([wordsOf(one)]));
      expect(parseOpeningHours([value]).length).toBeGreaterThan(0);
    }),
  );
});

describe("examples", () => {
  const at = (day: (typeof DAYS)[number], time: string): number => {
    const [hour = 0, minute = 0] = time.split(":").map(Number);
    return DAYS.indexOf(day) * DAY_MINUTES + hour * 60 + minute;
  };

  test.each([
    ["mon-fri 06:00-18:00", "mon", "05:59", false],
    ["mon-fri 06:00-18:00", "mon", "06:00", true],
    ["mon-fri 06:00-18:00", "fri", "17:59", true],
    ["mon-fri 06:00-18:00", "fri", "18:00", false],
    ["mon-fri 06:00-18:00", "sat", "12:00", false],
    ["sun 22:00-06:00", "sun", "23:00", true],
    ["sun 22:00-06:00", "mon", "05:59", true],
    ["sun 22:00-06:00", "mon", "06:00", false],
    ["sun 22:00-06:00", "sun", "03:00", false],
    ["fri-mon 08:00-09:00", "sun", "08:30", true],
    ["fri-mon 08:00-09:00", "tue", "08:30", false],
    ["sat 00:00-24:00", "sat", "23:59", true],
    ["sat 00:00-24:00", "sun", "00:00", false],
  ] as const)("%s on %s at %s: %s", (words, day, time, open) => {
    expect(isOpen(parseOpeningHours([words]), at(day, time))).toBe(open);
  });

  test.each(["", "always", "mon", "06:00-18:00", "mon-xyz 06:00-18:00", "mon 6:00-18:00"])(
    "%j, which is no span, opens nothing",
    (words) => {
      expect(parseOpeningHours([words])).toEqual([]);
    },
  );
});
