/** QEMU's own control line: one JSON command at a time, and events between the answers. */
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";

export interface QmpEvent {
  event: string;
  data: Record<string, unknown>;
}

type Answer = { return: unknown } | { error: { desc: string } };

/** QEMU answers at once; only a machine that hangs takes this long. */
const answerMsMax = 60_000;

export class Qmp {
  readonly #socket: Socket;
  readonly #answers: ((answer: Answer) => void)[] = [];
  readonly #events: QmpEvent[] = [];
  #heard: (() => void) | null = null;

  private constructor(socket: Socket) {
    this.#socket = socket;
    createInterface({ input: socket }).on("line", (line) => this.#take(JSON.parse(line)));
  }

  static async connect(path: string): Promise<Qmp> {
    const socket = connect(path);
    await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    const qmp = new Qmp(socket);
    await qmp.call("qmp_capabilities");
    return qmp;
  }

  call(command: string, args: object = {}): Promise<unknown> {
    return bounded(`QEMU answers ${command}`, (resolve, reject) => {
      this.#answers.push((answer) => {
        if ("return" in answer) resolve(answer.return);
        else reject(new Error(`${command}: ${answer.error.desc}`));
      });
      this.#socket.write(`${JSON.stringify({ execute: command, arguments: args })}\n`);
    });
  }

  /** The first such event since the connection was made, past or coming. */
  event(name: string, isIt: (data: QmpEvent["data"]) => boolean): Promise<void> {
    return bounded(`QEMU tells ${name}`, (resolve) => {
      this.#heard = () => {
        if (this.#events.some(({ event, data }) => event === name && isIt(data))) resolve(undefined);
      };
      this.#heard();
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(message: QmpEvent | Answer): void {
    if ("event" in message) {
      this.#events.push(message);
      this.#heard?.();
    } else if ("return" in message || "error" in message) this.#answers.shift()?.(message);
  }
}

function bounded<Value>(
  what: string,
  start: (resolve: (value: Value) => void, reject: (error: Error) => void) => void,
): Promise<Value> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`waited in vain: ${what}`)), answerMsMax);
    const settled =
      <Result>(settle: (result: Result) => void) =>
      (result: Result) => {
        clearTimeout(late);
        settle(result);
      };
    start(settled(resolve), settled(reject));
  });
}
