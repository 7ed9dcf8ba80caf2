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
  return isForbidden && path !== undefined ? closedTo(path) : fileWords(error);
}

/** As `wordsOf`, and where no file is, or something else for a file, or a file for a folder, that. Of two files it is the one that was to be. */
export function fileWords(error: unknown): string {
  const { code, path: from, dest: path = from } = error as NodeJS.ErrnoException & { dest?: string };
  if (path === undefined) return wordsOf(error);
  if (code === "ENOENT") return `${path} is not there, or its folder is not`;
  if (code === "EISDIR") return `${path} is a folder, not a file`;
  if (code === "ESPIPE") return `${path} is a pipe, not a file`;
  if (code === "ENOTDIR") return `${path}: a file stands where a folder should be`;
  if (code === "EEXIST") return `${path} is there already, and is no folder`;
  return wordsOf(error);
}

/** No line break, nothing that moves a terminal's cursor or turns text around, no half of a character. */
export function isOneLine(text: string, charactersMax: number): boolean {
  return text.length <= charactersMax && !/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(text);
}
