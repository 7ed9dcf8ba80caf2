/** The centre's consumer: events of all gateways from the broker into PostgreSQL, each once. docs/hundred-gates.md says how it is run. */
import { Gaps } from "./gaps.ts";
import { Link } from "./link.ts";
import { type EventRow, type Refusal, readMessage, type StateRow } from "./message.ts";
import { readSettings, type Settings } from "./settings.ts";
import { type Put, Store } from "./store.ts";

/** A line of JSON for the log. Card numbers are in none. */
function say(what: string, facts: object = {}): void {
  process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), what, ...facts })}\n`);
}

function settingsOrExit(): Settings {
  try {
    return readSettings(process.env);
  } catch (error) {
    process.stderr.write(`consumer: ${(error as Error).message}\n`);
    process.exit(2);
  }
}

const settings = settingsOrExit();
const store = new Store((why) => say("the database is away", { why }));
const gaps = new Gaps(settings.gapSeconds * 1_000);

async function take(topic: string, payload: Buffer): Promise<void> {
  const message = readMessage(settings.prefix, topic, payload);
  if (message.kind === "answer") {
    if (!message.ok) say("a gateway sends nothing again", { gateway: message.gateway, why: message.why });
    return;
  }
  const put = await putOf(topic, message, payload);
  if (put.kind === "refused") say("a message is not kept as an event", { topic, why: put.why });
}

function putOf(topic: string, message: EventRow | StateRow | Refusal, payload: Buffer): Promise<Put> {
  if (message.kind === "event") return store.put(topic, message);
  if (message.kind === "state") return store.putState(topic, message);
  return store.refuse(topic, message, payload);
}

const link = new Link(settings, {
  told: say,
  // The line is made anew after a while, with its backoff: the database's, too.
  take: (topic, payload) =>
    take(topic, payload).catch((error: Error) => {
      throw new Error(`the database does not take it: ${error.message}`);
    }),
});

async function fillGaps(): Promise<void> {
  // What is missing may be among what the broker still has.
  if (!link.isIdle) return;
  const found = await store.gaps();
  for (const { site, gateway, payload } of gaps.commands(found, {
    wallMs: Date.now(),
    steadyMs: performance.now(),
  })) {
    say("asks for events that are missing", { gateway, payload });
    link.publish(`${settings.prefix}/${site}/${gateway}/command/resend`, payload);
  }
}

const timer = setInterval(() => {
  fillGaps().catch((error: Error) => say("gaps could not be looked for", { why: error.message }));
}, settings.gapSeconds * 1_000);

for (const signal of ["SIGTERM", "SIGINT"] as const)
  process.once(signal, () => {
    clearInterval(timer);
    link.stop();
  });
say("the consumer runs", { prefix: settings.prefix });
await link.run();
await store.stop();
