/**
 * Which of the readers that PC/SC shows is meant by a part of a name. One device may show several: a contactless
 * reader, a slot for a security module, a contact slot. pcscd ends each name with two numbers in hex, of the reader and of
 * its slot (pcsc-lite, readerfactory.c), which tell two of the same make apart.
 */

/** Slots no card is tapped on; meant only by a name that says so itself. */
const SIDE_SLOT = /\b(?:SAM|ICC)\b/i;

export type Match = { kind: "found"; reader: string } | { kind: "none"; why: string };

/** `others`: what the other readers of the gateway are called. */
export function findReader(name: string, readers: Iterable<string>, others: readonly string[]): Match {
  const all = [...readers];
  const meant = all.filter((reader) => isMeant(name, reader));
  const [reader, ...rest] = meant;
  if (reader === undefined) {
    const seen = all.length === 0 ? "there is none" : `there is ${all.join(", ")}`;
    return none(`no PC/SC reader is called "${name}": ${seen}`);
  }
  if (rest.length > 0) {
    return none(
      `${meant.length} PC/SC readers are called "${name}", allowed: more of the name of one of ${meant.join(", ")}`,
    );
  }
  const other = others.find((name) => isMeant(name, reader));
  if (other !== undefined)
    return none(`"${name}" and "${other}" both are ${reader}, allowed: a reader of its own for each`);
  return { kind: "found", reader };
}

function isMeant(name: string, reader: string): boolean {
  if (!reader.toLowerCase().includes(name.toLowerCase())) return false;
  return !SIDE_SLOT.test(reader) || SIDE_SLOT.test(name);
}

function none(why: string): Match {
  return { kind: "none", why };
}
