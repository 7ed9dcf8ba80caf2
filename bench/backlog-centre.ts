/**
 * The centre of `backlog.ts`, in a process of its own: hears every event at the broker that it is given, and says, whenever it is
 * asked on standard input, up to which sequence all came in order, and what was wrong.
 */
import { createInterface } from "node:readline";
import mqtt from "mqtt";

export interface Account {
  /** All up to this one came. */
  throughSeq: number;
  /** Events that came before one of a lower sequence had come. */
  outOfOrder: number;
}

const account: Account = { throughSeq: 0, outOfOrder: 0 };
const client = await mqtt.connectAsync(process.argv[2] ?? "", { protocolVersion: 5 });
client.on("message", (topic, payload) => {
  if (/\/state(\/|$)/.test(topic)) return;
  const { data } = JSON.parse(payload.toString()) as { data: { seq: number } };
  if (data.seq === account.throughSeq + 1) account.throughSeq += 1;
  else if (data.seq > account.throughSeq) account.outOfOrder += 1;
});
await client.subscribeAsync("grindvakt/#", { qos: 1 });
process.stdout.write("listens\n");
createInterface({ input: process.stdin })
  .on("line", (word) => {
    if (word === "anew") Object.assign(account, { throughSeq: 0, outOfOrder: 0 });
    process.stdout.write(`${JSON.stringify(account)}\n`);
  })
  .once("close", () => process.exit(0));
