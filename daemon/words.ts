export { wordsOf } from "../sync/words.ts";

/** Of a file that is somebody else's: what to do. */
export function closedTo(path: string): string {
  return `${path} is not open to this account: run the command as the account of the gateway, or with sudo`;
}

/** No line break, nothing that moves a terminal's cursor or turns text around, no half of a character. */
export function isOneLine(text: string, charactersMax: number): boolean {
  return text.length <= charactersMax && !/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(text);
}
