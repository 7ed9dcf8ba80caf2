/**
 * A pcscd of the test's own, with the virtual reader driver vpcd: its own socket, readers and ports, so that neither the
 * machine's pcscd nor another test is in its way. It takes its socket as it would from systemd. And a card for it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./mosquitto.ts";

const startMsMax = 20_000;
const VPCD = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so";

export interface Pcscd {
  /** For `openPcscProcess`. */
  socketPath: string;
  /** The ports of the two slots of each reader, in order. */
  ports: number[];
  start(): Promise<void>;
  /** What it logged since it was started. */
  log(): string;
  kill9(): Promise<void>;
  /** SIGSTOP: its socket takes connections, and nobody answers. */
  freeze(): void;
  thaw(): void;
  dispose(): Promise<void>;
}

/** Not started yet. `names`: vpcd shows each reader with two slots, `NAME 00 00` and `NAME 00 01`. */
export async function makePcscd(names: string[] = ["Virtual PCD"]): Promise<Pcscd> {
  const directory = await mkdtemp(join(tmpdir(), "pcscd-"));
  const socketPath = join(directory, "pcscd.comm");
  const config = join(directory, "readers");
  await mkdir(config);
  const firstPorts: number[] = [];
  let child: ChildProcess | null = null;
  let log = "";

  async function configure(names: string[]): Promise<void> {
    while (firstPorts.length < names.length) firstPorts.push(await freePorts());
    const readers = names.map((name, index) => {
      const port = `0x${firstPorts[index]!.toString(16)}`;
      return `FRIENDLYNAME "${name}"\nDEVICENAME /dev/null:${port}\nLIBPATH ${VPCD}\nCHANNELID ${port}\n`;
    });
    await writeFile(join(config, "vpcd"), readers.join("\n"));
  }

  async function start(): Promise<void> {
    const server = await listen(socketPath);
    // What systemd does: the socket is file descriptor 3, for the process of this id (sd_listen_fds(3)).
    const line = `LISTEN_PID=$$ LISTEN_FDS=1 exec pcscd -f -i -c '${config}'`;
    const started = spawn("sh", ["-c", line], {
      stdio: ["ignore", "pipe", "pipe", descriptorOf(server)],
      env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
    });
    server.close();
    child = started;
    log = "";
    for (const stream of [started.stdout, started.stderr]) {
      stream?.on("data", (text: Buffer) => {
        log = (log + text).slice(-100_000);
      });
    }
    const deadline = Date.now() + startMsMax;
    while (!log.includes("daemon ready")) {
      if (Date.now() > deadline || started.exitCode !== null) throw new Error(`pcscd did not start: ${log}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async function kill9(): Promise<void> {
    const ending = child;
    child = null;
    if (ending === null || ending.exitCode !== null) return;
    const exited = once(ending, "exit");
    ending.kill("SIGKILL");
    await exited;
  }

  const killAtExit = () => void child?.kill("SIGKILL");
  process.on("exit", killAtExit);
  await configure(names);
  return {
    socketPath,
    get ports() {
      return firstPorts.flatMap((port) => [port, port + 1]);
    },
    start,
    log: () => log,
    kill9,
    freeze: () => void child?.kill("SIGSTOP"),
    thaw: () => void child?.kill("SIGCONT"),
    dispose: async () => {
      await kill9();
      process.off("exit", killAtExit);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** A port with a free one after it: vpcd listens on both. */
async function freePorts(): Promise<number> {
  for (;;) {
    const port = await freePort();
    const next = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      next.once("error", () => resolve(false)).listen(port + 1, () => resolve(true));
    });
    if (!isFree) continue;
    next.close();
    await once(next, "close");
    return port;
  }
}

/** Closing a server removes the name it was given: this one is renamed, and stays. */
async function listen(path: string): Promise<Server> {
  const server = createServer().listen(`${path}.new`);
  await once(server, "listening");
  await rename(`${path}.new`, path);
  return server;
}

function descriptorOf(server: Server): number {
  return (server as unknown as { _handle: { fd: number } })._handle.fd;
}

// ---------------------------------------------------------------- a card

/** What a card answers; null: it says nothing any more and is gone. */
export type AnswerApdu = (apdu: Buffer) => Buffer | null;

/** Byte 5 of a storage card's ATR is 4F (PC/SC part 3, 3.1.3.2.3); this is a MIFARE Classic's. */
export const STORAGE_ATR = "3B8F8001804F0CA000000306030001000000006A";
/** A card of ISO 14443-4. */
export const PROCESSOR_ATR = "3B80800101";

/**
 * A card in the field of a vpcd slot. The slot's side of the line is length-prefixed: one byte 0 switches off, 1 on,
 * 2 resets, 4 asks for the ATR; anything longer is an APDU (vsmartcard, vpcd.c).
 */
export class VirtualCard {
  /** Every APDU it was asked, in hex. */
  readonly asked: string[] = [];
  /** How often it still tells its ATR before it is gone: once when it is found, and again when it is switched on. */
  atrsLeft = Number.POSITIVE_INFINITY;
  readonly #socket: Socket;
  readonly #atr: Buffer;
  readonly #answer: AnswerApdu;
  #rest: Buffer = Buffer.alloc(0);

  private constructor(socket: Socket, atr: string, answer: AnswerApdu) {
    this.#socket = socket;
    this.#atr = Buffer.from(atr, "hex");
    this.#answer = answer;
    socket.on("error", () => {});
    socket.on("data", (bytes: Buffer) => this.#take(bytes));
  }

  /** Holds it against the reader; pcscd looks whether there is one a few times a second. */
  static async present(port: number, atr: string, answer: AnswerApdu): Promise<VirtualCard> {
    const deadline = Date.now() + startMsMax;
    for (;;) {
      const socket = connect(port, "127.0.0.1");
      const isThere = await new Promise<boolean>((resolve) => {
        socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
      });
      if (isThere) return new VirtualCard(socket, atr, answer);
      if (Date.now() > deadline) throw new Error(`no vpcd on port ${port}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** One that answers get-UID, and nothing else. */
  static withUid(port: number, uid: string, atr = STORAGE_ATR): Promise<VirtualCard> {
    return VirtualCard.present(port, atr, (apdu) =>
      Buffer.from(apdu.toString("hex") === "ffca000000" ? `${uid}9000` : "6A81", "hex"),
    );
  }

  get isTaken(): boolean {
    return this.#socket.destroyed;
  }

  take(): void {
    this.#socket.destroy();
  }

  #take(bytes: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    while (this.#rest.length >= 2) {
      const end = 2 + this.#rest.readUInt16BE(0);
      if (this.#rest.length < end) return;
      const message = this.#rest.subarray(2, end);
      this.#rest = this.#rest.subarray(end);
      if (message.length > 1) this.#ask(message);
      else if (message[0] === 4) this.#tellAtr();
    }
  }

  #tellAtr(): void {
    if (this.atrsLeft === 0) return this.take();
    this.atrsLeft -= 1;
    this.#send(this.#atr);
  }

  #ask(apdu: Buffer): void {
    this.asked.push(apdu.toString("hex").toUpperCase());
    const answer = this.#answer(apdu);
    if (answer === null) this.take();
    else this.#send(answer);
  }

  #send(bytes: Buffer): void {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(bytes.length);
    this.#socket.write(Buffer.concat([length, bytes]));
  }
}
