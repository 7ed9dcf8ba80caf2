/**
 * Which character a key types: the reader was set up for the keyboard language of a computer, and types its keys. Dead
 * keys (´ ` ¨ ^ ~) stand for themselves.
 */

export type KeyboardLayout = "us" | "se";

/** From a key's number on: one character a key, plain, with Shift, with AltGr; a key without one has a `\0`. */
interface Row {
  first: number;
  plain: string;
  shift: string;
  altGr?: string;
}

const LETTERS: Row = {
  first: 0x04,
  plain: "abcdefghijklmnopqrstuvwxyz",
  shift: "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
};
const BLANKS: readonly Row[] = [
  { first: 0x28, plain: "\n", shift: "\n" },
  { first: 0x2b, plain: "\t ", shift: "\t " },
];
/** The keypad types digits here whatever num lock says: nobody sees its light. */
const KEYPAD: readonly Row[] = [
  { first: 0x54, plain: "/*-+\n1234567890", shift: "/*-+\n1234567890" },
  { first: 0x67, plain: "=", shift: "=" },
];

const US: readonly Row[] = [
  LETTERS,
  ...BLANKS,
  { first: 0x1e, plain: "1234567890", shift: "!@#$%^&*()" },
  { first: 0x2d, plain: "-=[]\\\\;'`,./", shift: '_+{}||:"~<>?' },
  ...KEYPAD,
  { first: 0x63, plain: ".\\", shift: ".|" },
];

const SE: readonly Row[] = [
  { ...LETTERS, altGr: "\0\0\0\0€\0\0\0\0\0\0\0µ" },
  ...BLANKS,
  { first: 0x1e, plain: "1234567890", shift: '!"#¤%&/()=', altGr: "\0@£$€\0{[]}" },
  { first: 0x2d, plain: "+´å¨''öä§,.-", shift: "?`Å^**ÖÄ½;:_", altGr: "\\\0\0~" },
  ...KEYPAD,
  { first: 0x63, plain: ",<", shift: ",>", altGr: "\0|" },
];

/** By key number: plain, with Shift, with AltGr; undefined where the key types nothing so. */
export type Characters = ReadonlyMap<
  number,
  readonly [plain: string | undefined, shift: string | undefined, altGr: string | undefined]
>;

export const CHARACTERS: Readonly<Record<KeyboardLayout, Characters>> = { us: table(US), se: table(SE) };

function table(rows: readonly Row[]): Characters {
  return new Map(
    rows.flatMap(({ first, plain, shift, altGr = "" }) =>
      [...plain].map((_, at) => [first + at, [pick(plain, at), pick(shift, at), pick(altGr, at)]] as const),
    ),
  );
}

function pick(characters: string, at: number): string | undefined {
  const character = [...characters][at];
  return character === "\0" ? undefined : character;
}
