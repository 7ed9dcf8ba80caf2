/**
 * The ports: everything that can surprise us, and what each one promises. Rooms above (`sync/`, `daemon/`)
 * know these types and nothing behind them; the real world and the simulated one both implement them and
 * pass the same conformance suites (`test/conformance/`).
 *
 * Units stand last in a name (`Ms`, `Bytes`). A failure that is expected is a returned value or a rejected
 * promise with an `Error` whose message is fit to be shown; nothing here throws synchronously.
 */

// ---------------------------------------------------------------- time and chance

/** Time is an argument: monotonic to measure with, wall to record. */
export interface Clock {
  /** Milliseconds since an arbitrary start; never goes backwards, is not changed by setting the wall clock. */
  monotonicMs(): number;
  /** Milliseconds since 1970 UTC as the machine believes. May jump either way, and may start in 1970. */
  wallMs(): number;
  /** False until the machine's time has been synchronised since it booted; once true it stays true. */
  trusted(): boolean;
  /** Calls `fire` once, never synchronously, at or after `delayMs`; earlier deadlines first. */
  after(delayMs: number, fire: () => void): Timer;
}

export interface Timer {
  /** Safe at any time, also after the timer has fired. */
  cancel(): void;
}

export interface Random {
  /** Unpredictable bytes, fit for keys. */
  bytes(count: number): Uint8Array;
  /** A number in [0, 1), for jitter. */
  fraction(): number;
}

// ---------------------------------------------------------------- disk

/**
 * The file system's own few calls, as a machine with a power cord has them. What was written is safe only
 * after `sync`; a file that was made, renamed or removed is safely so only after `syncDir` of its directory.
 * Errors carry Node's `code` (`ENOENT`, `ENOSPC`, `EIO`, …).
 */
export interface Disk {
  /**
   * `read`: an existing file; `append`: an existing file, writing at its end, each write safe once it resolves, without a
   * `sync`; `new`: must not exist yet.
   */
  open(path: string, mode: "read" | "append" | "new"): Promise<DiskFile>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** One level; fine when it is there already. Mode 0700. */
  makeDir(path: string): Promise<void>;
  syncDir(path: string): Promise<void>;
  /** Names in a directory, in no order; rejects with `ENOENT` when there is none. */
  list(path: string): Promise<string[]>;
  /** Space that this process may still use on the file system that holds `path`. */
  freeBytes(path: string): Promise<number>;
}

export interface DiskFile {
  sizeBytes(): Promise<number>;
  /** Up to `lengthBytes` from `offset`; shorter only at the end of the file. */
  read(offset: number, lengthBytes: number): Promise<Uint8Array>;
  /** All of `bytes` at the end of the file, or a rejection after which any part may be there. */
  write(bytes: Uint8Array): Promise<void>;
  /** Everything written so far is on stable storage (fdatasync). */
  sync(): Promise<void>;
  truncate(sizeBytes: number): Promise<void>;
  close(): Promise<void>;
}

/** What rooms above use: `Disk` with the few habits that keep data whole. Made by `drivers/files.ts` from any Disk. */
export interface Files extends Disk {
  /** The whole file, or null when there is none; rejects with `EFBIG` when it is larger than `sizeBytesMax`. */
  read(path: string, sizeBytesMax: number): Promise<Uint8Array | null>;
  /**
   * Replaces a file whole: temporary file beside it, sync, rename, sync of the directory. Once it resolves a
   * power cut finds the new content; before, the old or the new, never a half.
   */
  replace(path: string, content: Uint8Array | AsyncIterable<Uint8Array>): Promise<void>;
  /** Removes a file durably; fine when there is none. */
  remove(path: string): Promise<void>;
  /** Makes a directory and its missing parents, each durably. */
  makeDirs(path: string): Promise<void>;
  /** Names in a directory, sorted; empty when there is no such directory. */
  names(path: string): Promise<string[]>;
}

// ---------------------------------------------------------------- wires

/** Where a byte stream is: a serial device by name, or a serial device server. */
export type ChannelAddress =
  | { kind: "serial"; path: string; baudRate: number }
  | { kind: "tcp"; host: string; port: number };

export interface ChannelEvents {
  /** Bytes as they came, in pieces of any size. Not called before `open` resolves nor after `closed`. */
  data(bytes: Uint8Array): void;
  /** Once, when the channel is gone for any cause but our own `close`. */
  closed(why: string): void;
}

/** An open byte stream, both ways. */
export interface Channel {
  /** Resolves once the bytes are handed to the device; rejects when it is gone or takes longer than a second. */
  write(bytes: Uint8Array): Promise<void>;
  /** Safe at any time and more than once; `closed` is not called for it. */
  close(): Promise<void>;
}

/** Rejects within 5 s with a message that says what is not there. */
export type OpenChannel = (address: ChannelAddress, events: ChannelEvents) => Promise<Channel>;

// ---------------------------------------------------------------- broker

export interface Message {
  topic: string;
  payload: string;
  retain: boolean;
  /** MQTT 5 only; dropped on 3.1.1. */
  contentType?: string;
  /** The same: what the asker of an answer knows it by. */
  correlationData?: Uint8Array;
}

/**
 * A message that came to one of our subscriptions. `retained`: it was published to be kept. On 3.1.1 that is seen only of one that
 * had been kept when we subscribed.
 */
export interface Received {
  topic: string;
  payload: Uint8Array;
  retained: boolean;
  responseTopic?: string;
  correlationData?: Uint8Array;
}

/** `lost`: the connection ended before an answer came; nobody knows whether the broker has it. */
export type PublishOutcome =
  | { kind: "acknowledged" }
  | { kind: "refused"; why: string }
  | { kind: "lost"; why: string };

/** What one connection offers. `receiveMaximum`: unacknowledged messages the broker takes at once. */
export interface BrokerSession {
  url: string;
  protocol: "5.0" | "3.1.1";
  receiveMaximum: number;
  maximumPacketSizeBytes: number;
}

export interface BrokerEvents {
  up(session: BrokerSession): void;
  /** Once after each `up`, once for the first failure of a row, and again for each that has another reason; `why` is fit to be shown. */
  down(why: string): void;
  received(message: Received): void;
  /** The broker has answered to one of our subscriptions, in this connection: `why` it refuses it, or null. */
  subscribed?(topic: string, why: string | null): void;
}

/**
 * A broker, or a cluster behind several doors. Connects, falls back, goes to the next door and backs off with
 * jitter by itself, for ever. Queues nothing: what is published while down is `lost` at once.
 */
export interface Broker {
  /** Does not wait for a connection. */
  start(events: BrokerEvents): void;
  /** QoS 1. Never rejects. Resolves at the broker's answer, or as `lost` when the connection ends; it ends when an answer takes 10 s. */
  publish(message: Message): Promise<PublishOutcome>;
  /** Publishes `last` if connected, disconnects cleanly (so that the will is not sent), and is done within 2 s. */
  stop(last: Message): Promise<void>;
}

// ---------------------------------------------------------------- feed

/**
 * `found.body` rejects when the transfer breaks; the reader of it stops at the length it can accept. `retryAfterMs`: how
 * long a server that answers asks to be left in peace.
 */
export type FeedReply =
  | { kind: "found"; body: AsyncIterable<Uint8Array> }
  | { kind: "missing" }
  | { kind: "unreachable"; why: string; retryAfterMs?: number };

/** The static files of a feed. `path` is relative, with `/`, and never contains `..`. */
export interface FeedSource {
  /** For messages: the directory or the address, without credentials. */
  readonly name: string;
  fetch(path: string): Promise<FeedReply>;
}

// ---------------------------------------------------------------- the machine around us

/** What lies at a path, and whose it is. `mode`: the permission bits. */
export interface Seen {
  kind: "file" | "directory" | "device" | "socket" | "other";
  mode: number;
  uid: number;
  gid: number;
}

/** The machine as `doctor` looks at it, changing nothing. Paths are absolute; nothing rejects. */
export interface Machine {
  /** The account that looks. */
  readonly uid: number;
  /** Follows links. Null: nothing is there, or it is not shown to this account. */
  look(path: string): Promise<Seen | null>;
  /** The first 64 KiB of a small text such as those of /proc and /sys; null like `look`. */
  text(path: string): Promise<string | null>;
  /** Names in a directory, sorted; none where there is no such directory. */
  names(path: string): Promise<string[]>;
  /** The path's own name, without links in it; null like `look`. */
  target(path: string): Promise<string | null>;
  /** Whether a program takes connections on a socket in the file system. */
  answers(path: string): Promise<boolean>;
}

// ---------------------------------------------------------------- words for the operator

/** Structured; `fields` never hold a token or a whole card number. */
export interface Log {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}
