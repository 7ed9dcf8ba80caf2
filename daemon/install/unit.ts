/**
 * The systemd unit: restarted for as long as it takes, watched by the work it does, its relays released whatever became of it, and shut
 * in with nothing but the devices that the configuration names. Directives: systemd.service(5), systemd.exec(5).
 */
import {
  type Credential,
  ENVIRONMENT_FILE,
  type Need,
  type Needs,
  sealedOf,
  usesPcsc,
  without,
} from "./needs.ts";

/** Longer than the gateway needs to see that a disk does not answer, which it outlives by itself. */
const WATCHDOG_SECONDS = 30;
/** Ten million cards take 2 s, a journal that is read through again minutes. */
const START_SECONDS = 300;
/** The last events are waited for, for some seconds. */
const STOP_SECONDS = 20;

export function unitText(needs: Needs): string {
  const { gateway, program, configFile, account, dataDir } = needs;
  const command = (...words: string[]) => [...program, ...words, "-c", configFile].map(word).join(" ");
  const devices = devicesOf(needs.devices);
  const pcscd = usesPcsc(needs) ? ["pcscd.socket"] : [];
  const modules = devices.modules.map((name) => `modprobe@${name}.service`);
  // A gate decides without a network and without a clock: neither is waited for.
  const after = ["network.target", "local-fs.target", ...pcscd, ...modules];
  const wants = [...pcscd, ...modules];
  return text([
    "[Unit]",
    `Description=Grindvakt, the gate ${gateway}`,
    `After=${after.join(" ")}`,
    ...(wants.length === 0 ? [] : [`Wants=${wants.join(" ")}`]),
    "# However often it fails: a gate is never given up.",
    "StartLimitIntervalSec=0",
    "",
    "[Service]",
    "Type=notify",
    "# A small tool speaks for the program, which cannot send datagrams.",
    "NotifyAccess=all",
    `ExecStart=${command("run")}`,
    "# Whatever became of it: no relay stays energised.",
    `ExecStopPost=${command("release")}`,
    `User=${account}`,
    `Group=${account}`,
    ...(needs.devices === null ? ["SupplementaryGroups=dialout"] : []),
    "Restart=always",
    "RestartSec=1",
    "# 2: the configuration is wrong, and stays so until somebody mends it.",
    "RestartPreventExitStatus=2",
    `WatchdogSec=${WATCHDOG_SECONDS}`,
    `TimeoutStartSec=${START_SECONDS}`,
    `TimeoutStopSec=${STOP_SECONDS}`,
    "# What it has started is ended by it, a pulse of gpioset in its own time.",
    "KillMode=mixed",
    "LimitCORE=0",
    ...stateOf(dataDir),
    ...needs.credentials.map(credential),
    ...(needs.variables.length === 0
      ? []
      : [`# Here: ${needs.variables.join(", ")}.`, `EnvironmentFile=-${ENVIRONMENT_FILE}`]),
    "",
    "# The devices of this configuration, and no others.",
    "DevicePolicy=closed",
    ...devices.allowed.map((name) => `DeviceAllow=${name} rw`),
    ...(devices.allowed.length === 0 ? ["PrivateDevices=yes"] : []),
    "",
    `RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6${devices.hears ? " AF_NETLINK" : ""}`,
    `ProtectHome=${[configFile, dataDir, ...needs.paths].some(isHome) ? "read-only" : "yes"}`,
    ...SANDBOX,
    "",
    "[Install]",
    "WantedBy=multi-user.target",
  ]);
}

/** The same for every site. No MemoryDenyWriteExecute: V8 compiles while it runs. */
const SANDBOX = [
  "ProtectSystem=strict",
  "PrivateTmp=yes",
  "PrivateUsers=yes",
  "PrivateMounts=yes",
  "ProtectClock=yes",
  "ProtectControlGroups=yes",
  "ProtectHostname=yes",
  "ProtectKernelLogs=yes",
  "ProtectKernelModules=yes",
  "ProtectKernelTunables=yes",
  "ProtectProc=invisible",
  "CapabilityBoundingSet=",
  "AmbientCapabilities=",
  "NoNewPrivileges=yes",
  "LockPersonality=yes",
  "RestrictNamespaces=yes",
  "RestrictRealtime=yes",
  "RestrictSUIDSGID=yes",
  "RemoveIPC=yes",
  "KeyringMode=private",
  "UMask=0077",
  "SystemCallArchitectures=native",
  "SystemCallFilter=@system-service",
  "SystemCallFilter=~@privileged @resources",
  "# The thread that builds a card list sets itself back.",
  "SystemCallFilter=setpriority",
  "SystemCallErrorNumber=EPERM",
];

/** A directory that systemd makes and hands to the service: its name below /var/lib, or null where it lies elsewhere. */
export function stateName(dataDir: string): string | null {
  return /^\/var\/lib\/([A-Za-z0-9][\w.-]*(?:\/[A-Za-z0-9][\w.-]*)*)$/.exec(dataDir)?.[1] ?? null;
}

function stateOf(dataDir: string): string[] {
  const name = stateName(dataDir);
  return name === null
    ? [`ReadWritePaths=${pathWord(dataDir)}`]
    : [`StateDirectory=${name}`, "StateDirectoryMode=0700"];
}

function credential({ name, file, encrypted = false }: Credential): string {
  const path = (encrypted ? sealedOf(file) : file).replaceAll("%", "%%");
  return `${encrypted ? "LoadCredentialEncrypted" : "LoadCredential"}=${name}:${path}`;
}

function isHome(path: string): boolean {
  return /^\/(home|root|run\/user)\//.test(path);
}

// ---------------------------------------------------------------- devices

/** What all sites together may name. */
const ALL: readonly Need[] = [
  { kind: "serial", path: "/dev/serial/by-id/any", isOsdp: false },
  { kind: "usb", vendorId: 0, productId: 0, types: true },
];
const ALL_ON_BOARD = ["char-ttyAMA", "char-gpiochip"];

interface Allowed {
  /** As `DeviceAllow` takes them. */
  allowed: string[];
  /** Kernel modules that must be there first: a class that the kernel does not know yet lets nothing in. */
  modules: string[];
  /** Whether it hears of what is plugged in, from the kernel. */
  hears: boolean;
}

/**
 * What can be pulled out and plugged in again is let in as a class, for it comes back under another number; which of the class it is, the udev
 * rules say, as its file is open to the service's account alone.
 */
function devicesOf(needs: readonly Need[] | null): Allowed {
  const found = (needs ?? ALL).map(classOf);
  const allowed = without([
    ...found.flatMap(({ allowed }) => allowed),
    ...(needs === null ? ALL_ON_BOARD : []),
  ]);
  const modules = without(found.flatMap(({ modules }) => modules));
  return { allowed, modules, hears: found.some(({ hears }) => hears) };
}

function classOf(need: Need): Allowed {
  switch (need.kind) {
    case "serial":
      return /^\/dev\/(ttyUSB|ttyACM|serial\/)/.test(need.path)
        ? { allowed: ["char-ttyUSB", "char-ttyACM"], modules: ["usbserial", "cdc_acm"], hears: false }
        : { allowed: [pathWord(need.path)], modules: [], hears: false };
    case "usb":
      return { allowed: ["char-usb_device", "char-hidraw"], modules: ["usbhid"], hears: true };
    case "gpio":
      return { allowed: [pathWord(need.chip)], modules: [], hears: false };
    case "pcsc":
      // pcscd has the reader; we only speak to pcscd.
      return { allowed: [], modules: [], hears: false };
  }
}

// ---------------------------------------------------------------- systemd's own spelling

/** One word of a command, where `$` means something. */
export function word(text: string): string {
  return pathWord(text.replaceAll("$", "$$$$"));
}

/** One word of a list of paths; `%` means something everywhere. */
export function pathWord(text: string): string {
  const spelled = text.replaceAll("%", "%%");
  return /^[\w./:@%+=,-]+$/.test(spelled) ? spelled : `"${spelled.replace(/["\\]/g, "\\$&")}"`;
}

function text(lines: readonly string[]): string {
  return `${lines.join("\n")}\n`;
}
