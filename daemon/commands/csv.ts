/** RFC 4180; a leading character that a spreadsheet would take for a formula is quoted by an apostrophe. */
export function csvField(value: unknown, separator: string): string {
  const text = value === null || value === undefined ? "" : String(value);
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /["\r\n]/.test(safe) || safe.includes(separator) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
