/** More than `{"revision": …}` needs: anything longer is not read. */
const ANNOUNCEMENT_BYTES_MAX = 256;

/** The revision that an announcement names, or null: it may be anybody's bytes, and is a reason to look all the same. */
export function revisionOf(payload: Uint8Array): number | null {
  if (payload.length > ANNOUNCEMENT_BYTES_MAX) return null;
  try {
    const { revision } = JSON.parse(new TextDecoder().decode(payload)) as { revision?: unknown };
    return Number.isSafeInteger(revision) ? (revision as number) : null;
  } catch {
    return null;
  }
}
