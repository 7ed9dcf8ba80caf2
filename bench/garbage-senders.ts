/**
 * The far ends of `garbage.ts`, in a process of their own: one reader that gives a card now and then and says when, some that
 * send noise as fast as a serial line can, and one device server that sends it as fast as it is taken. On standard input:
 * `noise`, `crowd` (a hundred of them) or `quiet`.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { createInterface } from "node:readline";

const LINES = 10;
/** With those and the device server a hundred. */
const CROWD_LINES = 89;
/** 115,200 baud, handed over a few times a second as device servers do. */
const LINE_BYTES_PER_SECOND = 11_520;
const LINE_PIECES_PER_SECOND = 50;
const FLOOD_PIECE_BYTES = 16_384;
const CARD_MS_MIN = 5;
const CARD_MS_SPREAD = 10;
const FIRST_CARD = 2_611_000_000;

let isNoisy = false;
let isCrowd = false;
let card = FIRST_CARD;

const good = await far(giveCards);
const farLines = (length: number, goesOn: () => boolean): Promise<number[]> =>
  Promise.all(Array.from({ length }, () => far((socket) => lineNoise(socket, goesOn))));
const bad = await farLines(LINES, () => isNoisy);
const crowd = await farLines(CROWD_LINES, () => isCrowd);
const flood = await far(floodNoise);
process.stdout.write(`${JSON.stringify({ good, bad: [...bad, flood, ...crowd] })}\n`);
createInterface({ input: process.stdin }).on("line", (line) => {
  isCrowd = line === "crowd";
  isNoisy = isCrowd || line === "noise";
});
process.stdin.once("end", () => process.exit(0));

async function far(serve: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.setNoDelay(true);
    serve(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

function giveCards(socket: Socket): void {
  const next = (): void => {
    if (socket.destroyed) return;
    card += 1;
    const digits = String(card);
    const number = `BB-${digits.slice(0, 4)}-${digits.slice(4)}`;
    process.stdout.write(`${number} ${process.hrtime.bigint()} ${isNoisy}\n`);
    socket.write(`${number}\r\n`);
    setTimeout(next, CARD_MS_MIN + Math.random() * CARD_MS_SPREAD);
  };
  next();
}

function lineNoise(socket: Socket, goesOn: () => boolean): void {
  const timer = setInterval(() => {
    if (socket.destroyed) clearInterval(timer);
    else if (goesOn()) socket.write(randomBytes(LINE_BYTES_PER_SECOND / LINE_PIECES_PER_SECOND));
  }, 1_000 / LINE_PIECES_PER_SECOND);
}

function floodNoise(socket: Socket): void {
  const piece = randomBytes(FLOOD_PIECE_BYTES);
  const timer = setInterval(() => {
    if (socket.destroyed) clearInterval(timer);
    // What the gateway does not take piles up no further than this.
    else if (isNoisy) while (socket.writableLength < 4 * FLOOD_PIECE_BYTES) socket.write(piece);
  }, 1);
}
