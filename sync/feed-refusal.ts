/** Why something of a feed is not believed: one closed set of names, used by the client and by its reports. */

/**
 * The attacks of the TUF specification, section 1.5.2, and plain damage, by name.
 * `endless-data`: longer than it may be. `mix-and-match`: rightly signed, but not the file that belongs here.
 */
export type RefusalName =
  | "rollback"
  | "expired"
  | "bad-signature"
  | "mix-and-match"
  | "wrong-hash"
  | "wrong-length"
  | "endless-data"
  | "malformed"
  | "missing-file";

/** The feed was reached, and what it served was refused. The message is fit to be shown. */
export class FeedRefusal extends Error {
  readonly refusal: RefusalName;

  constructor(refusal: RefusalName, why: string) {
    super(why);
    this.name = "FeedRefusal";
    this.refusal = refusal;
  }
}
