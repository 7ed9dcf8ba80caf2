/**
 * The worker thread's side of `buildInWorker`: unpacks, parses, sorts and merges, answers, and is ended.
 */
import { setPriority } from "node:os";
import { type MessagePort, parentPort } from "node:worker_threads";
import { createGunzip, type Gunzip } from "node:zlib";
import { badGzip, type FromWorker, imageOf, type SentImage, SLOT_BYTES, type ToWorker } from "./build.ts";
import { BuildSession } from "./build-session.ts";
import type { ListBuilder, ListOrder, ListOutcome } from "./index-builder.ts";
import type { IndexImage } from "./index-file.ts";
import { mergeLayers } from "./index-merge.ts";
import { TokenSeal } from "./token-seal.ts";

const UNPACKED_PIECE_BYTES = 256 * 1024;
/** Where a board has one core to give, the gate has it first. */
const NICENESS = 10;

if (parentPort === null) throw new Error("build-worker runs as a worker thread only");
// On Linux a thread may be set back alone; elsewhere this would be the whole gate.
if (process.platform === "linux") setBack();
serve(parentPort);

/** A service that may not do so is the slower for it, and still needs its list. */
function setBack(): void {
  try {
    setPriority(NICENESS);
  } catch {
    // As said.
  }
}

/** What breaks in here ends the thread, which is told to who waits. */
function serve(port: MessagePort): void {
  let session: BuildSession | null = null;
  let gunzip: Gunzip | null = null;
  let belt: Uint8Array = new Uint8Array();
  const send = (message: FromWorker) => port.postMessage(message);

  port.on("message", (message: ToWorker) => {
    switch (message.kind) {
      case "begin": {
        const { lower, top, cuts, corrections, tokenKey } = message;
        belt = message.belt;
        const images = { lower: lower.map(received), top: top === null ? null : received(top) };
        session = new BuildSession({ ...images, cuts, corrections, seal: new TokenSeal(tokenKey) });
        return;
      }
      case "list":
        gunzip = createGunzip({ chunkSize: UNPACKED_PIECE_BYTES });
        void takeList(session!, message.order, gunzip).then(send);
        return;
      case "piece": {
        const from = message.slot * SLOT_BYTES;
        // What is written is read before it says so: only then is the slot used again.
        gunzip!.write(belt.subarray(from, from + message.sizeBytes), () => send({ kind: "ready" }));
        return;
      }
      case "end":
        gunzip!.end();
        return;
      case "finish": {
        const { whole, top, ignoredRows } = session!.built;
        send({ kind: "built", whole: whole?.bytes ?? null, top: top?.bytes ?? null, ignoredRows });
        return;
      }
      case "merge": {
        const { layers, cuts, tokenKey } = message;
        const { bytes } = mergeLayers(layers.map(received), cuts, true, new TokenSeal(tokenKey));
        send({ kind: "merged", bytes });
        return;
      }
    }
  });
}

async function takeList(session: BuildSession, order: ListOrder, text: Gunzip): Promise<FromWorker> {
  const outcome = await build(session.builder(order), text);
  if (outcome.kind === "refused") return outcome;
  session.take(order, outcome);
  return { kind: "taken" };
}

async function build(builder: ListBuilder, text: Gunzip): Promise<ListOutcome> {
  try {
    for await (const bytes of text) if (!builder.push(bytes as Uint8Array)) break;
  } catch (error) {
    return badGzip(error);
  }
  return builder.finish();
}

function received({ bytes, tokenKey }: SentImage): IndexImage {
  return imageOf(bytes, [new TokenSeal(tokenKey)]);
}
