import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer as createTlsServer, type Server } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type BrokerTls, dial, parseDoor } from "../../drivers/broker-dial.ts";
import { type Authority, type Issued, makeAuthority } from "../peers/certificates.ts";
import { freePort, startMosquitto } from "../peers/mosquitto.ts";
import { TAP, until, WILL, watch } from "./broker-watch.ts";

const never = new AbortController().signal;

describe("an address", () => {
  test.each([
    ["mqtt://broker", { scheme: "mqtt", host: "broker", port: 1883, name: "broker:1883" }],
    ["mqtts://broker", { scheme: "mqtts", host: "broker", port: 8883, name: "broker:8883" }],
    ["mqtts://user:secret@broker:9", { scheme: "mqtts", host: "broker", port: 9, name: "broker:9" }],
    ["mqtt://[::1]:1884", { scheme: "mqtt", host: "::1", port: 1884, name: "[::1]:1884" }],
    ["ws://broker", null],
    ["http://broker", null],
    ["broker:1883", null],
    ["mqtt://", null],
    ["", null],
  ])("%s", (url, door) => {
    expect(parseDoor(url)).toEqual(door);
  });
});

describe("a door", () => {
  let directory: string;
  let authority: Authority;
  let ca: string;
  const issued: Record<"good" | "expired" | "elsewhere" | "gateway", Issued> = {} as never;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "broker-tls-"));
    authority = await makeAuthority(directory);
    ca = await readFile(authority.caFile, "utf8");
    issued.good = await authority.issue("broker");
    issued.expired = await authority.issue("expired", { days: -1 });
    issued.elsewhere = await authority.issue("elsewhere", { names: ["DNS:broker.example"] });
    issued.gateway = await authority.issue("gateway");
  });

  afterAll(() => rm(directory, { recursive: true, force: true }));

  test("nobody listens at is refused with a word", async () => {
    const door = parseDoor(`mqtt://127.0.0.1:${await freePort()}`)!;
    expect(await dial(door, undefined, never)).toEqual({
      kind: "failed",
      why: "connection refused: is the broker running, and is the port right?",
    });
  });

  test("with an unknown name says so", async () => {
    const dialed = await dial(parseDoor("mqtt://no-such-host.invalid")!, undefined, never);
    expect(dialed).toMatchObject({ kind: "failed", why: expect.stringMatching(/no-such-host\.invalid/) });
  });

  test("is given up when the signal ends, before and while", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const door = parseDoor(`mqtts://127.0.0.1:${(server.address() as AddressInfo).port}`)!;
    const giveUp = new AbortController();
    const dialing = dial(door, undefined, giveUp.signal);
    const [taken] = await once(server, "connection");
    giveUp.abort("no time");
    expect(await dialing).toEqual({ kind: "failed", why: "no time" });
    expect(await dial(door, undefined, giveUp.signal)).toEqual({ kind: "failed", why: "no time" });
    taken.destroy();
    server.close();
  });

  /** A TLS server that keeps whatever is said to it. */
  async function tlsServer({
    certFile,
    keyFile,
  }: Issued): Promise<{ server: Server; heard: () => number; port: number }> {
    let heardBytes = 0;
    const server = createTlsServer(
      { cert: await readFile(certFile), key: await readFile(keyFile) },
      (socket) => void socket.on("error", () => {}).on("data", (bytes) => (heardBytes += bytes.length)),
    );
    server.on("tlsClientError", () => {});
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return { server, heard: () => heardBytes, port: (server.address() as AddressInfo).port };
  }

  const wrongs: [string, () => Issued, () => BrokerTls | undefined, RegExp][] = [
    ["an authority nobody knows", () => issued.good, () => undefined, /signed by nobody this gateway trusts/],
    ["a certificate that has expired", () => issued.expired, () => ({ ca }), /has expired/],
    [
      "a certificate for another host",
      () => issued.elsewhere,
      () => ({ ca }),
      /for another name than 127\.0\.0\.1/,
    ],
  ];

  test.each(wrongs)(
    "behind %s is not gone through, and hears no password",
    async (_, certificate, tls, why) => {
      const { server, heard, port } = await tlsServer(certificate());
      const tlsSetting = tls();
      const client = watch({
        urls: [`mqtts://127.0.0.1:${port}`],
        username: "gate",
        password: "secret",
        ...(tlsSetting === undefined ? {} : { tls: tlsSetting }),
      });
      await client.down();
      expect(client.downs[0]).toMatch(why);
      await client.broker.stop(WILL);
      expect(heard()).toBe(0);
      server.close();
    },
  );

  test("that speaks no TLS says so", async () => {
    const mosquitto = await startMosquitto();
    const dialed = await dial(parseDoor(`mqtts://127.0.0.1:${mosquitto.port}`)!, { ca }, never);
    expect(dialed).toMatchObject({ kind: "failed" });
    await mosquitto.dispose();
  });

  test("with a certificate of our own that cannot be read says so", async () => {
    const dialed = await dial(parseDoor("mqtts://127.0.0.1:1")!, { cert: "no PEM", key: "no PEM" }, never);
    expect(dialed).toMatchObject({
      kind: "failed",
      why: expect.stringMatching(/^mqtt\.tls cannot be used: /),
    });
  });

  test("of mosquitto with TLS and a certificate on either side is gone through", async () => {
    const tls = { caFile: authority.caFile, ...issued.good, requireClientCertificate: true };
    const mosquitto = await startMosquitto({ tls });
    const bare = watch({ urls: [mosquitto.url], tls: { ca } });
    await bare.down();
    expect(bare.downs[0]).toMatch(/mqtt\.tls\.cert|connection was broken|closed the connection/);
    await bare.broker.stop(WILL);
    const [cert, key] = await Promise.all([
      readFile(issued.gateway.certFile),
      readFile(issued.gateway.keyFile),
    ]);
    const client = watch({ urls: [`mqtts://localhost:${mosquitto.port}`], tls: { ca, cert, key } });
    await client.up();
    expect(client.sessions[0]).toMatchObject({ protocol: "5.0", url: `mqtts://localhost:${mosquitto.port}` });
    expect(await client.broker.publish(TAP)).toEqual({ kind: "acknowledged" });
    await client.broker.stop(WILL);
    await mosquitto.dispose();
  });

  test("that is shut is passed for the next, without a word of down; all shut are told together, once", async () => {
    const ports = [await freePort(), await freePort()];
    const mosquitto = await startMosquitto();
    const client = watch({ urls: [`mqtt://127.0.0.1:${ports[0]}`, "ws://broker", mosquitto.url] });
    await client.up();
    expect(client.downs).toEqual([]);
    expect(client.sessions[0]?.url).toBe(mosquitto.url);
    await client.broker.stop(WILL);
    await mosquitto.dispose();

    const shut = watch({ urls: ports.map((port) => `mqtt://127.0.0.1:${port}`) });
    await until(() => shut.clock.delaysMs.filter((delayMs) => delayMs < 10_000).length > 1, "two rounds");
    expect(shut.downs).toHaveLength(1);
    for (const port of ports) expect(shut.downs[0]).toContain(`127.0.0.1:${port}: connection refused`);
    await shut.broker.stop(WILL);
    expect(shut.clock.owedMs).toEqual([]);
  });
});
