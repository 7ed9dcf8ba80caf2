/**
 * The common USB relay boards, `16c0:05df`, sold as USBRelay1 to USBRelay8: eight bytes of feature report switch a relay,
 * and eight tell the board's own serial number (five characters) and which relays are energised. Several access
 * points may sit on one board; it is opened once for all of them.
 */
import type { Hid, HidDevice, HidHandle } from "./hid.ts";
import { isAt, listed } from "./hid-match.ts";
import type { Clock } from "./ports.ts";
import { within } from "./within.ts";

/** The state is a byte. */
const RELAYS_MAX = 8;
export const BOARD_IDS = { vendorId: 0x16c0, productId: 0x05df };
/** A relay's commands settle within a second; the rest is room for a slow timer. */
const COMMAND_MS_MAX = 900;
/** The report's id, which these boards do not use, and the report. */
const REPORT_BYTES = 9;
const SERIAL = { first: 1, end: 6 } as const;
const STATE = 8;
const SWITCH = { on: 0xff, off: 0xfd } as const;

/** `serial`: the five characters that the board itself tells. `path`: the USB port it is plugged into. */
export interface BoardMatch {
  serial?: string;
  path?: string;
}

export interface BoardHold {
  /** Resolves when the board shows its relay as it was told. */
  set(isOn: boolean): Promise<void>;
  /** Never rejects; the last one closes the board. */
  release(): Promise<void>;
}

/** All boards of one gateway. */
export class HidBoards {
  readonly #hid: Hid;
  readonly #clock: Clock;
  readonly #open = new Map<string, Board>();
  /** One search at a time: a board that is being looked at cannot be opened by another. */
  #search: Promise<unknown> = Promise.resolve();

  constructor(hid: Hid, clock: Clock) {
    this.#hid = hid;
    this.#clock = clock;
  }

  /**
   * Rejects with words fit to be shown. `channel`: the relay that is wanted, from 1. `lost` may be called at any time from
   * then on, once.
   */
  hold(match: BoardMatch, channel: number, lost: (why: string) => void): Promise<BoardHold> {
    const held = this.#search.then(async () => join(await this.#find(match), channel, lost));
    this.#search = held.catch(() => undefined);
    return held;
  }

  async #find({ serial, path }: BoardMatch): Promise<Board> {
    const present = await this.#hid.list(BOARD_IDS);
    const devices = present.filter((device) => isBoard(device) && isAt(device, path));
    if (devices.length === 0) {
      const others = present.length === 0 ? "" : `; there is ${listed(present)}`;
      throw new Error(`no USB relay board is ${path === undefined ? "plugged in" : `at ${path}`}${others}`);
    }
    if (serial !== undefined) return this.#findSerial(devices, serial);
    if (devices.length > 1)
      throw new Error(
        `${devices.length} USB relay boards are plugged in: say serial or path; there is ${listed(devices)}`,
      );
    return this.#board(devices[0]!);
  }

  /** The system does not know the serial number: each board is asked for its own. */
  async #findSerial(devices: readonly HidDevice[], serial: string): Promise<Board> {
    const seen: string[] = [];
    for (const device of devices) {
      const board = await this.#board(device);
      if (board.serial === serial) return board;
      seen.push(board.serial);
      await board.closeUnused();
    }
    throw new Error(`no USB relay board has the serial ${serial}; there is ${seen.join(", ")}`);
  }

  async #board(device: HidDevice): Promise<Board> {
    const known = this.#open.get(device.path);
    if (known !== undefined) return known;
    const board = new Board(this.#clock, () => {
      if (this.#open.get(device.path) === board) this.#open.delete(device.path);
    });
    await board.open(this.#hid, device);
    this.#open.set(device.path, board);
    return board;
  }
}

async function join(board: Board, channel: number, lost: (why: string) => void): Promise<BoardHold> {
  if (channel > board.relays) {
    await board.closeUnused();
    throw new Error(`the board has ${board.relays} relays, and no relay ${channel}`);
  }
  board.users.add(lost);
  return {
    set: (isOn) => board.set(channel, isOn),
    release: () => {
      board.users.delete(lost);
      return board.closeUnused();
    },
  };
}

/** The numbers are shared by many makers of small devices; a board is known by its name, where the system tells it. */
function isBoard({ product }: HidDevice): boolean {
  return product === "" || /relay/i.test(product);
}

class Board {
  readonly users = new Set<(why: string) => void>();
  serial = "";
  relays = RELAYS_MAX;
  readonly #clock: Clock;
  readonly #closed: () => void;
  #handle: HidHandle | null = null;
  #why = "it is not open";

  constructor(clock: Clock, closed: () => void) {
    this.#clock = clock;
    this.#closed = closed;
  }

  async open(hid: Hid, device: HidDevice): Promise<void> {
    this.relays = Number(/relay([1-8])$/i.exec(device.product)?.[1] ?? RELAYS_MAX);
    this.#handle = await hid.open(device, { report: () => {}, gone: (why) => this.#lose(why) });
    try {
      const report = await this.#inTime(ask(this.#handle));
      this.serial = Buffer.from(report.subarray(SERIAL.first, SERIAL.end))
        .toString("latin1")
        .replace(/[^\x21-\x7e]/g, "");
    } catch (error) {
      await this.#close();
      throw error;
    }
  }

  async set(channel: number, isOn: boolean): Promise<void> {
    const handle = this.#handle;
    if (handle === null) throw new Error(this.#why);
    const command = Uint8Array.of(0, isOn ? SWITCH.on : SWITCH.off, channel, 0, 0, 0, 0, 0, 0);
    const report = await this.#inTime(handle.sendFeature(command).then(() => ask(handle)));
    const shows = ((report[STATE]! >> (channel - 1)) & 1) === 1;
    if (shows !== isOn) {
      throw new Error(
        `the board was told to ${isOn ? "energise" : "release"} relay ${channel}, and shows that it has not`,
      );
    }
  }

  closeUnused(): Promise<void> {
    return this.users.size > 0 ? Promise.resolve() : this.#close();
  }

  /** What fails or does not answer is gone: it is opened anew, and released first. */
  async #inTime<T>(command: Promise<T>): Promise<T> {
    const answer = await within(this.#clock, COMMAND_MS_MAX, command).catch((error: Error) => {
      this.#lose(error.message);
      throw error;
    });
    if (answer !== null) return answer;
    const why = "the board does not answer";
    this.#lose(why);
    throw new Error(why);
  }

  #lose(why: string): void {
    this.#why = why;
    const users = [...this.users];
    this.users.clear();
    void this.#close();
    for (const lost of users) lost(why);
  }

  async #close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = null;
    this.#closed();
    await handle?.close();
  }
}

async function ask(handle: HidHandle): Promise<Uint8Array> {
  const report = await handle.getFeature(0, REPORT_BYTES);
  if (report.length >= REPORT_BYTES) return report;
  throw new Error(`the board answers ${report.length} bytes, where relay boards answer ${REPORT_BYTES}`);
}
