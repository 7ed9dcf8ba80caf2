import { setImmediate as turn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { timed } from "../../sync/feed-workflow.ts";
import { SimClock } from "../sim/clock.ts";

const PIECES = 100;

function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
}

it("a download in time holds no piece that has been taken", async () => {
  const pieces: WeakRef<Uint8Array>[] = [];
  async function* body(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const piece = new Uint8Array(1024);
      pieces.push(new WeakRef(piece));
      yield piece;
    }
  }
  const download = timed(body(), 60_000, new SimClock(), "1.csv.gz");
  for (let taken = 0; taken < PIECES; taken++) await download.next();
  // What a weak reference was asked for in a turn is held until its end.
  await turn();
  collectGarbage();
  expect(pieces).toHaveLength(PIECES);
  expect(pieces.filter((piece) => piece.deref() !== undefined).length).toBeLessThan(5);
  await download.return();
});
