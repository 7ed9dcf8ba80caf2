/** What stands in a form. */
import { words } from "./words.js";

/** What was filled in, by the fields' names. @returns {Record<string, string>} */
export function fieldsOf(form) {
  const filled = [...new FormData(form)].map(([name, value]) => [name, String(value).trim()]);
  return Object.fromEntries(filled.filter(([, value]) => value !== ""));
}

/** A time as the gateway takes it; what is filled in is by the browser's own clock. */
export function instantOf(value) {
  return new Date(value).toISOString();
}

/** A card number as the list writes it, or null. */
export function numberOf(text) {
  const [, issuer, front, back] =
    /^([A-Z]{2})(\d{4})(\d{6})$/.exec(text.toUpperCase().replace(/[^A-Z0-9]/g, "")) ?? [];
  return issuer === undefined ? null : `${issuer}-${front}-${back}`;
}

/** The same, or throws words for whoever wrote it. */
export function cardOf(text) {
  const number = numberOf(text);
  if (number === null) throw new Error(words().noCardNumber);
  return number;
}
