/** What went wrong, fit to be shown. */
export function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
