/**
 * The least a program can do that keeps its taps: a line comes, is appended to a file so that it is on the disk, and is published.
 * No list, no chain, no relay, nothing after an outage. `bench:peers` starts it to show what the line, the disk and the broker take
 * by themselves. Arguments: the serial port, the broker's URL, the file.
 */
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import mqtt from "mqtt";
import { SerialPort } from "serialport";

export const PLAINEST_TOPIC = "plainest/taps";
/** What a tap of ours takes in the journal and, nearly, in a message. */
const LINE_BYTES = 620;

async function run(port: string, broker: string, path: string): Promise<void> {
  const { O_APPEND, O_CREAT, O_DSYNC, O_WRONLY } = constants;
  const file = await open(path, O_WRONLY | O_APPEND | O_CREAT | O_DSYNC, 0o600);
  const client = await mqtt.connectAsync(broker, { protocolVersion: 5 });
  // The bench presents one card at a time, and a pseudo-terminal hands a line over in one piece.
  new SerialPort({ path: port, baudRate: 9600 }).on("data", (line: Buffer) => {
    const record = `${JSON.stringify({ card: line.toString("latin1").trim() }).padEnd(LINE_BYTES - 1)}\n`;
    file.write(record).then(() => client.publish(PLAINEST_TOPIC, record, { qos: 1 }));
  });
}

const [, program, port, broker, path] = process.argv;
if (program?.endsWith("plainest.js") && port !== undefined && broker !== undefined && path !== undefined)
  await run(port, broker, path);
