/** The control socket: what is asked, what is streamed, and what becomes of those who do not read. */
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { askControl, type ControlServer, serveControl, watchControl } from "../../daemon/control.ts";

let dir: string;
let path: string;
let server: ControlServer | null;
let send: ((item: unknown) => void) | null;
let stopped: number;
let asked: number;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "grindvakt-control-"));
  path = join(dir, "control.sock");
  send = null;
  stopped = 0;
  asked = 0;
  server = await serveControl(
    path,
    {
      double: ({ value }) => Number(value) * 2,
      never: () => {
        asked += 1;
        return new Promise(() => undefined);
      },
    },
    {
      count: ({ from }, take) => {
        if (from === "nowhere") throw new Error("there is no nowhere");
        send = take;
        return () => {
          stopped += 1;
        };
      },
    },
  );
});
afterEach(async () => {
  await server?.stop();
  await rm(dir, { recursive: true });
});

async function until(what: () => boolean): Promise<void> {
  while (!what()) await new Promise((go) => setTimeout(go, 2));
}

describe("a stream", () => {
  it("is what the method hands over, until whoever watches stops", async () => {
    const seen: unknown[] = [];
    const stop = new AbortController();
    const events = {
      watching: () => seen.push("watching"),
      take: (item: unknown, leftOut: number) => seen.push([item, leftOut]),
    };
    const end = watchControl(path, "count", {}, events, stop.signal);
    await until(() => send !== null);
    send?.(1);
    send?.({ two: 2 });
    await until(() => seen.length === 3);
    expect(seen).toEqual(["watching", [1, 0], [{ two: 2 }, 0]]);
    stop.abort();
    expect(await end).toEqual({ kind: "stopped" });
    await until(() => stopped === 1);
    send?.(3);
    expect(seen).toHaveLength(3);
  });

  it("that is refused, unknown, or of nobody, says so", async () => {
    const { signal } = new AbortController();
    const never = () => {
      throw new Error("it is watched");
    };
    const watch = (method: string, params: object) =>
      watchControl(path, method, params, { watching: never, take: never }, signal);
    expect(await watch("count", { from: "nowhere" })).toEqual({ kind: "error", why: "there is no nowhere" });
    expect(await watch("nothing", {})).toEqual({ kind: "error", why: "this daemon knows no nothing" });
    expect(await askControl(path, "double", { value: 21 })).toEqual({ kind: "result", result: 42 });
    await server?.stop();
    expect(await watch("count", {})).toEqual({ kind: "none" });
  });

  it("ends with the daemon", async () => {
    const end = watchControl(path, "count", {}, { watching() {}, take() {} }, new AbortController().signal);
    await until(() => send !== null);
    await server?.stop();
    expect(await end).toEqual({ kind: "error", why: expect.stringMatching(/^the daemon hung up/) });
    await until(() => stopped === 1);
  });

  it("to somebody who does not read is left out in part, and says how much", async () => {
    const socket = connect(path);
    socket.pause();
    socket.write('{"method":"count"}\n');
    await until(() => send !== null);
    const item = "x".repeat(10_000);
    const items = 1_000;
    for (let count = 0; count < items; count += 1) send?.(item);
    // Far less than was handed over is held for it; the rest is left out.
    let text = "";
    socket.setEncoding("utf8").on("data", (piece: string) => {
      text += piece;
    });
    socket.resume();
    await until(() => {
      send?.("last");
      return text.includes("leftOut");
    });
    const lines = text.split("\n").filter((line) => line.endsWith("}"));
    const whole = lines.filter((line) => line.includes(item)).length;
    const [told] = lines.flatMap((line) =>
      line.includes("leftOut") ? [JSON.parse(line) as { leftOut: number }] : [],
    );
    expect(whole).toBeLessThan(100);
    expect((told?.leftOut ?? 0) + whole).toBeGreaterThanOrEqual(items);
    socket.destroy();
    await until(() => stopped === 1);
  });
});

/** Asks over and over and reads nothing; resolves with how often it could before it was hung up on. */
function pester(request: string, timesMax: number): Promise<number> {
  return new Promise((hungUp) => {
    const socket = connect(path).pause();
    let times = 0;
    const ask = (): void => {
      if (socket.destroyed || times >= timesMax) return;
      times += 1;
      socket.write(request, () => setImmediate(ask));
    };
    socket.on("error", () => undefined);
    socket.on("close", () => hungUp(times));
    ask();
  });
}

describe("somebody who asks", () => {
  it("and does not read the answers is hung up on, and others are answered", async () => {
    const request = `${JSON.stringify({ method: "x".repeat(30_000) })}\n`;
    expect(await pester(request, 1_000)).toBeLessThan(1_000);
    expect(await askControl(path, "double", { value: 2 })).toEqual({ kind: "result", result: 4 });
  });

  it("on and on before he is answered is hung up on", async () => {
    expect(await pester(`${JSON.stringify({ method: "never" })}\n`, 1_000)).toBeLessThan(1_000);
    expect(asked).toBe(16);
  });

  it("while as many others are served as can be is told so", async () => {
    const others = Array.from({ length: 16 }, () => connect(path).on("error", () => undefined));
    await Promise.all(others.map((other) => once(other, "connect")));
    expect(await askControl(path, "double", { value: 2 })).toEqual({
      kind: "error",
      why: "the daemon hung up: it stops, or serves as many others as it can",
    });
    for (const other of others) other.destroy();
  });

  it.each(["null", "[]", "1", ""])("%j is answered in words", async (request) => {
    const socket = connect(path);
    socket.end(`${request}\n`);
    const [answer] = (await once(socket, "data")) as [Buffer];
    expect(JSON.parse(answer.toString())).toEqual({
      error: expect.not.stringMatching(/undefined|destructure/),
    });
  });
});
