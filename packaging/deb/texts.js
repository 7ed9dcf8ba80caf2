/**
 * The texts of `grindvakt install`, for a package that does not know the site yet: every kind of device is let in, until `grindvakt install -c FILE`
 * writes the unit of a configuration, which goes before this one.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { blacklistText, polkitText, udevText } from "../../dist/daemon/install/rules.js";
import { unitText } from "../../dist/daemon/install/unit.js";
import { credentialName } from "../../dist/drivers/secret-file.js";

const TOKEN_KEY = "/etc/grindvakt/token.key";
const PROGRAM = "/usr/lib/grindvakt/current";
const needs = {
  gateway: "of this machine",
  configFile: "/etc/grindvakt/grindvakt.yaml",
  program: [`${PROGRAM}/node`, `${PROGRAM}/dist/daemon/cli.js`],
  account: "grindvakt",
  dataDir: "/var/lib/grindvakt",
  devices: null,
  credentials: [{ name: credentialName(TOKEN_KEY), file: TOKEN_KEY }],
  variables: ["what the configuration names as env"],
  paths: [],
};
/** The only device whose numbers are known before the site is. */
const relayBoard = { kind: "usb", vendorId: 0x16c0, productId: 0x05df, types: false };

const root = process.argv[2] ?? "";
write("/lib/systemd/system/grindvakt.service", unitText(needs));
write("/lib/udev/rules.d/70-grindvakt.rules", udevText({ ...needs, devices: [relayBoard] }));
write("/lib/modprobe.d/grindvakt.conf", blacklistText());
write("/usr/share/polkit-1/rules.d/50-grindvakt.rules", polkitText(needs));

function write(path, text) {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
