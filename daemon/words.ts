import { wordsOf } from "../sync/words.ts";

export { wordsOf };

/** Of a file that is somebody else's: what to do. */
export function closedTo(path: string): string {
  return `${path} is not open to this account: run the command as the account of the gateway, or with sudo`;
}

/** As `wordsOf`, and where this account may not, what to do. */
export function systemWords(error: unknown): string {
  const { code, path } = error as NodeJS.ErrnoException;
  const isForbidden = code === "EACCES" || code === "EPERM";
  return isForbidden && path !== undefined ? closedTo(path) : wordsOf(error);
}

/** No line break, nothing that moves a terminal's cursor or turns text around, no half of a character. */
export function isOneLine(text: string, charactersMax: number): boolean {
  return text.length <= charactersMax && !/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(text);
}
