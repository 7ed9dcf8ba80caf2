/** Who the OSDP reader without the reader says it is, and what it says it can do. */
import type { Reply } from "./codec/osdp-messages.ts";

/** Of the board that it plays. */
export const INPUT_COUNT = 2;
export const OUTPUT_COUNT = 4;

/** What it gives of itself in the handshake (cUID of CCRYPT). */
export const UID = Uint8Array.from({ length: 8 }, (_, index) => index + 1);

/** The vendor is nobody: three zero bytes. */
export const IDENTITY: Reply = {
  name: "id",
  vendor: new Uint8Array(3),
  model: 1,
  version: 1,
  serial: 1,
  firmwareMajor: 1,
  firmwareMinor: 0,
  firmwareBuild: 0,
};

/** Inputs, outputs, text and raw card data, a light, a buzzer, CRC, AES-128, one reader, OSDP 2.2. */
export const CAPABILITIES: Reply = {
  name: "capabilities",
  records: [
    [1, 1, INPUT_COUNT],
    [2, 2, OUTPUT_COUNT],
    [3, 3, 0],
    [4, 4, 1],
    [5, 2, 1],
    [8, 1, 0],
    [9, 1, 0],
    [13, 0, 1],
    [16, 2, 0],
  ].map(([capability = 0, compliance = 0, count = 0]) => ({ capability, compliance, count })),
};
