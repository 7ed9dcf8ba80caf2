/** What a service needs of the machine: worked out from a configuration, and all that the texts of this room know of it. */

/** A device by what it takes to let exactly it in. */
export type Need =
  /** A serial port by the name that the configuration gives it. */
  | { kind: "serial"; path: string; isOsdp: boolean }
  /** `types`: a reader that types, which the kernel's keyboard driver is to leave alone. */
  | { kind: "usb"; vendorId: number; productId: number; types: boolean }
  | { kind: "pcsc" }
  /** Its device file. */
  | { kind: "gpio"; chip: string };

/** A file that only root may read, and systemd hands to the service under a name. `encrypted`: what lies there is `sealedOf` the file. */
export interface Credential {
  name: string;
  file: string;
  encrypted?: boolean;
}

/** Where a secret lies that systemd-creds has encrypted, for this machine's TPM or key alone. */
export function sealedOf(file: string): string {
  return `${file}.cred`;
}

export interface Needs {
  gateway: string;
  /** Absolute. */
  configFile: string;
  /** The words that start this program; the first is absolute. */
  program: readonly string[];
  /** The account of the service. */
  account: string;
  dataDir: string;
  /** Null: whatever a site may name, for a package that does not know the site yet. */
  devices: readonly Need[] | null;
  credentials: readonly Credential[];
  /** Names of environment variables that hold secrets. */
  variables: readonly string[];
  /** Every path that the configuration names, beside devices and `dataDir`. */
  paths: readonly string[];
}

/** Whether it needs pcscd, or, as a package does not know that yet, may. */
export function usesPcsc({ devices }: Needs): boolean {
  return devices === null || devices.some(({ kind }) => kind === "pcsc");
}

/** The same of devices that the service opens itself. */
export function opensDevices({ devices }: Needs): boolean {
  return devices === null || devices.some(({ kind }) => kind !== "pcsc");
}

/** Where the values of `variables` are written, for root's eyes. */
export const ENVIRONMENT_FILE = "/etc/grindvakt/environment";

/** One of each. */
export function without<T>(doubles: readonly T[]): T[] {
  return [...new Map(doubles.map((item) => [JSON.stringify(item), item])).values()];
}
