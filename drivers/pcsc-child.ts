/**
 * The process beside the gateway that alone speaks PC/SC: the native layer beneath nfc-pcsc spins without pcscd, loses
 * errors, and deadlocks when it is taken down. So it is only started and killed: it ends itself, always by SIGKILL, at any
 * error and when the gateway is gone, and the gateway starts it anew. Messages leave by file descriptor 3 and come by
 * standard input (codec/pcsc-messages.ts).
 */
import { Socket } from "node:net";
import type { CardReader } from "nfc-pcsc";
import { cutText, encodeMessage, type FromPcsc, toPcscReader } from "./codec/pcsc-messages.ts";
import { PcscSlot } from "./pcsc-slot.ts";

const BEAT_MS = 500;
/** The readers that are there have been told of by then; one that comes later is news like any other. */
const SETTLE_MS = 250;
/** A last word that is not taken by then is not waited for. */
const LAST_WORD_MS = 200;
/** The gateway has stopped reading: it is to find out, and start anew. */
const UNSENT_BYTES_MAX = 65_536;
/** Each reader that goes leaves a connection to pcscd behind, of which pcscd takes 200. */
const GONES_MAX = 32;

const out = new Socket({ fd: 3, readable: false, writable: true });

function die(): void {
  process.kill(process.pid, "SIGKILL");
}

function say(message: FromPcsc): void {
  if (out.writableLength > UNSENT_BYTES_MAX) die();
  out.write(encodeMessage(message));
}

function fail(why: string): void {
  out.write(encodeMessage({ kind: "fault", why: cutText(why) }), die);
  setTimeout(die, LAST_WORD_MS);
}

/** The codes of a pcscd that has ended or been restarted (pcsclite.h): no service, service stopped, communication lost. */
function wordsOf(error: unknown): string {
  const words = error instanceof Error ? error.message : String(error);
  return /0x801000(?:13|1D|1E|2F)/i.test(words)
    ? `pcscd has ended (${words}): sudo systemctl restart pcscd.socket pcscd`
    : words;
}

async function loadNfc(): Promise<typeof import("nfc-pcsc").default> {
  try {
    return (await import("nfc-pcsc")).default;
  } catch (error) {
    const words = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
    throw new Error(`nfc-pcsc is not installed here (docs/pcsc.md says how): ${words}`);
  }
}

async function main(): Promise<void> {
  const slots = new Map<string, PcscSlot>();
  const sides = new Map<string, CardReader>();
  let gones = 0;
  const commands = toPcscReader();
  process.stdin.on("data", (bytes: Buffer) => {
    const { messages, refused } = commands.take(bytes);
    for (const message of messages) slots.get(message.reader)?.command(message);
    if (refused !== null) fail(`told what it does not understand: ${refused}`);
  });
  say({ kind: "beat" });
  setInterval(() => say({ kind: "beat" }), BEAT_MS);
  const { NFC } = await loadNfc();
  const nfc = new NFC();
  nfc.on("error", (error) => fail(wordsOf(error)));
  nfc.on("reader", (reader) => {
    const { name } = reader;
    slots.set(name, new PcscSlot(reader, sides, say, (error) => fail(wordsOf(error))));
    reader.on("end", () => {
      slots.delete(name);
      say({ kind: "gone", reader: name });
      gones += 1;
      if (gones >= GONES_MAX) fail(`readers were unplugged ${GONES_MAX} times: starting afresh`);
    });
  });
  setTimeout(() => say({ kind: "ready" }), SETTLE_MS);
}

// Whoever stops the gateway with Ctrl-C or by its unit reaches this process, too: it goes when the gateway has gone.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
for (const event of ["end", "error", "close"]) process.stdin.on(event, die);
out.on("error", die);
process.on("uncaughtException", (error) => fail(wordsOf(error)));
main().catch((error) => fail(wordsOf(error)));
