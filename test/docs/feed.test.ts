/** docs/feed.md, read from top to bottom by a centre with a broker over TLS. Needs `npm run build`. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished, test } from "vitest";
import { makeAuthority } from "../peers/certificates.ts";
import { type Mosquitto, startMosquitto, startSubscriber } from "../peers/mosquitto.ts";
import { fencesOf } from "./pages.ts";
import { readPage, Scene } from "./scene.ts";

const CENTRE = { username: "centre", password: "hemligt" };
const CARDS = fencesOf("docs/feed.md").find(({ text }) => text.startsWith("number,status"))!.text;
/** As the page shows its faults: in rows 4 and 6. */
const FAULTY = `number,status,valid_until,tokens
BB-2401-000001,active,,
BB-2401-000002,active,,
BB-2401-00003,expired,,
BB-2401-000004,active,,
BB-2401-000001,active,,
`;
const GATES = 31;

/** States as gateways leave them: one that lags, one that is away, and many that are well. */
async function leaveStates({ url }: Mosquitto, ca: Buffer): Promise<void> {
  const { client, stop } = await startSubscriber(url, "none", { ...CENTRE, ca });
  const leave = (topic: string, value: object) =>
    client.publishAsync(`grindvakt/${topic}`, JSON.stringify(value), { qos: 1, retain: true });
  await leave("feeds/id06", { revision: 4 });
  for (let gate = 1; gate <= GATES; gate += 1) {
    const name = `slussen/gate-${String(gate).padStart(2, "0")}`;
    const list =
      gate === 7
        ? { revision: 3, freshness: "late", refreshedAt: "2026-11-22T05:12:40.120Z" }
        : { revision: 4, freshness: "fresh", refreshedAt: "2026-11-22T06:58:01.003Z" };
    await leave(`${name}/state`, { state: gate === 9 ? "offline" : "online" });
    await leave(`${name}/state/list`, list);
  }
  await stop();
}

test("docs/feed.md", { timeout: 180_000 }, async () => {
  const keys = await mkdtemp(join(tmpdir(), "grindvakt-docs-tls-"));
  onTestFinished(() => rm(keys, { recursive: true, force: true }));
  const authority = await makeAuthority(keys);
  const { certFile, keyFile } = await authority.issue("localhost", {
    names: ["DNS:localhost", "IP:127.0.0.1"],
  });
  const ca = await readFile(authority.caFile);
  const users = { [CENTRE.username]: CENTRE.password };
  const broker = await startMosquitto({ users, tls: { caFile: authority.caFile, certFile, keyFile } });
  onTestFinished(() => broker.dispose());

  const scene = await Scene.set({
    GRINDVAKT_FEED_PASSPHRASE: "ett långt lösenord",
    NODE_EXTRA_CA_CERTS: authority.caFile,
    GRINDVAKT_MQTT_USERNAME: CENTRE.username,
    GRINDVAKT_MQTT_PASSWORD: CENTRE.password,
  });
  onTestFinished(() => scene.dispose());
  const write = (name: string, text: string) => () => writeFile(join(scene.dir, name), text, { mode: 0o600 });
  await mkdir(join(scene.dir, "safe"));
  await write("cards.csv", CARDS)();
  await write("short.csv", CARDS.split("\n").slice(0, 3).join("\n"))();
  await write("broker-password", `${CENTRE.password}\n`)();

  await readPage("docs/feed.md", scene, {
    replace: [
      ["broker.example.se:8883", `localhost:${broker.port}`],
      ["mqtts://broker.example.se", `mqtts://localhost:${broker.port}`],
      ["n = 10000000", "n = 1000"],
    ],
    before: {
      "grindvakt: row 4": write("cards.csv", FAULTY),
      "grindvakt feed publish lists --cards cards.csv --dry-run": write("cards.csv", CARDS),
      "revision 3 -> revision 4": () => broker.stop(),
      "grindvakt feed gates": async () => {
        await broker.restart();
        await leaveStates(broker, ca);
      },
    },
    codes: { "grindvakt: row 4": 1, refused: 1, "revision 3 -> revision 4": 1, "grindvakt feed gates": 1 },
  });
});
