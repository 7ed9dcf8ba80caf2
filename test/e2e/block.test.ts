/** A card blocked at the centre is refused at the gate: the built program, a real broker, a real web server. */
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { startNginx } from "../peers/nginx.ts";
import { ask } from "./counter.ts";
import { CARDS, sharedFeed, until } from "./site.ts";
import { setStage } from "./stage.ts";

const DOCUMENTED = join(import.meta.dirname, "../../docs/nginx-feed.conf");
/** Longer than any test: only an announcement can be why a gateway asks. */
const NEVER_SECONDS = 3_600;
const CARD = CARDS.granted;

/** A running gateway whose list has come; what the next tap of the card is decided; and the centre's commands. */
async function setGate(refreshSeconds: number) {
  const centre = await mkdtemp(join(tmpdir(), "grindvakt-centre-"));
  onTestFinished(() => rm(centre, { recursive: true, force: true }));
  await cp(await sharedFeed(), centre, { recursive: true });
  const nginx = await startNginx({ root: join(centre, "feed"), documented: DOCUMENTED });
  onTestFinished(() => nginx.dispose());
  const { broker, line, ear, site } = await setStage(centre, (configuration) => {
    Object.assign(configuration.cards, { feed: nginx.url, refreshSeconds });
  });
  const daemon = await (await site.run()).healthy();
  await ear.hear("state", ({ state }) => state === "online");
  let taps = 0;
  const tap = async (): Promise<string> => {
    await line.send(`${CARD}\r\n`);
    taps += 1;
    return (await ear.hearTaps(`tap ${taps}`, ({ length }) => length === taps))[taps - 1]!.data.reason;
  };
  const set = async (status: string, ...options: string[]): Promise<void> => {
    const ended = await ask(["feed", "set", "feed", CARD, status, ...options], { cwd: centre });
    expect(ended).toMatchObject({ code: 0, stderr: "" });
  };
  /** Taps until it is decided so. */
  const becomes = (reason: string) =>
    until(`a tap is ${reason}`, async () => ((await tap()) === reason ? reason : null));
  return { notify: ["--notify", broker.url], daemon, ear, nginx, set, site, tap, becomes };
}

describe("a block at the centre", () => {
  test("that is announced is in force at the gate without its asking by itself, and so is its end; announced while its web server is away, when that is back; announced while the gateway is off, after its start, whoever is asked first", async () => {
    const { notify, daemon, ear, nginx, set, site, tap, becomes } = await setGate(NEVER_SECONDS);
    expect(await tap()).toBe("granted");
    await set("blocked", ...notify);
    await becomes("blocked");
    await set("active", ...notify);
    await becomes("granted");

    await nginx.stop();
    await set("suspended", ...notify);
    await ear.hear("list", ({ data }) => data.event === "refused" && data.name === "unreachable");
    expect(await tap()).toBe("granted");
    await nginx.start();
    await becomes("suspended");

    await daemon.end();
    await set("blocked", ...notify);
    await (await site.run()).healthy();
    await becomes("blocked");
    expect(ear.faults()).toEqual([]);
  });

  test("that is not announced is in force after the next refresh", async () => {
    const { set, tap, becomes } = await setGate(1);
    expect(await tap()).toBe("granted");
    await set("suspended");
    await becomes("suspended");
  });
});
