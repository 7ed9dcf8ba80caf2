/** Builds and merges while the heap has room: see `drivers/heap.ts`. */
import type { BuildIndex } from "../sync/build.ts";

export function buildRoomily(
  { build, merge }: BuildIndex,
  heap: { roomyDuring<Result>(work: () => Promise<Result>): Promise<Result> },
): BuildIndex {
  return {
    build: (request) => heap.roomyDuring(() => build(request)),
    merge: (request) => heap.roomyDuring(() => merge(request)),
  };
}
