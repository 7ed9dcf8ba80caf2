/**
 * Memory for what is as long as a list, in pages straight from the kernel and given back to it. From the C library, memory of
 * some megabytes comes between smaller pieces and stays with the process for months: 25 MB of a million cards.
 */
const PAGE_BYTES = 64 * 1024;
/** Less is not worth an area of its own. */
const AREA_BYTES_MIN = 1024 * 1024;

/** As much of it as is used here: Node has it, its types leave it to a browser's. */
declare const WebAssembly: {
  Memory: new (size: {
    initial: number;
    maximum: number;
    shared: true;
  }) => { readonly buffer: SharedArrayBuffer };
};

/** Zeros, that other threads may see, too. */
export function sharedPages(sizeBytes: number): Uint8Array {
  const buffer = sizeBytes < AREA_BYTES_MIN ? null : area(sizeBytes);
  return new Uint8Array(buffer ?? new SharedArrayBuffer(sizeBytes), 0, sizeBytes);
}

export function words(count: number): Uint32Array {
  return new Uint32Array(sharedPages(4 * count).buffer, 0, count);
}

export function shorts(count: number): Uint16Array {
  return new Uint16Array(sharedPages(2 * count).buffer, 0, count);
}

/** WebAssembly's memory is the one that is no part of the C library's; none is run in it. Null where there is no room for its margins. */
function area(sizeBytes: number): SharedArrayBuffer | null {
  const pages = Math.ceil(sizeBytes / PAGE_BYTES);
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true }).buffer;
  } catch {
    return null;
  }
}
