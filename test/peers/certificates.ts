/** An authority of our own and what it signs, made by the `openssl` command: for TLS in tests, never for a site. */
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

export interface Authority {
  caFile: string;
  /** For the given names (`DNS:…`, `IP:…`); a negative number of days has expired already. */
  issue(name: string, options?: { names?: string[]; days?: number }): Promise<Issued>;
}

export interface Issued {
  certFile: string;
  keyFile: string;
}

const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

/** Writes all its files into `directory`, which the caller removes. */
export async function makeAuthority(directory: string, commonName = "Test authority"): Promise<Authority> {
  const path = (file: string) => join(directory, file);
  const prefix = commonName.replaceAll(/\W+/g, "-").toLowerCase();
  const caFile = path(`${prefix}.pem`);
  const caKeyFile = path(`${prefix}.key`);
  await openssl([
    "req",
    "-x509",
    ...KEY,
    "-keyout",
    caKeyFile,
    "-out",
    caFile,
    "-days",
    "30",
    "-subj",
    `/CN=${commonName}`,
  ]);
  return {
    caFile,
    issue: async (name, { names = ["DNS:localhost", "IP:127.0.0.1"], days = 30 } = {}) => {
      const [certFile, keyFile, requestFile, extensionFile] = ["pem", "key", "csr", "ext"].map((ending) =>
        path(`${prefix}-${name}.${ending}`),
      ) as [string, string, string, string];
      await writeFile(extensionFile, `subjectAltName=${names.join(",")}\n`);
      await openssl(["req", ...KEY, "-keyout", keyFile, "-out", requestFile, "-subj", `/CN=${name}`]);
      await openssl([
        ...["x509", "-req", "-in", requestFile, "-out", certFile, "-extfile", extensionFile],
        ...["-CA", caFile, "-CAkey", caKeyFile, "-CAcreateserial", "-days", String(days)],
      ]);
      return { certFile, keyFile };
    },
  };
}

async function openssl(parameters: string[]): Promise<void> {
  await promisify(execFile)("openssl", parameters);
}
