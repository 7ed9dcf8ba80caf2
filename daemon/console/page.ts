/** The technician's page: a handful of files beside this one, as they are, read once when the console is made. */
import { createHash } from "node:crypto";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Files } from "../../drivers/ports.ts";
import type { Language } from "../gate/reasons.ts";

const FILE_BYTES_MAX = 128 * 1024;
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
};

export interface PageFile {
  type: string;
  text: string;
  /** For `ETag`: another one when the file is another. */
  tag: string;
}

/** All that somebody sees who has no password: a page that needs no other file. `policy`: its Content-Security-Policy. */
export interface SignInPage {
  html: string;
  policy: string;
}

export interface Page {
  /** By name, as it stands in `/page/`. */
  files: ReadonlyMap<string, PageFile>;
  signIn: SignInPage;
  /** The page at `/`. */
  in(language: Language): string;
}

export async function loadPage(disk: Files): Promise<Page> {
  const dir = fileURLToPath(new URL("./page/", import.meta.url));
  const names = (await disk.names(dir)).filter((name) => extname(name) in TYPES);
  const files = new Map<string, PageFile>();
  for (const name of names) {
    const bytes = await disk.read(join(dir, name), FILE_BYTES_MAX);
    if (bytes === null) continue;
    const tag = `"${createHash("sha256").update(bytes).digest("base64url").slice(0, 16)}"`;
    files.set(name, { type: TYPES[extname(name)]!, text: Buffer.from(bytes).toString(), tag });
  }
  const textOf = (name: string): string => {
    const file = files.get(name);
    if (file === undefined) throw new Error(`the console's page is not whole: ${join(dir, name)} is missing`);
    return file.text;
  };
  const index = textOf("index.html");
  const signIn = textOf("sign-in.html");
  return {
    files,
    signIn: { html: signIn, policy: policyOf(signIn) },
    in: (language) => index.replace('lang="sv"', `lang="${language}"`),
  };
}

/** The better of the two, by what a browser prefers (RFC 9110, section 12.5.4); Swedish where it says neither. */
export function languageOf(accepted: string): Language {
  const wishes = accepted.split(",").flatMap((wish) => {
    const [tag = "", ...parameters] = wish
      .trim()
      .toLowerCase()
      .split(/\s*;\s*/);
    const quality = Number(parameters.find((text) => text.startsWith("q="))?.slice(2) ?? 1);
    const [language] = tag.split("-");
    return language === "sv" || language === "en" ? [{ language: language as Language, quality }] : [];
  });
  const [best] = wishes.sort((a, b) => b.quality - a.quality);
  return best !== undefined && best.quality > 0 ? best.language : "sv";
}

/** Only what stands in the page itself, named by its hash; it may speak to the console and to nobody else. */
function policyOf(html: string): string {
  const hashOf = (element: string): string => {
    const text = new RegExp(`<${element}>([\\s\\S]*?)</${element}>`).exec(html)?.[1] ?? "";
    return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
  };
  return [
    "default-src 'none'",
    `style-src ${hashOf("style")}`,
    `script-src ${hashOf("script")}`,
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}
