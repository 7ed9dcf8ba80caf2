/**
 * What a person at the page may be refused, by code: the page has Swedish words for each (`page/refusals.js`). What only a program can
 * do wrongly has English words alone.
 */
export const REFUSALS = [
  "sign-in",
  "password",
  "no-password",
  "passwords-spent",
  "name",
  "too-often",
  "busy",
  "failed",
  "no-relay",
  "not-written",
  "no-number",
  "reason",
  "until",
  "until-passed",
  "not-on-it",
  "full",
  "not-kept",
  "where",
  "when",
  "when-unset",
  "when-ahead",
  "when-long-ago",
  "no-tap",
  "leads-nowhere",
  "digits",
  "no-test-tap",
  "not-watched",
] as const;

export type Refusal = (typeof REFUSALS)[number];
