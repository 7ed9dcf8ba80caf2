/** What the machine is told beside the unit: whose the devices are, which kernel modules stay away, who may speak to pcscd, the account. */
import { type Need, type Needs, without } from "./needs.ts";
import { pathWord } from "./unit.ts";

/**
 * udev(7), read after Debian's own rules (60) have given the lasting names. `:=` is the last word, also over a system's own rules that give
 * all devices of a kind to a group.
 */
export function udevText({ account, devices, gateway }: Needs): string {
  const rules = without((devices ?? []).flatMap((need) => rulesOf(need, account)));
  const lead = `# The devices of ${gateway}: open to its account, and to no other but root.`;
  return `${[lead, ...rules].join("\n")}\n`;
}

function rulesOf(need: Need, account: string): string[] {
  const open = `GROUP:="${account}", MODE:="0660"`;
  switch (need.kind) {
    case "serial": {
      const name = pattern(need.path.replace(/^\/dev\//, ""));
      const where = need.path.startsWith("/dev/serial/") ? `SYMLINK=="${name}"` : `KERNEL=="${name}"`;
      const rules = [`SUBSYSTEM=="tty", ${where}, ${open}, ENV{ID_MM_DEVICE_IGNORE}="1"`];
      // FTDI's adapters hold bytes back for 16 ms, which OSDP has not to spare (docs/osdp.md).
      if (need.isOsdp)
        rules.push('ACTION=="add", SUBSYSTEM=="usb-serial", DRIVER=="ftdi_sio", ATTR{latency_timer}="1"');
      return rules;
    }
    case "usb": {
      const id = (key: string) =>
        `${key}{idVendor}=="${hex(need.vendorId)}", ${key}{idProduct}=="${hex(need.productId)}"`;
      const rules = [
        `SUBSYSTEM=="usb", ENV{DEVTYPE}=="usb_device", ${id("ATTR")}, ${open}`,
        `SUBSYSTEM=="hidraw", ${id("ATTRS")}, ${open}`,
      ];
      // A reader that types: the kernel would hand its cards to whatever listens at the console (docs/hid.md).
      if (need.types)
        rules.push(
          `ACTION=="bind", SUBSYSTEM=="usb", ENV{DEVTYPE}=="usb_interface", DRIVER=="usbhid", ${id("ATTRS")}, RUN+="/bin/sh -c 'echo %k > /sys/bus/usb/drivers/usbhid/unbind'"`,
        );
      return rules;
    }
    case "gpio":
      return [`SUBSYSTEM=="gpio", KERNEL=="${pattern(need.chip.replace(/^\/dev\//, ""))}", ${open}`];
    case "pcsc":
      return [];
  }
}

/** Whatever means something to udev stands for any one character. */
function pattern(name: string): string {
  return name.replace(/[^A-Za-z0-9#+.:=@_/-]/g, "?");
}

function hex(id: number): string {
  return id.toString(16).padStart(4, "0");
}

/** modprobe.d(5): the kernel's own NFC drivers take PN533 readers, the ACR122U among them, away from pcscd. */
export function blacklistText(): string {
  const lead = "# PN533 readers, the ACR122U among them, belong to pcscd.";
  return `${[lead, ...["pn533_usb", "pn533", "nfc"].map((name) => `blacklist ${name}`)].join("\n")}\n`;
}

/** polkit(8): pcscd lets in who sits at the machine, and a service does not. */
export function polkitText({ account }: Needs): string {
  return `polkit.addRule(function (action, subject) {
  if (/^org\\.debian\\.pcsc-lite\\.access_(pcsc|card)$/.test(action.id) && subject.user === ${JSON.stringify(account)})
    return polkit.Result.YES;
});
`;
}

/** sysusers.d(5). */
export function accountText({ account, dataDir }: Needs): string {
  return `u ${account} - "Grindvakt, the gateway" ${pathWord(dataDir)}\n`;
}
