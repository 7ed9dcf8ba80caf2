import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { hidReader } from "../../drivers/reader-hid.ts";
import { serialReader } from "../../drivers/reader-serial.ts";
import { VirtualReader } from "../../drivers/virtual.ts";
import { Pty } from "../peers/pty.ts";
import { TcpDevice } from "../peers/tcp-device.ts";
import { typed } from "../peers/wedge.ts";
import { SimHid } from "../sim/hid.ts";
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

const REPORT = {
  offsetBits: 0,
  lengthBits: 256,
  lengthUnit: "bits" as const,
  order: "msb" as const,
  holds: "text" as const,
  idle: "zeros" as const,
};

for (const mode of ["keyboard", "report"] as const) {
  readerConformance(`hid (simulated, ${mode})`, true, async () => {
    const world = simulatedWorld();
    const hid = new SimHid();
    const port = "1-1.2:1.0";
    const ids = { vendorId: 0x08ff, productId: 0x0009 };
    const plug = async () => hid.plug(port, { ...ids, serial: "", product: "reader" });
    await plug();
    return {
      world,
      create: (events) => {
        const options = { id: "hid", ...ids, reads: "card-number" as const, issuers, hid };
        const how =
          mode === "keyboard"
            ? { mode, layout: "us" as const, terminator: "enter" as const, keyTimeoutMs: 500 }
            : { mode, report: REPORT };
        return hidReader.create({ ...options, ...how }, world, events);
      },
      present: async (text) => {
        const reports = mode === "keyboard" ? typed(`${text}\n`) : [Buffer.from(text.padEnd(32, "\0"))];
        hid.report(port, ...reports);
      },
      cable: { vanish: async () => hid.pull(port), comeBack: plug },
      dispose: async () => expect(hid.openHandles).toBe(0),
    };
  });
}
