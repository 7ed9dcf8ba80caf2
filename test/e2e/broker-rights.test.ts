/** A gate at a broker as a careful site runs it: TLS, a certificate for each gateway, an access list, and limits. */
import { copyFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { type Authority, type Issued, makeAuthority } from "../peers/certificates.ts";
import { startMosquitto } from "../peers/mosquitto.ts";
import { type Ear, listen } from "./ear.ts";
import { cards, tap } from "./load.ts";
import { type Site, sharedFeed } from "./site.ts";
import { setStage } from "./stage.ts";

const TAPS = 16;

const feedDir = await sharedFeed();
let folder: string;
let authority: Authority;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "grindvakt-certificates-"));
  authority = await makeAuthority(folder);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("a gate", () => {
  test("goes in with its certificate, and another gateway's lets it write nothing: nothing is lost", async () => {
    const broker = await authority.issue("broker");
    const centre = await authority.issue("centre");
    const own = await authority.issue("gate-07");
    const others = await authority.issue("gate-08");
    const { line, ear, site } = await setStage(
      feedDir,
      ({ mqtt }) =>
        Object.assign(mqtt, { tls: { ca: authority.caFile, cert: "./own.pem", key: "./own.key" } }),
      {
        tls: { caFile: authority.caFile, ...broker, requireClientCertificate: true },
        lines: ["use_identity_as_username true"],
        acl: [
          "user centre",
          "topic read grindvakt/#",
          "pattern write grindvakt/+/%u/#",
          "pattern read grindvakt/feeds/+",
        ],
        centre: await shown(centre),
      },
    );
    await giveCertificate(site, others);
    const stranger = await (await site.run()).healthy();
    await tap(line, stranger, 0, TAPS);
    const refused = await stranger.become(
      "the first event is refused",
      ({ outbox }) => outbox.refused !== null && outbox.unsent >= TAPS,
    );
    expect(refused).toMatchObject({ broker: { state: "up" }, outbox: { refused: "not authorized" } });
    await stranger.end();
    expect(ear.taps()).toEqual([]);

    await giveCertificate(site, own);
    const last = await (await site.run()).healthy();
    await tap(line, last, TAPS, TAPS);
    await last.become("nothing unsent", ({ outbox }) => outbox.unsent === 0);
    await last.end();
    await everythingCame(site, ear, 2 * TAPS);
  });

  test("keeps what a broker finds too large, says so, and sends it when it may", async () => {
    const stage = await setStage(feedDir, undefined, { lines: ["max_packet_size 400"] });
    const { broker, line, site } = stage;
    const daemon = await (await site.run()).healthy();
    await tap(line, daemon, 0, TAPS);
    const { outbox } = await daemon.become(
      "the first event is refused",
      ({ outbox }) => outbox.refused !== null,
    );
    expect(outbox.refused).toMatch(/packet too large/);
    expect(JSON.parse(await daemon.said("the broker refuses an event"))).toMatchObject({ id: "gate-07/1" });
    await stage.ear.stop();
    await broker.dispose();

    const larger = await startMosquitto({ port: broker.port });
    onTestFinished(() => larger.dispose());
    const ear = await listen(larger);
    onTestFinished(() => ear.stop());
    await daemon.become("nothing unsent", ({ outbox }) => outbox.unsent === 0);
    await daemon.end();
    await everythingCame(site, ear, TAPS);
  });
});

/** Every journaled event, in order, and so many taps. */
async function everythingCame(site: Site, ear: Ear, taps: number): Promise<void> {
  const journal = await site.journal();
  const events = await ear.hearUpTo(journal.length);
  expect(events.map(({ id, data }) => [id, data.chain])).toEqual(
    journal.map(({ chain }, index) => [`gate-07/${index + 1}`, chain]),
  );
  expect(ear.taps().map(({ data }) => data.card)).toEqual(cards(taps));
  expect(ear.faults()).toEqual([]);
}

async function giveCertificate({ dir }: Site, { certFile, keyFile }: Issued): Promise<void> {
  await copyFile(certFile, join(dir, "own.pem"));
  await copyFile(keyFile, join(dir, "own.key"));
}

async function shown({ certFile, keyFile }: Issued) {
  const [ca, cert, key] = await Promise.all(
    [authority.caFile, certFile, keyFile].map((file) => readFile(file)),
  );
  return { ca: ca!, cert: cert!, key: key! };
}
