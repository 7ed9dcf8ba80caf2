/**
 * Byte streams to devices: serial ports by name, and serial device servers over TCP. Both keep the promises of
 * `Channel` and `OpenChannel` in ports.ts; what they tell of is words for a person, with what to do.
 */
import { connect, type Socket } from "node:net";
import type { SerialPort } from "serialport";
import { Pace, type Paced } from "./channel-pace.ts";
import type { Channel, ChannelAddress, ChannelEvents, OpenChannel } from "./ports.ts";
import { readWhenReadable } from "./serial-read.ts";

/** The port promises an answer within this. */
const OPEN_MS_MAX = 5_000;
/** A device that takes no bytes for this long is gone: what it has not taken must not reach it later. */
const WRITE_MS_MAX = 1_000;
/** A dead peer is noticed after this and the kernel's ten probes, a second apart. */
const KEEPALIVE_MS = 10_000;

/** `text`: `tcp://host:port`, or the absolute name of a serial device. */
export function parseChannelAddress(
  text: string,
  baudRate: number,
): { kind: "address"; address: ChannelAddress } | { kind: "refused"; why: string } {
  if (text.startsWith("/")) return { kind: "address", address: { kind: "serial", path: text, baudRate } };
  const parts = /^tcp:\/\/(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/[\]]+)):([0-9]{1,5})$/.exec(text);
  const host = parts?.[1] ?? parts?.[2];
  const port = Number(parts?.[3]);
  if (host === undefined || port < 1 || port > 65_535) {
    return {
      kind: "refused",
      why: `${text} is neither tcp://host:port nor the name of a device like /dev/ttyUSB0`,
    };
  }
  return { kind: "address", address: { kind: "tcp", host, port } };
}

export const openChannel: OpenChannel = (address, events) => {
  switch (address.kind) {
    case "serial":
      return openSerial(address.path, address.baudRate, events);
    case "tcp":
      return openTcp(address.host, address.port, events);
  }
};

// ---------------------------------------------------------------- what both share

/** What differs between the two kinds of stream. Its owner hands every error and its end to `fail`. */
interface Stream {
  write(bytes: Uint8Array, done: (error?: Error | null) => void): void;
  /** Resolves when the device is free again. What was handed on before a `clean` end still reaches the device. */
  end(clean: boolean): Promise<void>;
  /** Starts the flow of bytes. */
  flow(data: (bytes: Uint8Array) => void): void;
  readonly source: Paced;
}

/** An open stream's life: `closed` once whatever goes wrong, every write answered, nothing after `close`. */
class StreamChannel implements Channel {
  readonly #stream: Stream;
  readonly #events: ChannelEvents;
  readonly #unanswered = new Set<(error: Error) => void>();
  readonly #pace: Pace;
  #ended: { why: string; done: Promise<void> } | null = null;
  #flowing = false;
  #silent = false;

  constructor(stream: Stream, events: ChannelEvents) {
    this.#stream = stream;
    this.#events = events;
    this.#pace = new Pace(stream.source, (bytes) => events.data(bytes));
    // Nothing may be told before whoever awaits the opening has been given it: that takes one turn of the loop.
    setImmediate(() => {
      if (this.#silent) return;
      this.#flowing = true;
      if (this.#ended) events.closed(this.#ended.why);
      else stream.flow((bytes) => this.#ended ?? this.#pace.take(bytes));
    });
  }

  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(new Error(this.#ended.why));
      const settle = (error?: Error | null) => {
        if (!this.#unanswered.delete(settle)) return;
        clearTimeout(bound);
        if (error) reject(error);
        else resolve();
      };
      const bound = setTimeout(() => this.fail(`it took no bytes for ${WRITE_MS_MAX} ms`), WRITE_MS_MAX);
      this.#unanswered.add(settle);
      this.#stream.write(bytes, (error) => {
        if (error) this.fail(error.message);
        settle(error);
      });
    });
  }

  close(): Promise<void> {
    this.#silent = true;
    this.#pace.stop();
    return this.#end("the channel is closed", true);
  }

  /** The stream has ended, or is unfit for use. A port pulled in mid-write says so twice; once is told. */
  fail(why: string): void {
    if (this.#ended) return;
    void this.#end(why, false);
    if (this.#flowing) this.#pace.end(() => this.#events.closed(why));
  }

  #end(why: string, clean: boolean): Promise<void> {
    if (this.#ended) return this.#ended.done;
    this.#ended = { why, done: this.#stream.end(clean) };
    for (const settle of [...this.#unanswered]) settle(new Error(why));
    return this.#ended.done;
  }
}

// ---------------------------------------------------------------- serial

async function openSerial(path: string, baudRate: number, events: ChannelEvents): Promise<Channel> {
  // Not the package as a whole, which loads ten parsers of bytes that nobody here asks for.
  const { SerialPort } = await import("serialport/dist/serialport.js");
  const port = new SerialPort({ path, baudRate, autoOpen: false, lock: true });
  await new Promise<void>((resolve, reject) => {
    const bound = setTimeout(() => {
      port.once("open", () => port.close());
      reject(new Error(`${path} did not open within ${OPEN_MS_MAX} ms`));
    }, OPEN_MS_MAX);
    port.on("error", (error) => reject(new Error(serialWords(path, error.message))));
    port.open((error) => {
      clearTimeout(bound);
      if (error) reject(new Error(serialWords(path, error.message)));
      else resolve();
    });
  });
  if (port.port !== undefined) readWhenReadable(port.port);
  const channel = new StreamChannel(serialStream(port), events);
  port.on("error", (error) => channel.fail(`${path}: ${error.message}`));
  port.on("close", (error: Error | null) => {
    channel.fail(error ? `${path} was unplugged` : `${path} was closed`);
  });
  return channel;
}

function serialStream(port: SerialPort): Stream {
  return {
    source: port,
    write: (bytes, done) => port.write(Buffer.from(bytes), done),
    flow: (data) => port.on("data", data),
    end: (clean) =>
      new Promise((resolve) => {
        if (port.closing) port.once("close", () => resolve()).once("error", () => resolve());
        else if (!port.isOpen) resolve();
        else if (clean) port.close(() => resolve());
        // Bytes that the device has not taken must not reach it later: a relay would move by itself.
        else port.flush(() => port.close(() => resolve()));
      }),
  };
}

function serialWords(path: string, message: string): string {
  if (/no such (file|device)/i.test(message)) return `${path} is not there: is it plugged in?`;
  if (/permission denied/i.test(message))
    return `${path} may not be opened: add the user to the group dialout`;
  if (/lock|busy|temporarily unavailable/i.test(message)) return `${path} is in use by another program`;
  if (/inappropriate ioctl/i.test(message)) return `${path} is no serial device`;
  return `${path} does not open: ${message.replace(/^Error:? /, "")}`;
}

// ---------------------------------------------------------------- tcp

async function openTcp(host: string, port: number, events: ChannelEvents): Promise<Channel> {
  const name = `${host}:${port}`;
  const socket = connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEPALIVE_MS });
  await new Promise<void>((resolve, reject) => {
    const bound = setTimeout(() => {
      socket.destroy();
      reject(
        new Error(
          `${name} did not answer within ${OPEN_MS_MAX} ms: is it switched on, is the address right?`,
        ),
      );
    }, OPEN_MS_MAX);
    socket.on("error", (error) => {
      clearTimeout(bound);
      reject(new Error(tcpWords(name, error)));
    });
    socket.once("connect", () => {
      clearTimeout(bound);
      resolve();
    });
  });
  const channel = new StreamChannel(tcpStream(socket), events);
  socket.on("error", (error) => channel.fail(tcpWords(name, error)));
  socket.on("end", () => channel.fail(`${name} ended the connection`));
  socket.on("close", () => channel.fail(`${name} ended the connection`));
  return channel;
}

function tcpStream(socket: Socket): Stream {
  return {
    source: socket,
    write: (bytes, done) => socket.write(bytes, done),
    flow: (data) => socket.on("data", data),
    end: (clean) =>
      new Promise((resolve) => {
        if (socket.closed) return resolve();
        socket.once("close", () => resolve());
        if (socket.readableEnded) return socket.destroy();
        // A reset drops what the peer has not taken; a clean end waits for it, but not for ever.
        if (!clean) return socket.resetAndDestroy();
        const bound = setTimeout(() => socket.resetAndDestroy(), WRITE_MS_MAX);
        socket.once("close", () => clearTimeout(bound));
        socket.end();
        socket.resume();
      }),
  };
}

function tcpWords(name: string, error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case "ECONNREFUSED":
      return `nothing listens at ${name}`;
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `${name} is no name that this machine can find`;
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return `${name} cannot be reached from this network`;
    case "ECONNRESET":
    case "EPIPE":
      return `${name} broke the connection`;
    case "ETIMEDOUT":
      return `${name} no longer answers`;
    default:
      return `${name}: ${error.message}`;
  }
}
