/** What a keyboard-wedge reader with an American keyboard sends: a report when a key goes down, and one when it goes up. */
const PLAIN = "abcdefghijklmnopqrstuvwxyz1234567890\n\x1b\b\t -=[]\\\0;'`,./";
const SHIFTED: Record<string, string> = { ":": ";", _: "-", "?": "/", "!": "1", '"': "'" };
const SHIFT = 0x02;

export function keyReport(key: number, modifiers = 0): Uint8Array {
  return Uint8Array.of(modifiers, 0, key, 0, 0, 0, 0, 0);
}

export const NO_KEYS = keyReport(0);

export function typed(text: string): Uint8Array[] {
  return [...text].flatMap((character) => {
    const plain = SHIFTED[character] ?? character.toLowerCase();
    const at = PLAIN.indexOf(plain);
    if (at < 0) throw new Error(`no key for ${character}`);
    return [keyReport(4 + at, plain === character ? 0 : SHIFT), NO_KEYS];
  });
}
