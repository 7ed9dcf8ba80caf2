/**
 * All that is written, and where. Each file says in its first line that it was written by this command, with a hash of the rest: one that somebody
 * has changed, or wrote themselves, is told from one that may be written anew.
 */
import { createHash } from "node:crypto";
import { type Needs, opensDevices, usesPcsc } from "./needs.ts";
import { accountText, blacklistText, polkitText, udevText } from "./rules.ts";
import { stateName, unitText } from "./unit.ts";

export interface Paper {
  path: string;
  content: string;
}

const UNIT_FILE = "/etc/systemd/system/grindvakt.service";
const MARK = /^(#|\/\/) Written by grindvakt install; changes are seen by this: ([0-9a-f]{16})\n/;
const HASH_CHARS = 16;

/** Those that this configuration needs. */
export function papersOf(needs: Needs): Paper[] {
  return [
    paper("/etc/sysusers.d/grindvakt.conf", accountText(needs)),
    paper(UNIT_FILE, unitText(needs)),
    ...(opensDevices(needs) ? [paper("/etc/udev/rules.d/70-grindvakt.rules", udevText(needs))] : []),
    ...(usesPcsc(needs)
      ? [
          paper("/etc/modprobe.d/grindvakt.conf", blacklistText()),
          paper("/etc/polkit-1/rules.d/50-grindvakt.rules", polkitText(needs), "//"),
        ]
      : []),
  ];
}

function paper(path: string, text: string, comment = "#"): Paper {
  const mark = `${comment} Written by grindvakt install; changes are seen by this: ${hashOf(text)}`;
  return { path, content: `${mark}\n${text}` };
}

/** What a file that is there already is to us. */
export type Standing = "absent" | "same" | "ours" | "changed" | "foreign";

export function standingOf(found: string | null, { content }: Paper): Standing {
  if (found === null) return "absent";
  if (found === content) return "same";
  const mark = MARK.exec(found);
  if (mark === null) return "foreign";
  return mark[2] === hashOf(found.slice(mark[0].length)) ? "ours" : "changed";
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, HASH_CHARS);
}

/** What is to be done for it all to count, as commands for root. */
export function stepsOf(needs: Needs): string[] {
  const { account, dataDir } = needs;
  return [
    "systemd-sysusers",
    ...(stateName(dataDir) !== null
      ? []
      : [`install -d -m 0700 -o ${account} -g ${account} '${dataDir.replaceAll("'", "'\\''")}'`]),
    ...(opensDevices(needs)
      ? [
          "udevadm control --reload",
          "udevadm trigger --action=add --subsystem-match=tty --subsystem-match=usb --subsystem-match=hidraw --subsystem-match=gpio",
        ]
      : []),
    ...(usesPcsc(needs) ? ["modprobe -r pn533_usb pn533 nfc"] : []),
    "systemctl daemon-reload",
    "systemctl enable --now grindvakt",
  ];
}
