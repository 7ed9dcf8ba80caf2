/** Each package with native code, as npm put it there: loaded, and made to do something that only its native part can. */
import { expect, test } from "vitest";
import { until } from "../e2e/site.ts";
import { pluggedPty } from "../e2e/stage.ts";
import { evaluate, PROCESSOR } from "./pi.ts";

test("Node is of that processor and no older than the gateway asks", async () => {
  const [arch, version] = (await evaluate("return [process.arch, process.versions.node]")) as string[];
  expect(arch).toBe({ arm64: "arm64", armv7: "arm" }[PROCESSOR]);
  expect(version).toMatch(/^(20\.(19|[2-9]\d)|2[1-9]|[3-9]\d)\./);
});

test("serialport opens a line and writes to it", async () => {
  const line = await pluggedPty();
  expect(
    await evaluate(`
      const { SerialPort } = require("serialport");
      const port = new SerialPort({ path: ${JSON.stringify(line.path)}, baudRate: 9600, autoOpen: false });
      const done = (call) => new Promise((resolve, reject) => call((error) => (error ? reject(error) : resolve())));
      await done((back) => port.open(back));
      await done((back) => port.update({ baudRate: 19200 }, back));
      await done((back) => port.write("BB-2611-000001", back));
      await done((back) => port.drain(back));
      await done((back) => port.close(back));
      return port.baudRate;`),
  ).toBe(19_200);
  await until("the line is written to", () => line.received.toString() === "BB-2611-000001" || null);
});

test.each(["hidraw", "libusb"])("node-hid lists devices by %s", async (driver) => {
  const devices = await evaluate(`
    const hid = require("node-hid");
    hid.setDriverType(${JSON.stringify(driver)});
    return await hid.devicesAsync();`);
  expect(devices).toBeInstanceOf(Array);
});

test("pcsclite, compiled there, and nfc-pcsc over it are loaded", async () => {
  // No more than loaded: without a pcscd it would ask for readers for ever, and a reader made by hand ends it at exit.
  expect(
    await evaluate(`
      const { CardReader } = require("@pokusew/pcsclite/build/Release/pcsclite.node");
      return [typeof CardReader, typeof require("nfc-pcsc").NFC];`),
  ).toEqual(["function", "function"]);
});
