/** Who the OSDP reader without the reader says it is, and what it says it can do. */
import { CAPABILITY, type Reply } from "./codec/osdp-messages.ts";

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

/** Text and raw card data, AES-128, OSDP 2.2. */
export const CAPABILITIES: Reply = {
  name: "capabilities",
  records: [
    { capability: CAPABILITY.inputs, compliance: 1, count: INPUT_COUNT },
    { capability: CAPABILITY.outputs, compliance: 2, count: OUTPUT_COUNT },
    { capability: CAPABILITY.cardFormat, compliance: 3, count: 0 },
    { capability: CAPABILITY.leds, compliance: 4, count: 1 },
    { capability: CAPABILITY.buzzer, compliance: 2, count: 1 },
    { capability: CAPABILITY.check, compliance: 1, count: 0 },
    { capability: CAPABILITY.security, compliance: 1, count: 0 },
    { capability: CAPABILITY.readers, compliance: 0, count: 1 },
    { capability: CAPABILITY.version, compliance: 2, count: 0 },
  ],
};
