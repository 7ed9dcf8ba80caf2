/**
 * The house: every room of the gate built on its ports and joined, started in the order a gate needs and stopped in the
 * order that loses nothing. The real gate (`main.ts`) and the simulated one differ only in the ports they hand in.
 */
import { join } from "node:path";
import type { Observer, Reader, Reading } from "../drivers/driver.ts";
import type { Message, PublishOutcome } from "../drivers/ports.ts";
import { createFeed } from "../sync/feed.ts";
import type { SiteChange } from "../sync/site-change.ts";
import { createSync, type Sync } from "../sync/sync.ts";
import { type LookupAnswer, lookup, searchFor } from "./answers/lookup.ts";
import { recentTaps, type TapPage } from "./answers/recent-taps.ts";
import { searchTaps, type TapQuery } from "./answers/tap-search.ts";
import { revisionOf } from "./broker/announcement.ts";
import { Outbox } from "./broker/outbox.ts";
import { Post } from "./broker/post.ts";
import { Uplink } from "./broker/uplink.ts";
import { pathsOf } from "./data-paths.ts";
import { ClockWatch } from "./gate/clock-watch.ts";
import { Devices } from "./gate/devices.ts";
import { Gateway } from "./gate/gateway.ts";
import type { Turnstile } from "./gate/turnstile.ts";
import { createJournal, journalSettings } from "./house-journal.ts";
import type { HousePorts, HouseSettings } from "./house-ports.ts";
import type { Journal, Settlement } from "./journal/journal.ts";
import { readEntries } from "./journal/journal-reader.ts";
import type { Recovery } from "./journal/journal-recovery.ts";
import type { Entry } from "./journal/journal-segments.ts";
import type { Line, Sender } from "./journal/record.ts";
import { RESUME_LINES, resume } from "./journal/resume.ts";
import { Scribe } from "./journal/scribe.ts";
import { Presence } from "./presence/presence.ts";
import { PresenceDesk } from "./presence/presence-desk.ts";
import { Replay } from "./presence/presence-replay.ts";
import type { CommandDesk } from "./remote/command-desk.ts";
import { createCommandDesk } from "./remote/command-rooms.ts";
import { HomeAssistant } from "./report/home-assistant.ts";
import {
  createReport,
  eventMessage,
  offlineMessage,
  type Report,
  stateMessages,
  type Topics,
  topicsOf,
} from "./report/report.ts";
import { listStatus, type Status } from "./report/status.ts";
import { type SiteAnswer, SiteDesk, type SiteRequest } from "./site/site-desk.ts";
import { createSiteTime, type SiteTime } from "./site/site-time.ts";
import { forgetInside, hashToken, sealsOf } from "./token-key.ts";
import { wordsOf } from "./words.ts";

export class House {
  readonly #settings: HouseSettings;
  readonly #ports: HousePorts;
  readonly #paths: ReturnType<typeof pathsOf>;
  readonly #topics: Topics;
  readonly #sender: Sender;
  readonly #since: string;
  readonly #siteTime: SiteTime;
  readonly #uplink: Uplink;
  readonly #post: Post;
  readonly #homeAssistant: HomeAssistant;
  /** Null where no command is taken. */
  readonly #commands: CommandDesk | null;
  readonly #gateway: Gateway;
  readonly #journal: Journal;
  readonly #outbox: Outbox;
  readonly #sync: Sync;
  readonly #site: SiteDesk;
  readonly #presence: PresenceDesk;
  readonly #report: Report;
  readonly #scribe: Scribe;
  readonly #clockWatch: ClockWatch;
  /** The key that was in `dataDir` is needed no more. */
  #keyMoved = false;
  readonly #devices = new Devices();

  constructor(settings: HouseSettings, ports: HousePorts) {
    const { clock, random, files, log } = ports;
    const { gateway, site, cards, prefix, version, boot } = settings;
    this.#settings = settings;
    this.#ports = ports;
    this.#paths = pathsOf(settings.dataDir);
    this.#sender = { gateway, site };
    this.#since = new Date(clock.wallMs()).toISOString();
    this.#siteTime = createSiteTime(settings.timeZone);
    this.#topics = topicsOf({ prefix, site, gateway, feed: cards.name });
    const offline = offlineMessage(this.#topics, version, boot);
    const subscriptions = [this.#topics.announcement, ...settings.commands.map(this.#topics.command)];
    this.#uplink = new Uplink(ports.createBroker(offline, subscriptions), offline, ports);
    this.#post = new Post((message) => this.#uplink.publish(message));
    const publish = (message: Message): Promise<PublishOutcome> => this.#post.send(message);
    this.#homeAssistant = new HomeAssistant(
      { ...settings, isOn: settings.homeAssistant, path: this.#paths.announced },
      this.#topics,
      { files, log, publish },
    );
    this.#report = createReport({ clock, publish }, () => [
      ...stateMessages(this.#topics, this.status()),
      ...this.#homeAssistant.states(),
    ]);
    const changed = (): void => this.#report.changed();
    this.#outbox = new Outbox(
      { cursorPath: this.#paths.cursor, sender: this.#sender },
      {
        clock,
        random,
        files,
        log,
        publish: (event) => this.#uplink.publish(eventMessage(this.#topics, event)),
      },
      changed,
    );
    this.#journal = createJournal(journalSettings(settings), ports, {
      outbox: this.#outbox,
      note: (event, data) => void this.#gateway.note(event, data),
    });
    this.#scribe = new Scribe(boot, clock, (draft) => this.#journal.append(draft));
    this.#site = new SiteDesk(
      { path: this.#paths.siteList, siteTime: this.#siteTime },
      { clock, files, log },
    );
    const nameOf = (uid: string) => hashToken(settings.tokenKeys.own, uid);
    const presence = new Presence();
    this.#presence = new PresenceDesk(settings, {
      presence,
      scribe: this.#scribe,
      changed,
    });
    this.#gateway = new Gateway(
      { ...settings, siteTime: this.#siteTime, admit: cards.admit, whenStale: cards.whenStale },
      { clock, log },
      {
        scribe: this.#scribe,
        listAge: () => this.#sync.age(),
        site: this.#site,
        presence,
        hashToken: nameOf,
        changed,
        tapped: (tap) => {
          this.#homeAssistant.tapped(tap);
          ports.tapped(tap);
        },
      },
    );
    // In this event the wall clock and the time since the start stand side by side: a centre can place what came before.
    this.#clockWatch = new ClockWatch(clock, () => this.#gateway.note("clock-trusted", {}));
    const metadataDir = join(this.#paths.cards, "metadata");
    const feed = createFeed({ rootPath: cards.root, metadataDir }, { clock, files, log, source: ports.feed });
    this.#sync = createSync(
      { ...cards, dir: this.#paths.cards, seals: sealsOf(settings.tokenKeys) },
      { ...ports, feed },
      { ...this.#gateway.listEvents, sealed: () => void this.#forgetOldKey() },
    );
    this.#commands = createCommandDesk(
      { names: settings.commands, topics: this.#topics, idsPath: this.#paths.commandIds },
      ports,
      {
        gateway: this.#gateway,
        outbox: this.#outbox,
        devices: this.#devices,
        post: this.#post,
        refresh: () => this.refresh(),
        list: () => this.status().list,
        changeSiteList: (request) => this.changeSiteList(request),
        desk: this,
        hashToken: nameOf,
        changed,
      },
    );
  }

  /** Resolves once it decides. Rejects when `dataDir` cannot be used or a driver's packages cannot be loaded. */
  async start(): Promise<void> {
    // A gate that a crash left open waits for no disk; and what fails here leaves nothing half made behind.
    const begun = [this.#ports.files.makeDirs(this.#settings.dataDir), this.#openDevices()];
    for (const part of await Promise.allSettled(begun)) if (part.status === "rejected") throw part.reason;
    const recovery = await this.#recover();
    await this.#openSiteList();
    await this.#sync.start();
    const { version, machine } = this.#settings;
    this.#gateway.note("started", { version, machine, ...recovery });
    this.#clockWatch.start();
    const { fault } = this.#site.status;
    if (fault !== null) this.#gateway.note("site-list-damaged", { why: fault });
    this.#site.startJournaling((data) =>
      this.#scribe.write("grindvakt.list.v1", "list", this.#scribe.stamp(), data),
    );
    await this.#devices.startReaders();
    this.#presence.readBack(this.#ports, this.#paths.journal, this.#journal.headSeq);
    await this.#commands?.open(this.#scribe.floorMs);
    this.#homeAssistant.start();
    this.#outbox.start(this.#journal);
    this.#uplink.start({
      up: (session) => {
        this.#outbox.connected(session);
        this.#report.connected();
        this.#homeAssistant.connected();
      },
      down: () => {
        this.#outbox.disconnected();
        this.#report.disconnected();
        this.#commands?.disconnected();
        this.#homeAssistant.disconnected();
      },
      received: (message) => {
        if (this.#commands?.received(message) === true) return;
        if (message.topic === this.#topics.announcement) this.#sync.refreshSoon(revisionOf(message.payload));
      },
      subscribed: (topic, why) => this.#commands?.subscribed(topic, why),
    });
  }

  /** Safe after a `start` that failed, too. Resolves when every relay is released and what is known is written down. */
  async stop(): Promise<void> {
    this.#clockWatch.stop();
    // Takes none from now on; no relay waits for a disk that does not answer.
    const commandsStopped = this.#commands?.stop();
    await this.#devices.stop();
    await commandsStopped;
    await this.#presence.stop();
    await this.#sync.stop();
    await this.#site.stop();
    await this.#gateway.stopped();
    await this.#uplink.lastEventsSent(() => this.#outbox.state.unsent === 0);
    this.#report.stop();
    await this.#uplink.stop();
    await this.#outbox.stop();
    await this.#journal.stop();
  }

  status(): Status {
    const { gateway, site, version, boot, accessPoints } = this.#settings;
    return {
      gateway,
      site,
      version,
      boot,
      since: this.#since,
      clockTrusted: this.#ports.clock.trusted(),
      list: listStatus(this.#gateway.list, this.#sync.age()),
      siteList: this.#site.status,
      readers: this.#gateway.readerStates(),
      presence: this.#presence.status,
      relays: this.#gateway.relayStates(),
      inputs: this.#gateway.inputStates(),
      accessPoints: accessPoints.map(({ id, direction, readers }) => ({ id, direction, readers })),
      commands: this.#commands?.states() ?? {},
      outbox: this.#outbox.state,
      journal: { ...this.#journal.fill, state: this.#journal.state, headSeq: this.#journal.headSeq },
      broker: this.#uplink.status,
    };
  }

  /** What has stood still for longer than it ever should, or null: fed to the watchdog. */
  standstill(): string | null {
    if (this.#gateway.isStill) return "taps wait, and none is decided";
    return this.#journal.isStill ? "records wait, and the journal answers nobody" : null;
  }

  lookup(reading: Reading): LookupAnswer {
    const { cards } = this.#settings;
    return lookup(reading, {
      list: this.#gateway.list,
      age: this.#sync.age(),
      site: this.#site,
      siteTime: this.#siteTime,
      nowMs: this.#scribe.judgedMs(this.#scribe.stamp()),
      admit: cards.admit,
      whenStale: cards.whenStale,
    });
  }

  search(reading: Reading): Iterator<void, void> | null {
    return searchFor(reading, this.#gateway.list);
  }

  /** Asks the feed now; resolves when the answer is in force or refused. */
  refresh(): Promise<void> {
    return this.#sync.refreshNow();
  }

  /** Changes the site's own list; resolves once the change is durable and in force, or refused. */
  async changeSiteList(request: SiteRequest): Promise<SiteAnswer> {
    const answer = await this.#site.change(request);
    this.#report.changed();
    return answer;
  }

  /** Of an access point that has a relay, or null. */
  turnstileOf(accessPoint: string): Turnstile | null {
    return this.#gateway.turnstileOf(accessPoint);
  }

  get presence(): PresenceDesk {
    return this.#presence;
  }

  /** What stands on the site's own list, in no order. */
  siteList(): SiteChange[] {
    return this.#site.all();
  }

  reader(id: string): Reader | undefined {
    return this.#devices.reader(id);
  }

  /** Journals and reports something that was done to the gateway. */
  note(event: string, data: Record<string, unknown>): Promise<Settlement> {
    return this.#gateway.note(event, data);
  }

  /** Presents a credential at a virtual reader; a refusal in words, or null when it was taken. */
  present(reader: string, credential: string): string | null {
    return this.#devices.present(reader, credential);
  }

  /** Shows `observer` everything of a reader until the returned function is called. Throws, in words, what it cannot. */
  watch(reader: string, observer: Observer): () => void {
    return this.#devices.watch(reader, observer);
  }

  /** Taps before sequence `before` (null: from the end), newest first. */
  taps(limit: number, before: number | null): Promise<TapPage> {
    return recentTaps(this.#ports.files, this.#paths.journal, this.#sender, limit, this.#endSeq(before));
  }

  /** Taps up to sequence `before` (null: to the end), newest first, that somebody looks for. */
  searchTaps(query: TapQuery, limit: number, before: number | null): Promise<TapPage> {
    const place = { files: this.#ports.files, dir: this.#paths.journal, sender: this.#sender };
    return searchTaps(place, query, limit, this.#endSeq(before));
  }

  #endSeq(before: number | null): number {
    return Math.min(before ?? Number.MAX_SAFE_INTEGER, this.#journal.headSeq + 1) - 1;
  }

  // ---------------------------------------------------------------- joints

  /** Makes them all; of relays, the start is their release. */
  async #openDevices(): Promise<void> {
    await this.#devices.create(this.#settings.accessPoints, this.#ports, this.#gateway);
    await this.#devices.startRelays();
  }

  /** What the run before left behind, for the event that says this one has started. */
  async #recover(): Promise<Partial<Recovery>> {
    const { files, log } = this.#ports;
    try {
      const { head, ...recovery } = await this.#journal.start(await this.#outbox.load());
      const { gateway } = this.#settings;
      const last = readEntries(files, this.#paths.journal, Math.max(1, head.seq - RESUME_LINES), head.seq);
      const relays = new Set(this.#devices.relays.keys());
      const replay = new Replay(gateway);
      const { unknownOutcomes, trustedFloorMs } = await resume(replay.along(last), gateway, relays);
      this.#scribe.raiseFloor(trustedFloorMs);
      this.#presence.restore(replay.presence, head.seq <= RESUME_LINES);
      this.#gateway.resume(unknownOutcomes);
      if (recovery.tornBytes > 0) log.warn("cut a torn tail off the journal", { bytes: recovery.tornBytes });
      if (recovery.damaged) log.error("the journal is damaged; see: grindvakt journal verify");
      return recovery;
    } catch (error) {
      // The gate goes on without its journal, as `whenJournalFails` says; the journal has reported itself as failed.
      log.error("the journal cannot be read", { why: wordsOf(error) });
      return {};
    }
  }

  /** With a key elsewhere, and nothing sealed with the one in `dataDir` any more. */
  async #forgetOldKey(): Promise<void> {
    if (this.#settings.tokenKeys.before === null || this.#keyMoved) return;
    this.#keyMoved = true;
    await forgetInside(this.#paths.tokenKey, this.#ports);
  }

  /** Before anybody is let in: a list that is damaged is restored from the journal first, however long that takes. */
  async #openSiteList(): Promise<void> {
    if ((await this.#site.open(this.#scribe.floorMs)) !== "lost") return;
    const entries = readEntries(this.#ports.files, this.#paths.journal, 1, Number.MAX_SAFE_INTEGER);
    await this.#site.restore(linesOf(entries));
  }
}

async function* linesOf(entries: AsyncIterable<Entry>): AsyncGenerator<Line> {
  for await (const { line } of entries) yield line;
}
