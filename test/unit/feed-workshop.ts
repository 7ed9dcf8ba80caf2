/** A centre, its feed and a gateway's client in a fresh directory, on a clock that is set by hand; and a forger's tools. */
import { createHash } from "node:crypto";
import { cpSync } from "node:fs";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { Metadata, type MetadataKind } from "@tufjs/models";
import { centreWorld } from "../../daemon/commands/centre.ts";
import { createDirectorySource } from "../../drivers/feed-directory.ts";
import { createFiles } from "../../drivers/files.ts";
import type { Clock, FeedReply, FeedSource, Files, Log } from "../../drivers/ports.ts";
import { createSystemDisk, systemRandom } from "../../drivers/system.ts";
import type { Status } from "../../sync/card.ts";
import { createFeed, type Feed, type FeedTarget, type RefreshOutcome } from "../../sync/feed.ts";
import { readKeyText } from "../../sync/keys.ts";
import { cardRows, type PublishOutcome, publishCards } from "../../sync/publish.ts";
import { type CardRow, readCsv } from "../../sync/publish-csv.ts";
import { initFeed, type RefreshOutcome as RefreshReport, refreshFeed } from "../../sync/publish-feed.ts";
import { CentreFault, type CentreWorld, type Place } from "../../sync/publish-repository.ts";
import { type SetOutcome, setCard } from "../../sync/publish-set.ts";
import { type VerifyReport, verifyFeed } from "../../sync/publish-verify.ts";

export const DAY_MS = 86_400_000;
export const START_MS = Date.parse("2026-11-22T06:00:00Z");

type Role = "root" | "timestamp" | "snapshot" | "targets";

// biome-ignore lint/suspicious/noExplicitAny: forged metadata is any JSON.
type Json = any;

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** A clock that shows `wallMs` and is moved by hand; what is asked `after` fires by `pass`. */
export class HandClock implements Clock {
  wall = START_MS;
  isTrusted = true;
  readonly waiting = new Set<{ atMs: number; fire: () => void }>();
  monotonicMs = () => this.wall;
  wallMs = () => this.wall;
  trusted = () => this.isTrusted;
  after(delayMs: number, fire: () => void) {
    const entry = { atMs: this.wall + delayMs, fire };
    this.waiting.add(entry);
    return { cancel: () => void this.waiting.delete(entry) };
  }
  pass(ms: number): void {
    this.wall += ms;
    for (const entry of [...this.waiting]) {
      if (entry.atMs > this.wall) continue;
      this.waiting.delete(entry);
      entry.fire();
    }
  }
}

export class Workshop {
  readonly folder: string;
  readonly clock = new HandClock();
  readonly place: Place;
  readonly centre: CentreWorld;
  readonly files: Files = createFiles(createSystemDisk(), systemRandom);
  private clients = 0;

  private constructor(folder: string) {
    this.folder = folder;
    const keysDir = join(folder, "feed.keys");
    this.place = { dir: join(folder, "feed"), keysDir, rootKeysDir: keysDir, passphrase: null };
    this.centre = centreWorld({ clock: this.clock, random: systemRandom });
  }

  static async open(): Promise<Workshop> {
    const workshop = new Workshop(await mkdtemp(join(tmpdir(), "grindvakt-feed-")));
    await initFeed(workshop.place, "test", workshop.centre);
    return workshop;
  }

  /** The same centre and feed once more, in a directory of its own; what is done to the one does not touch the other. */
  async copy(): Promise<Workshop> {
    const copy = new Workshop(await mkdtemp(join(tmpdir(), "grindvakt-feed-")));
    cpSync(this.folder, copy.folder, { recursive: true });
    copy.clock.wall = this.clock.wall;
    return copy;
  }

  close(): Promise<void> {
    return rm(this.folder, { recursive: true, force: true });
  }

  publish(cards: Iterable<CardRow>, allowChange = 0): Promise<PublishOutcome> {
    return publishCards(this.place, cardRows(cards), { allowChange, dryRun: false }, this.centre, () => {});
  }

  publishCsv(
    text: string,
    options: { allowChange?: number; dryRun?: boolean } = {},
  ): Promise<PublishOutcome> {
    const settings = { allowChange: 0, dryRun: false, ...options };
    return publishCards(this.place, readCsv(pieces(Buffer.from(text))), settings, this.centre, () => {});
  }

  set(number: string, status: Status | "removed", validUntilDay?: number | null): Promise<SetOutcome> {
    const change = { status, ...(validUntilDay !== undefined && { validUntilDay }) };
    return setCard(this.place, number, change, this.centre, () => {});
  }

  /** The same without a whole list, however short it is. */
  step(number: string, status: Status | "removed"): Promise<SetOutcome> {
    const limits = { wholeBytesMin: 0, deltaBytesMax: 1_000_000, deltaShareMax: 1_000 };
    return setCard(this.place, number, { status }, this.centre, () => {}, limits);
  }

  refresh(place = this.place): Promise<RefreshReport> {
    return refreshFeed(place, this.centre, () => {});
  }

  verify(): Promise<VerifyReport> {
    return verifyFeed(this.place, this.centre);
  }

  /** The lists of the feed as a gateway gets them: target path to lines without the header. */
  async lists(): Promise<{ targets: FeedTarget[]; lines: Map<string, string[]> }> {
    const feed = this.client();
    const { targets } = await verified(feed);
    const lines = new Map<string, string[]>();
    for (const target of targets) {
      const text = gunzipSync(await collect(feed.download(target))).toString();
      lines.set(target.path, text.trimEnd().split("\n").slice(1));
    }
    return { targets, lines };
  }

  source(): FeedSource {
    return createDirectorySource(this.place.dir, createSystemDisk());
  }

  /** A gateway that was given the feed's first root; `metadataDir` of another client: the same after a restart. */
  client(
    source: FeedSource = this.source(),
    metadataDir = join(this.folder, `gate-${this.clients++}`),
  ): Feed {
    const { clock, files } = this;
    const rootPath = join(this.place.dir, "1.root.json");
    return createFeed({ rootPath, metadataDir }, { clock, files, source, log: silentLog });
  }

  read(name: string): Promise<Buffer> {
    return readFile(join(this.place.dir, name));
  }

  write(name: string, bytes: string | Uint8Array): Promise<void> {
    return writeFile(join(this.place.dir, name), bytes);
  }

  /** Puts the feed aside, to be put back by what is returned. */
  async backup(): Promise<() => Promise<void>> {
    const copy = join(this.folder, `backup-${this.clients++}`);
    await cp(this.place.dir, copy, { recursive: true });
    return async () => {
      await rm(this.place.dir, { recursive: true });
      await cp(copy, this.place.dir, { recursive: true });
    };
  }

  /** Changes what a file says and signs it anew, with the keys of `signers` (key files' names). Hashes elsewhere stay as they are. */
  async forge(name: string, change: (signed: Json) => void, signers: string[] = []): Promise<void> {
    const json = JSON.parse((await this.read(name)).toString());
    change(json.signed);
    const metadata = Metadata.fromJSON(json.signed._type as MetadataKind.Root, json);
    metadata.signatures = {};
    for (const signer of signers.length > 0 ? signers : [json.signed._type as Role]) {
      const key = readKeyText((await readFile(join(this.place.keysDir, `${signer}.pem`))).toString(), null);
      metadata.sign((bytes) => key.sign(bytes));
    }
    await this.write(name, JSON.stringify(metadata.toJSON()));
  }

  /** Makes the timestamp describe the snapshot as it now lies there, and the snapshot the targets. */
  async describe(version: number): Promise<void> {
    await this.forge(`${version}.snapshot.json`, (signed) => {
      signed.meta["targets.json"] = { version: signed.meta["targets.json"].version };
    });
    await this.forge("timestamp.json", (signed) => {
      signed.meta["snapshot.json"] = { version };
    });
  }
}

export async function* pieces(bytes: Uint8Array, sizeBytes = 1_000): AsyncGenerator<Uint8Array, void, void> {
  for (let at = 0; at < bytes.length; at += sizeBytes) yield bytes.subarray(at, at + sizeBytes);
}

export async function collect(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const piece of body) parts.push(piece);
  return Buffer.concat(parts);
}

/** A source whose answer for some paths is another's work. */
export function tampered(source: FeedSource, change: (path: string) => FeedReply | null): FeedSource {
  return { name: source.name, fetch: async (path) => change(path) ?? source.fetch(path) };
}

export function found(bytes: string | Uint8Array): FeedReply {
  return { kind: "found", body: pieces(Buffer.from(bytes)) };
}

export async function* endless(): AsyncGenerator<Uint8Array, void, void> {
  for (;;) yield new Uint8Array(65_536).fill(32);
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** `count` cards, all active, with a token each. */
export function manyCards(count: number): CardRow[] {
  return Array.from({ length: count }, (_, index) => ({
    number: `BB-2401-${String(index).padStart(6, "0")}`,
    status: "active",
    validUntilDay: 21_000,
    tokens: [`04${index.toString(16).toUpperCase().padStart(12, "0")}`],
  }));
}

export async function verified(feed: Feed): Promise<Extract<RefreshOutcome, { kind: "verified" }>> {
  const outcome = await feed.refresh();
  if (outcome.kind !== "verified") throw new Error(JSON.stringify(outcome));
  return outcome;
}

export const wholeOf = (targets: FeedTarget[]) => targets.find((target) => target.base === null)!;

/** The number of the card that `manyCards` gives this index. */
export const numberOf = (index: number) => `BB-2401-${String(index).padStart(6, "0")}`;

/** What the person at the centre is told when `work` is refused. */
export async function linesOf(work: Promise<unknown>): Promise<readonly string[]> {
  const error = await work.then(
    () => new Error("it went well"),
    (error: Error) => error,
  );
  if (!(error instanceof CentreFault)) throw error;
  return error.lines;
}
