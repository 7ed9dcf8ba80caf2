/** Certificates: until when each is valid, and whether a key is the one of its certificate. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { wordsOf } from "../words.ts";
import { type Finding, findings } from "./finding.ts";

const { ok, warning, wrong } = findings("certificates");
/** Long enough for an order, a signature and somebody's way to the site. */
const WARNING_DAYS = 30;
const DAY_MS = 24 * 3_600_000;
/** A chain has a few; a bundle of authorities some hundred. */
const CERTIFICATES_MAX = 500;

/**
 * `nowMs` null: the clock cannot be believed, and no validity is judged. `isBundle`: authorities, of which any may be the one;
 * else a certificate with its chain, which ends with the first of them.
 */
export function lookAtCertificates(
  path: string,
  { pem, isBundle }: { pem: string; isBundle: boolean },
  nowMs: number | null,
): Finding {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0)
    return wrong(path, "holds no certificate in PEM", "write there what the authority gave you");
  try {
    const dated = blocks.slice(0, CERTIFICATES_MAX).map((block) => {
      const { subject, validFrom, validTo } = new X509Certificate(block);
      return { subject, fromMs: Date.parse(validFrom), toMs: Date.parse(validTo) };
    });
    const counts = dated.reduce((one, other) => (other.toMs < one.toMs === isBundle ? one : other));
    return judge(path, counts, nowMs);
  } catch (error) {
    return wrong(path, `cannot be read: ${wordsOf(error)}`, "write there what the authority gave you");
  }
}

interface Validity {
  subject: string;
  fromMs: number;
  toMs: number;
}

/** A certificate by its two dates; `subject`: whose it is, on one line. */
export function judge(path: string, { subject, fromMs, toMs }: Validity, nowMs: number | null): Finding {
  const name = subject.replaceAll("\n", ", ");
  const what = `${name} is valid until ${day(toMs)}`;
  if (nowMs === null) return ok(path, what);
  if (toMs <= nowMs) return wrong(path, `${name} expired on ${day(toMs)}`, "have a new certificate made");
  if (fromMs > nowMs)
    return wrong(path, `${name} is not valid before ${day(fromMs)}`, "is this machine's clock right?");
  return toMs - nowMs < WARNING_DAYS * DAY_MS
    ? warning(path, what, "have a new certificate made in time")
    : ok(path, what);
}

export function lookAtKey(path: string, certificate: string, key: string): Finding | null {
  try {
    const fits = new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key));
    return fits
      ? null
      : wrong(path, "is not the key of its certificate", "put the key there that cert was made for");
  } catch (error) {
    return wrong(
      path,
      `cannot be read: ${wordsOf(error)}`,
      "a private key in PEM without a passphrase goes there",
    );
  }
}

function day(ms: number): string {
  return Number.isNaN(ms)
    ? "a day that cannot be read"
    : new Date(ms).toISOString().slice(0, "YYYY-MM-DD".length);
}
