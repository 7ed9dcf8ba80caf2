/**
 * What a card reader types, from the reports of a USB keyboard: modifiers, a reserved byte, and up to six keys that are
 * held (HID 1.11, appendix B.1; key numbers from HID Usage Tables, section 10). The reports are hostile: time is
 * linear, memory is `TYPED_CHARACTERS_MAX`, nothing throws. A reading that might be wrong is refused, not guessed.
 */
import { CHARACTERS, type Characters, type KeyboardLayout } from "./keyboard-layouts.ts";

/** What ends a reading; `none`: silence alone. */
export type Terminator = "enter" | "tab" | "none";

/** As long as a line from a serial reader may be. */
export const TYPED_CHARACTERS_MAX = 128;
/** Noise without an end is told of in pieces, so that keys that never end are seen too. */
export const OVERLONG_KEYS_MAX = 4_096;

const REPORT_BYTES = 8;
const MODIFIER = { control: 0x11, shift: 0x22, leftAlt: 0x04, rightAlt: 0x40, gui: 0x88 } as const;
const NO_CHARACTER = MODIFIER.control | MODIFIER.leftAlt | MODIFIER.gui;
const KEY = { rollOver: 0x01, errorLast: 0x03, enter: 0x28, tab: 0x2b, keypadEnter: 0x58 } as const;
/** Caps, scroll and num lock: some readers toggle them around a reading. The case of letters makes no difference here. */
const LOCKS: readonly number[] = [0x39, 0x47, 0x53];
/** Modifiers have their own byte; a reader that names them among the keys says nothing more by it. */
const MODIFIER_KEY_FIRST = 0xe0;

/**
 * `text`: what was typed, never blank. `overlong`: `countKeys` keys had no end within `TYPED_CHARACTERS_MAX`. `partial`:
 * silence came before the end. `unclear`: there was something among it that is no character.
 */
export type Typed =
  | { kind: "text"; text: string }
  | { kind: "overlong"; countKeys: number }
  | { kind: "partial"; countKeys: number }
  | { kind: "unclear"; why: string };

export class Keyboard {
  readonly #characters: Characters;
  readonly #terminator: Terminator;
  /** The keys of the last report. A key counts when it goes down: one that is held is in every report. */
  #held: Uint8Array = new Uint8Array(0);
  #text = "";
  #countKeys = 0;
  #unclear: string | null = null;
  /** Whether a piece of this noise has been told of already. */
  #overlong = false;

  constructor(layout: KeyboardLayout, terminator: Terminator) {
    this.#characters = CHARACTERS[layout];
    this.#terminator = terminator;
  }

  /** How many keys the reading that has begun has so far; 0 when none has begun. */
  get countKeys(): number {
    return this.#countKeys;
  }

  /** What the keys of this report end, in order. Reports that are too short for a keyboard's are not of the keyboard. */
  push(report: Uint8Array): Typed[] {
    if (report.length > REPORT_BYTES + 1) {
      return [{ kind: "unclear", why: `a report of ${report.length} bytes, where a keyboard sends 8` }];
    }
    if (report.length < REPORT_BYTES) return [];
    // With an id before it where the device has reports of several kinds (HID 1.11, 5.6).
    const [modifiers, , ...slots] = report.subarray(report.length - REPORT_BYTES);
    const keys = Uint8Array.from(slots);
    if (keys.some((key) => key >= KEY.rollOver && key <= KEY.errorLast)) {
      this.#spoil("more keys at once than the reader can tell apart");
      const overlong = this.#count();
      return overlong === null ? [] : [overlong];
    }
    const pressed = keys.filter(
      (key, at) => key !== 0 && !this.#held.includes(key) && keys.indexOf(key) === at,
    );
    this.#held = keys;
    return [...pressed].flatMap((key) => this.#press(key, modifiers!) ?? []);
  }

  /** No key for long enough: ends what has begun, and says what that was. */
  idle(): Typed | null {
    return this.#end(this.#terminator === "none");
  }

  #press(key: number, modifiers: number): Typed | null {
    if (LOCKS.includes(key) || key >= MODIFIER_KEY_FIRST) return null;
    if (this.#isEnd(key)) return this.#end(true);
    if ((modifiers & NO_CHARACTER) !== 0) this.#spoil("keys with Ctrl, Alt or GUI, which are no characters");
    else this.#add(key, modifiers);
    return this.#count();
  }

  #count(): Typed | null {
    this.#countKeys += 1;
    if (this.#countKeys < OVERLONG_KEYS_MAX) return null;
    const overlong = this.#end(false);
    this.#overlong = true;
    return overlong;
  }

  #isEnd(key: number): boolean {
    if (this.#terminator === "enter") return key === KEY.enter || key === KEY.keypadEnter;
    return this.#terminator === "tab" && key === KEY.tab;
  }

  #add(key: number, modifiers: number): void {
    const level = (modifiers & MODIFIER.rightAlt) !== 0 ? 2 : (modifiers & MODIFIER.shift) !== 0 ? 1 : 0;
    const character = this.#characters.get(key)?.[level];
    if (character === undefined) return this.#spoil(`key ${key} types no character in this layout`);
    if (this.#text.length < TYPED_CHARACTERS_MAX) this.#text += character;
  }

  #spoil(why: string): void {
    this.#unclear ??= why;
  }

  #end(isComplete: boolean): Typed | null {
    const [text, countKeys, unclear] = [this.#text.trim(), this.#countKeys, this.#unclear];
    const isOverlong = this.#overlong || countKeys > TYPED_CHARACTERS_MAX;
    this.#text = "";
    this.#countKeys = 0;
    this.#unclear = null;
    this.#overlong = false;
    if (unclear !== null) return { kind: "unclear", why: unclear };
    if (countKeys === 0) return null;
    if (isOverlong) return { kind: "overlong", countKeys };
    // Readers that end with more than one key: what follows the end is nothing by itself.
    if (text === "") return null;
    return isComplete ? { kind: "text", text } : { kind: "partial", countKeys };
  }
}
