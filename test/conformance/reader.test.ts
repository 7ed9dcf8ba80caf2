import { setTimeout as sleep } from "node:timers/promises";
import { serialReader } from "../../drivers/reader-serial.ts";
import { VirtualReader } from "../../drivers/virtual.ts";
import { Pty } from "../peers/pty.ts";
import { TcpDevice } from "../peers/tcp-device.ts";
import { readerConformance } from "./reader.ts";
import { hurriedWorld, simulatedWorld } from "./world.ts";

const issuers = ["BB"];

readerConformance("virtual", false, async () => {
  const world = simulatedWorld();
  let reader: VirtualReader | null = null;
  return {
    world,
    create: (events) => {
      reader = new VirtualReader({ id: "virtual", issuers }, world, events);
      return reader;
    },
    present: async (text) => {
      reader?.present(text);
    },
    dispose: async () => {},
  };
});

readerConformance("serial (pseudo-terminal)", true, async () => {
  const world = hurriedWorld();
  const pty = await Pty.make();
  await pty.plug();
  return {
    world,
    create: (events) => {
      const options = { id: "pty", port: pty.path, baudRate: 9_600, reads: "card-number" as const, issuers };
      return serialReader.create(options, world, events);
    },
    present: (text) => pty.send(`${text}\r\n`),
    cable: { vanish: () => pty.unplug(), comeBack: () => pty.plug() },
    dispose: () => pty.remove(),
  };
});

readerConformance("serial (TCP)", true, async () => {
  const world = hurriedWorld();
  const device = await TcpDevice.listen();
  const port = `tcp://127.0.0.1:${device.port}`;
  return {
    world,
    create: (events) => {
      const options = { id: "tcp", port, baudRate: 9_600, reads: "card-number" as const, issuers };
      return serialReader.create(options, world, events);
    },
    present: async (text) => {
      while (device.connections === 0) await sleep(5);
      await device.send(`\x02${text}\x03`);
    },
    cable: { vanish: () => device.vanish(), comeBack: () => device.comeBack() },
    dispose: () => device.vanish(),
  };
});
