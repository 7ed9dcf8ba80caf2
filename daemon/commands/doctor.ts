import { Command } from "commander";
import type { Configuration } from "../../config/schema.ts";
import { openChannel, parseChannelAddress } from "../../drivers/channel.ts";
import { slowAdapterOf } from "../../drivers/latency-timer.ts";
import { acquireLock } from "../../drivers/lock.ts";
import { createMachine } from "../../drivers/machine.ts";
import type { Files } from "../../drivers/ports.ts";
import { createSystem, type System } from "../../drivers/system.ts";
import { askControl } from "../control.ts";
import { pathsOf } from "../data-paths.ts";
import { gatewayAccount } from "../doctor/account.ts";
import { lookAtCertificates, lookAtKey } from "../doctor/certificates.ts";
import { lookAtClock } from "../doctor/clock.ts";
import { lookAtDevice } from "../doctor/devices.ts";
import { lookAtDisk } from "../doctor/disk.ts";
import { countOf, type Finding, findings, type Group } from "../doctor/finding.ts";
import { lookAtDataDir, lookAtFile, lookAtSecret, lookAtTokenKey } from "../doctor/permissions.ts";
import { type Answered, lookAtGateway, lookAtList } from "../doctor/running.ts";
import { lookAtPcsc } from "../doctor/usb.ts";
import { credentialsOf } from "../main-secrets.ts";
import type { Status } from "../report/status.ts";
import { VERSION } from "../version.ts";
import { wordsOf } from "../words.ts";
import { lookAtBroker, lookAtBrokerCertificates } from "./doctor-broker.ts";
import { writeBundle } from "./doctor-bundle.ts";
import { listOnDisk, lookAtFeed } from "./doctor-feed.ts";
import { devicesOf, filesOf, readSecrets, type SecretFound, tlsIn } from "./doctor-site.ts";
import { Exit } from "./exit.ts";
import { CONFIGURATION_OPTION, paint, print, printJson, readSite } from "./terms.ts";

const PEM_BYTES_MAX = 1024 * 1024;
/** What is asked of the port is only whether it opens; no byte is sent, so any speed will do. */
const ANY_BAUD_RATE = 9600;

interface Options {
  config: string;
  json?: true;
  bundle?: string;
}

export function doctorCommand(): Command {
  return new Command("doctor")
    .description(
      "walks the site's own order of checks, with the gateway running or stopped, and says what to do",
    )
    .requiredOption(...CONFIGURATION_OPTION)
    .option("--json", "facts for a program")
    .option("--bundle <file>", "collect what a supplier needs into FILE.tar.gz, or into a new folder")
    .action(async (options: Options) => {
      const system = await createSystem();
      try {
        await doctor(options, system);
      } finally {
        system.stop();
      }
    });
}

async function doctor({ config, json, bundle }: Options, system: System): Promise<void> {
  const site = await readSite(config, system.files);
  const isQuiet = json === true;
  const visit =
    site.configuration === null
      ? { found: site.faults.map(faultOf), status: null, secrets: [] }
      : await walk(config, site.configuration, site.warnings, system, isQuiet ? () => undefined : printGroup);
  if (site.configuration === null && !isQuiet)
    for (const fault of site.faults) process.stderr.write(`${fault}\n`);
  const count = countOf(visit.found);
  const { configuration } = site;
  if (json === true)
    printJson({ ok: count.wrong === 0, version: VERSION, config, count, findings: visit.found });
  else if (configuration !== null) print(verdict(count));
  if (bundle !== undefined) {
    const secrets = visit.secrets.flatMap(({ value }) => (value === null ? [] : [value]));
    await writeBundle(bundle, { ...visit, configuration, secrets }, system);
    if (!isQuiet) print(`${bundle}: written for a supplier; look through it before you send it`);
  }
  if (configuration === null) throw new Exit(2, "");
  if (count.wrong > 0) throw new Exit(1, "");
}

function faultOf(fault: string): Finding {
  return findings("configuration").wrong(
    "configuration",
    fault,
    "mend the file; grindvakt check -c FILE shows the same",
  );
}

// ---------------------------------------------------------------- the walk

export interface Walk {
  found: Finding[];
  status: Status | null;
  secrets: SecretFound[];
}

type Tell = (group: Group, found: readonly Finding[]) => void;

/** One group after the other, as a person would; `tell` hears of each when it is done. */
async function walk(
  file: string,
  configuration: Configuration,
  warnings: readonly string[],
  system: System,
  tell: Tell,
): Promise<Walk> {
  const { clock, files } = system;
  const { dataDir } = configuration;
  const machine = createMachine();
  const account = await gatewayAccount(machine, dataDir);
  const answered = await askGateway(dataDir);
  const status = answered.kind === "running" ? answered.status : null;
  const secrets = await readSecrets(configuration);
  const nowMs = clock.trusted() ? clock.wallMs() : null;
  const mqtt = await credentials("mqtt", configuration.mqtt ?? {}, files);
  const cards = await credentials("cards", configuration.cards, files);
  const deviceWorld = {
    machine,
    account,
    tryPort: status === null ? tryPort : null,
    slowAdapter: (port: string) => slowAdapterOf(machine, port),
  };

  const steps: readonly [Group, () => Promise<Finding[]>][] = [
    ["configuration", async () => lookAtConfiguration(file, configuration, warnings)],
    ["gateway", async () => lookAtGateway(answered, dataDir)],
    [
      "permissions",
      async () => [
        ...(await lookAtDataDir(machine, dataDir, account)),
        ...(await Promise.all(secrets.map(({ use }) => lookAtSecret(machine, use, account)))),
        ...lookAtTokenKey(tokenKeyFile(configuration), dataDir),
        ...(await Promise.all(filesOf(configuration).map((use) => lookAtFile(machine, use, account)))),
      ],
    ],
    [
      "devices",
      async () =>
        (
          await Promise.all(devicesOf(configuration, status).map((use) => lookAtDevice(use, deviceWorld)))
        ).flat(),
    ],
    ["pcsc", async () => (usesPcsc(configuration) ? lookAtPcsc(machine) : [])],
    ["clock", () => lookAtClock(machine, { trusted: clock.trusted(), wallMs: clock.wallMs() })],
    [
      "disk",
      () =>
        lookAtDisk(machine, files, {
          dataDir,
          journalDir: pathsOf(dataDir).journal,
          maxBytes: configuration.journal.maxBytes,
        }),
    ],
    [
      "broker",
      async () =>
        typeof mqtt === "string" ? [notAsked("broker", mqtt)] : lookAtBroker(configuration, mqtt, system),
    ],
    [
      "certificates",
      async () => [
        ...(await lookAtTlsFiles(configuration, files, nowMs)),
        ...(typeof mqtt === "string" ? [] : await lookAtBrokerCertificates(configuration, mqtt.tls, nowMs)),
      ],
    ],
    [
      "feed",
      async () =>
        typeof cards === "string" ? [notAsked("feed", cards)] : lookAtFeed(configuration, cards, system),
    ],
    ["list", async () => [lookAtList(status?.list ?? (await listOnDisk(configuration, system)))]],
  ];

  const found: Finding[] = [];
  for (const [group, look] of steps) {
    // One thing that cannot be looked at must not hide all the others.
    const ofGroup = await look().catch((error: unknown) => [
      findings(group).wrong(
        group,
        `cannot be looked at: ${wordsOf(error)}`,
        "run doctor as the gateway's account, or with sudo",
      ),
    ]);
    tell(group, ofGroup);
    found.push(...ofGroup);
  }
  return { found, status, secrets };
}

function tokenKeyFile({ cards: { tokenKey } }: Configuration): string | null | undefined {
  if (tokenKey === undefined) return undefined;
  return "file" in tokenKey ? tokenKey.file : null;
}

function lookAtConfiguration(
  file: string,
  { gateway, readers, accessPoints }: Configuration,
  warnings: readonly string[],
): Finding[] {
  const { ok, warning } = findings("configuration");
  const counted = `${gateway.id} at ${gateway.site}: readers: ${readers.length}, access points: ${accessPoints.length}`;
  return [ok(file, counted), ...warnings.map((fault) => warning(file, fault, "change it, or live with it"))];
}

async function askGateway(dataDir: string): Promise<Answered> {
  const answer = await askControl(pathsOf(dataDir).control, "status", {});
  if (answer.kind === "result") return { kind: "running", status: answer.result as Status };
  if (answer.kind === "error") return { kind: "refused", why: answer.why };
  const lock = await acquireLock(dataDir).catch(() => "none" as const);
  if (lock === null) return { kind: "silent" };
  if (lock !== "none") await lock.release();
  return { kind: "stopped" };
}

/** Or why a secret or a file cannot be read. */
async function credentials(section: string, options: Parameters<typeof credentialsOf>[1], files: Files) {
  return credentialsOf(section, options, files).catch(wordsOf);
}

function notAsked(group: Group, why: string): Finding {
  return findings(group).warning(
    group,
    `not asked: ${why}`,
    "see permissions above, then run doctor once more",
  );
}

async function tryPort(port: string): Promise<string | null> {
  const parsed = parseChannelAddress(port, ANY_BAUD_RATE);
  if (parsed.kind === "refused") return parsed.why;
  try {
    const channel = await openChannel(parsed.address, { data: () => undefined, closed: () => undefined });
    await channel.close();
    return null;
  } catch (error) {
    return wordsOf(error);
  }
}

function usesPcsc({ readers }: Configuration): boolean {
  return readers.some(({ driver }) => driver === "pcsc");
}

async function lookAtTlsFiles(
  configuration: Configuration,
  files: Files,
  nowMs: number | null,
): Promise<Finding[]> {
  const read = async (file: string): Promise<string | null> => {
    const bytes = await files.read(file, PEM_BYTES_MAX).catch(() => null);
    return bytes === null ? null : Buffer.from(bytes).toString();
  };
  const found: (Finding | null)[] = [];
  for (const { path, ...parts } of tlsIn(configuration)) {
    for (const part of ["ca", "cert"] as const) {
      const pem = parts[part] === undefined ? null : await read(parts[part]);
      if (pem !== null)
        found.push(lookAtCertificates(`${path}.${part}`, { pem, isBundle: part === "ca" }, nowMs));
    }
    const [cert, key] = [parts.cert, parts.key];
    const pair = cert === undefined || key === undefined ? [] : await Promise.all([read(cert), read(key)]);
    if (typeof pair[0] === "string" && typeof pair[1] === "string")
      found.push(lookAtKey(`${path}.key`, pair[0], pair[1]));
  }
  return found.filter((finding) => finding !== null);
}

// ---------------------------------------------------------------- on paper

const COLOURS = { ok: "green", warning: "yellow", wrong: "red" } as const;
const LEVEL_WIDTH = "warning".length;

function printGroup(group: Group, found: readonly Finding[]): void {
  if (found.length === 0) return;
  print(paint(group, "bold"));
  for (const { level, subject, what, todo } of found) {
    print(`  ${paint(level.padEnd(LEVEL_WIDTH), COLOURS[level])}  ${subject}: ${what}`);
    if (todo !== null) print(`  ${"".padEnd(LEVEL_WIDTH)}  ${paint("do:", "bold")} ${todo}`);
  }
}

function verdict({ warning, wrong }: ReturnType<typeof countOf>): string {
  const warnings = warning === 0 ? "" : `, ${warning} ${warning === 1 ? "warning" : "warnings"}`;
  if (wrong === 0) return paint(`nothing is wrong${warnings}`, warning === 0 ? "green" : "yellow");
  return paint(`${wrong} ${wrong === 1 ? "thing is" : "things are"} wrong${warnings}`, "red");
}
