/**
 * A tar archive of a few small files, in the oldest form that every tool reads (POSIX ustar): a block of 512 bytes
 * that names each file, then its content filled up to whole blocks; two empty blocks end it.
 */
const BLOCK_BYTES = 512;
const NAME_BYTES_MAX = 100;
/** Only its owner reads it. */
const MODE = 0o600;

export interface TarEntry {
  /** Relative; at most 100 bytes. */
  name: string;
  text: string;
}

export function tar(entries: readonly TarEntry[], modifiedMs: number): Buffer {
  const blocks = entries.flatMap(({ name, text }) => {
    const content = Buffer.from(text);
    const padding = Buffer.alloc((BLOCK_BYTES - (content.length % BLOCK_BYTES)) % BLOCK_BYTES);
    return [header(name, content.length, modifiedMs), content, padding];
  });
  return Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK_BYTES)]);
}

function header(name: string, sizeBytes: number, modifiedMs: number): Buffer {
  if (Buffer.byteLength(name) > NAME_BYTES_MAX)
    throw new Error(`${name} is too long for a name in an archive`);
  const block = Buffer.alloc(BLOCK_BYTES);
  const octal = (value: number, width: number): string => `${value.toString(8).padStart(width - 1, "0")}\0`;
  const fields: readonly [number, string][] = [
    [0, name],
    [100, octal(MODE, 8)],
    [108, octal(0, 8)],
    [116, octal(0, 8)],
    [124, octal(sizeBytes, 12)],
    [136, octal(Math.max(0, Math.floor(modifiedMs / 1_000)), 12)],
    // The sum is taken with blanks in its own place.
    [148, "        "],
    [156, "0"],
    [257, "ustar\u000000"],
  ];
  for (const [offset, value] of fields) block.write(value, offset, "utf8");
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "utf8");
  return block;
}
