/** What a site says of USB devices that speak HID: card readers and relay boards. */
import { type Reads, reads } from "./reads.ts";
import { choice, integer, optional, section, text } from "./words.ts";

const LIMITS = {
  usbId: { minimum: 0, maximum: 0xffff },
  /** Shorter is between the keys of one reading; longer keeps people waiting at the gate. */
  keyTimeoutMs: { minimum: 20, maximum: 5_000 },
  reportId: { minimum: 1, maximum: 255 },
  /** A report has at most 64 bytes, at the speed of such readers. */
  offsetBits: { minimum: 0, maximum: 511 },
  lengthBits: { minimum: 1, maximum: 512 },
  lengthByte: { minimum: 0, maximum: 63 },
  /** A board's state is one byte. */
  channel: { minimum: 1, maximum: 8 },
} as const;

const path = optional(
  text("The USB port it is plugged into, for devices that nothing else tells apart.", {
    pattern: "^[0-9]+-[0-9]+([.][0-9]+)*(:[0-9]+[.][0-9]+)?$",
    "x-allowed": "a port as the kernel names it, such as 1-1.2, or with the interface 1-1.2:1.0",
  }),
);

const REPORT = section("Where in a report the card is.", {
  reportId: optional(
    integer("Which reports hold cards, where the reader's reports begin with an id.", LIMITS.reportId),
  ),
  offsetBits: integer("Where the field begins, in bits after the id.", LIMITS.offsetBits, { default: 0 }),
  lengthBits: optional(integer("How long the field is, in bits.", LIMITS.lengthBits)),
  lengthByte: optional(
    integer("Which byte says how long the field is, from 0 after the id.", LIMITS.lengthByte),
  ),
  lengthUnit: choice("What that byte counts.", ["bits", "bytes"], { default: "bits" }),
  order: choice(
    "Whether the field's first byte is the first of the card's bits (msb) or the last (lsb).",
    ["msb", "lsb"],
    {
      default: "msb",
    },
  ),
  holds: choice("What the field holds.", ["bits", "text"], { default: "bits" }),
  idle: choice("What fills the field while there is no card.", ["zeros", "ones"], { default: "zeros" }),
});

/** Beside `id` and `driver`. */
export const HID_READER = {
  vendorId: integer("The maker's USB number, such as 0x08ff.", LIMITS.usbId),
  productId: integer("The product's USB number, such as 0x0009.", LIMITS.usbId),
  serial: optional(text("The device's serial number, where it has one.")),
  path,
  usagePage: optional(integer("The usage page of the interface, of a device with several.", LIMITS.usbId)),
  usage: optional(integer("The usage of the interface, of a device with several.", LIMITS.usbId)),
  mode: choice(
    "Whether it types like a keyboard, or sends reports of its own make.",
    ["keyboard", "report"],
    {
      default: "keyboard",
    },
  ),
  layout: choice("The keyboard language the reader was set up for.", ["us", "se"], { default: "us" }),
  terminator: choice(
    "The key that ends a reading; none: a pause of keyTimeoutMs does.",
    ["enter", "tab", "none"],
    {
      default: "enter",
    },
  ),
  keyTimeoutMs: integer(
    "The longest pause between two keys of a reading, in milliseconds.",
    LIMITS.keyTimeoutMs,
    {
      default: 500,
    },
  ),
  report: optional(REPORT),
  reads: reads<Reads>("card-number"),
};

/** Beside `driver` and `pulseMs`. */
export const HID_RELAY = {
  channel: integer("Which relay of the board, from 1.", LIMITS.channel, { default: 1 }),
  serial: optional(
    text("The five characters that the board gives as its serial number.", {
      pattern: "^[!-~]{5}$",
      "x-allowed": "five letters or digits, in quotes where they are all digits",
    }),
  ),
  path,
};
