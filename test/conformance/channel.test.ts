import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openChannel, parseChannelAddress } from "../../drivers/channel.ts";
import { shareChannels } from "../../drivers/channel-shared.ts";
import type { ChannelAddress, ChannelEvents } from "../../drivers/ports.ts";
import { Pty } from "../peers/pty.ts";
import { TcpDevice } from "../peers/tcp-device.ts";
import { type ChannelPeer, channelConformance } from "./channel.ts";

const pass = () => new Promise<void>((resolve) => setTimeout(resolve, 10));

async function ptyPeer(): Promise<ChannelPeer> {
  const pty = await Pty.make();
  await pty.plug();
  return {
    address: { kind: "serial", path: pty.path, baudRate: 115_200 },
    open: openChannel,
    send: (bytes) => pty.send(bytes),
    received: () => pty.received,
    vanish: () => pty.unplug(),
    comeBack: () => pty.plug(),
    stall: () => pty.stall(),
    pass,
    dispose: () => pty.remove(),
  };
}

async function tcpPeer(): Promise<ChannelPeer> {
  const device = await TcpDevice.listen();
  return {
    address: { kind: "tcp", host: "127.0.0.1", port: device.port },
    open: openChannel,
    send: (bytes) => device.send(bytes),
    received: () => device.received,
    vanish: () => device.vanish(),
    comeBack: () => device.comeBack(),
    stall: () => device.stall(),
    pass,
    dispose: () => device.vanish(),
  };
}

channelConformance("a pseudo-terminal", ptyPeer);
channelConformance("TCP", tcpPeer);
channelConformance("a pseudo-terminal, shared", async () => {
  const peer = await ptyPeer();
  return { ...peer, open: shareChannels(openChannel) };
});

const deaf: ChannelEvents = { data: () => {}, closed: () => {} };

describe("a serial port", () => {
  let pty: Pty;
  let address: ChannelAddress;

  beforeEach(async () => {
    pty = await Pty.make();
    address = { kind: "serial", path: pty.path, baudRate: 9_600 };
  });
  afterEach(() => pty.remove());

  it("is ours alone while it is open", async () => {
    await pty.plug();
    const channel = await openChannel(address, deaf);
    await expect(openChannel(address, deaf)).rejects.toThrow(`${pty.path} is in use by another program`);
    await channel.close();
  });

  it("that is not there is named", async () => {
    await expect(openChannel(address, deaf)).rejects.toThrow(`${pty.path} is not there: is it plugged in?`);
  });

  it("that is no terminal is named", async () => {
    await expect(openChannel({ kind: "serial", path: "/dev/null", baudRate: 9_600 }, deaf)).rejects.toThrow(
      "/dev/null is no serial device",
    );
  });

  it("is found gone when it is pulled under load, each time", async () => {
    for (let round = 0; round < 15; round += 1) {
      await pty.plug();
      let bytes = 0;
      const whys: string[] = [];
      const channel = await openChannel(address, {
        data: (chunk) => {
          bytes += chunk.length;
        },
        closed: (why) => whys.push(why),
      });
      const load = setInterval(() => {
        if (pty.plugged) void pty.send("BB-1234-567890\r\n".repeat(200)).catch(() => {});
      }, 1);
      while (bytes < 10_000) await pass();
      await pty.unplug();
      clearInterval(load);
      while (whys.length === 0) await pass();
      expect(whys).toEqual([`${pty.path} was unplugged`]);
      await channel.close();
    }
  });
});

describe("a TCP device server", () => {
  it("that is not there is named", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, "close");
    const address: ChannelAddress = { kind: "tcp", host: "127.0.0.1", port };
    await expect(openChannel(address, deaf)).rejects.toThrow(`nothing listens at 127.0.0.1:${port}`);
  });

  it("whose name nobody knows is named", async () => {
    const address: ChannelAddress = { kind: "tcp", host: "reader.invalid", port: 4_001 };
    await expect(openChannel(address, deaf)).rejects.toThrow(
      "reader.invalid:4001 is no name that this machine can find",
    );
  });

  it("that ends the connection is told of once, after what it sent", async () => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => sockets.push(socket)).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const told: string[] = [];
    const channel = await openChannel(
      { kind: "tcp", host: "127.0.0.1", port },
      { data: (bytes) => told.push(Buffer.from(bytes).toString()), closed: (why) => told.push(why) },
    );
    while (sockets.length === 0) await pass();
    sockets[0]?.end("last\r");
    while (told.length < 2) await pass();
    await channel.close();
    expect(told).toEqual(["last\r", `127.0.0.1:${port} ended the connection`]);
    server.close();
  });
});

describe("a shared channel", () => {
  let pty: Pty;
  let address: ChannelAddress;

  beforeEach(async () => {
    pty = await Pty.make();
    await pty.plug();
    address = { kind: "serial", path: pty.path, baudRate: 9_600 };
  });
  afterEach(() => pty.remove());

  it("is one device for all, until the last has closed it", async () => {
    const open = shareChannels(openChannel);
    const [one, two] = await Promise.all([open(address, deaf), open(address, deaf)]);
    await one.write(Buffer.from("1"));
    await one.close();
    await one.close();
    await expect(one.write(Buffer.from("x"))).rejects.toThrow("the channel is closed");
    await two.write(Buffer.from("2"));
    while (pty.received.length < 2) await pass();
    expect(pty.received.toString()).toBe("12");
    await expect(openChannel(address, deaf)).rejects.toThrow(/in use/);
    await two.close();
    await (await openChannel(address, deaf)).close();
  });

  it("tells each of the end, and is opened anew by whoever comes first", async () => {
    const open = shareChannels(openChannel);
    const whys: string[] = [];
    const listen = (who: string) => ({
      data: () => {},
      closed: (why: string) => whys.push(`${who}: ${why}`),
    });
    const first = await Promise.all([open(address, listen("one")), open(address, listen("two"))]);
    await pty.unplug();
    while (whys.length < 2) await pass();
    expect(whys).toEqual([`one: ${pty.path} was unplugged`, `two: ${pty.path} was unplugged`]);
    await expect(open(address, deaf)).rejects.toThrow(/not there/);
    await pty.plug();
    const again = await open(address, deaf);
    for (const channel of first) await channel.close();
    await again.write(Buffer.from("still open"));
    await again.close();
  });

  it("refuses a second baud rate", async () => {
    const open = shareChannels(openChannel);
    const channel = await open(address, deaf);
    await expect(open({ kind: "serial", path: pty.path, baudRate: 19_200 }, deaf)).rejects.toThrow(
      `${pty.path} is open at 9600 baud already: use one baudRate`,
    );
    await channel.close();
  });
});

describe("an address", () => {
  it.each([
    ["/dev/ttyUSB0", { kind: "serial", path: "/dev/ttyUSB0", baudRate: 9_600 }],
    ["tcp://10.0.0.7:4001", { kind: "tcp", host: "10.0.0.7", port: 4_001 }],
    ["tcp://reader-1.site.example:65535", { kind: "tcp", host: "reader-1.site.example", port: 65_535 }],
    ["tcp://[fe80::1]:4001", { kind: "tcp", host: "fe80::1", port: 4_001 }],
  ])("%s", (text, address) => {
    expect(parseChannelAddress(text, 9_600)).toEqual({ kind: "address", address });
  });

  it.each(["", "COM3", "ttyUSB0", "tcp://", "tcp://host", "tcp://host:0", "tcp://host:65536", "tcp://:4001"])(
    "%j is none",
    (text) => {
      expect(parseChannelAddress(text, 9_600)).toEqual({
        kind: "refused",
        why: `${text} is neither tcp://host:port nor the name of a device like /dev/ttyUSB0`,
      });
    },
  );
});
