/**
 * Proves what the database holds: of each gateway, or of those that are named, that every event is a line of its journal as it was written.
 * Exit 1 where one was changed, or is missing. Where the database is, `PGHOST` and the like say.
 */
import pg from "pg";
import { Chain, type Kept } from "./chain.ts";

/** Read in one go; an event is below 64 KiB, and most are below one. */
const ROWS = 5_000;
/** Told of, of one gateway; further ones would say no more. */
const FAULTS_MAX = 20;

async function* eventsOf(client: pg.Client, gateway: string): AsyncGenerator<Kept> {
  for (let after = 0; ; ) {
    const text = `select seq::float8 as seq, chain, body::text as text from event
      where gateway = $1 and seq > $2 order by seq limit ${ROWS}`;
    const { rows } = await client.query<Kept>(text, [gateway, after]);
    yield* rows;
    const last = rows.at(-1);
    if (last === undefined) return;
    after = last.seq;
  }
}

async function verify(client: pg.Client, gateway: string): Promise<boolean> {
  const chain = new Chain(gateway);
  const faults: string[] = [];
  let [count, before]: [number, Kept | null] = [0, null];
  let first = 0;
  for await (const event of eventsOf(client, gateway)) {
    const verdict = chain.add(event);
    // What stood before the oldest that is kept is not for this to say.
    if (before === null) first = event.seq;
    else if (verdict === "unproven") faults.push(`${before.seq + 1} to ${event.seq - 1} are missing`);
    if (verdict === "broken")
      faults.push(`${event.seq} is not the line that was written, or ${event.seq - 1} is not`);
    count += 1;
    before = event;
  }
  const span = before === null ? "" : `, ${first} to ${before.seq}, the last with ${before.chain}`;
  process.stdout.write(`${gateway}: ${count} events${faults.length === 0 ? ", whole" : ""}${span}\n`);
  for (const fault of faults.slice(0, FAULTS_MAX)) process.stdout.write(`${gateway}: ${fault}\n`);
  return faults.length === 0;
}

const client = new pg.Client();
let isWhole = true;
try {
  await client.connect();
  const { rows } = await client.query<{ gateway: string }>("select gateway from gateway order by gateway");
  const named = process.argv.slice(2);
  const unknown = named.filter((name) => !rows.some(({ gateway }) => gateway === name));
  if (unknown.length > 0) throw new Error(`no such gateway: ${unknown.join(", ")}`);
  for (const gateway of named.length > 0 ? named : rows.map(({ gateway }) => gateway))
    if (!(await verify(client, gateway))) isWhole = false;
} catch (error) {
  process.stderr.write(`verify: ${(error as Error).message}\n`);
  isWhole = false;
} finally {
  await client.end();
}
process.exitCode = isWhole ? 0 : 1;
