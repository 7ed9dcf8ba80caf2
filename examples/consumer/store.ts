/** The database: each event in it once. Whatever `put` has resolved for is committed. */
import pg from "pg";
import type { EventRow, Refusal, StateRow } from "./message.ts";

/** Of one gateway; a gateway gone mad fills no disk with what nobody can use. */
const REFUSED_ROWS_MAX = 1_000;
/** Ranges looked at in one go; what is beyond is found when these are filled. */
const GAPS_MAX = 1_000;
/** A database that does not answer is tried anew; nothing is acknowledged meanwhile. */
const STATEMENT_MS_MAX = 60_000;
const CONNECT_MS_MAX = 5_000;

export type Put =
  | { kind: "new" }
  /** It was there. */
  | { kind: "known" }
  /** PostgreSQL cannot keep it, or has another event under this id: it stands in `refused`. */
  | { kind: "refused"; why: string };

export interface Gap {
  gateway: string;
  site: string;
  fromSeq: number;
  toSeq: number;
}

// An event that could not be written to the gateway's disk comes again under its id once it is, and takes the place of the first.
const EVENT = `with its as (
  insert into gateway (gateway, site) values ($2, $3)
  on conflict (gateway) do update set site = excluded.site where gateway.site <> excluded.site)
insert into event (id, gateway, site, kind, seq, chain, at, trusted, boot, uptime_ms, what, access_point, direction, card, granted,
  reason, workplace, tap, moves, takes_back, body)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
on conflict (id) do update set seq = excluded.seq, chain = excluded.chain, body = excluded.body
  where event.seq is null and excluded.seq is not null`;

const STATE = `insert into gateway (gateway, site, state, state_at, unsent, head_seq, list_revision, freshness, body)
values ($1, $2, $3, now(), $4, $5, $6, $7, $8)
on conflict (gateway) do update set site = excluded.site, state = excluded.state, state_at = excluded.state_at, unsent = excluded.unsent,
  head_seq = coalesce(excluded.head_seq, gateway.head_seq), list_revision = coalesce(excluded.list_revision, gateway.list_revision),
  freshness = coalesce(excluded.freshness, gateway.freshness), body = excluded.body`;

const REFUSED = `insert into refused (sha256, gateway, topic, why, body)
select sha256(convert_to($2 || chr(10), 'UTF8') || $4), $1, $2, $3, $4 where (select count(*) from refused where gateway = $1) < ${REFUSED_ROWS_MAX}
on conflict (sha256) do update set times = refused.times + 1`;

// Where there is no hole from `whole_to` on, the nth sequence after it is `whole_to + n`.
const ADVANCE = `update gateway g set whole_to = run.seq from (
  select gateway, max(seq) as seq from (
    select gateway, seq, seq - whole_to - row_number() over (partition by gateway order by seq) as off from beyond_whole) numbered
  where off = 0 group by gateway) run
where run.gateway = g.gateway`;

const GAPS = `select gateway, site, from_seq::float8 as "fromSeq", to_seq::float8 as "toSeq" from missing
join gateway using (gateway, site) where state = 'online'
order by gateway, from_seq limit ${GAPS_MAX}`;

export class Store {
  readonly #pool: pg.Pool;

  /** Where the database is, `PGHOST` and the like say. */
  constructor(onTrouble: (why: string) => void) {
    this.#pool = new pg.Pool({
      max: 2,
      connectionTimeoutMillis: CONNECT_MS_MAX,
      query_timeout: STATEMENT_MS_MAX,
      application_name: "grindvakt-consumer",
    });
    // A connection that broke while nobody used it; the next query makes another.
    this.#pool.on("error", (error) => onTrouble(error.message));
  }

  /** One statement, so one transaction. Rejects where the database does not answer, or is not ours. */
  async put(topic: string, event: EventRow): Promise<Put> {
    const { id, gateway, site, topicKind, seq, chain, at, trusted, boot, uptimeMs, text } = event;
    const { what, accessPoint, direction, card, granted, reason, workplace, tap, moves, takesBack } = event;
    const place = [id, gateway, site, topicKind, seq, chain, at, trusted, boot, uptimeMs];
    const said = [what, accessPoint, direction, card, granted, reason, workplace, tap, moves, takesBack];
    const values = [...place, ...said, text];
    const answer = await this.#write({ name: "event", text: EVENT, values });
    if (typeof answer === "string")
      return this.refuse(topic, { kind: "refused", gateway, why: answer }, text);
    if (answer === 1) return { kind: "new" };
    // The one that is there is durable. One that is not comes late, and says the same with less.
    const same = "select from event where id = $1 and ($2::text is null or body::text = $3)";
    const { rowCount } = await this.#pool.query(same, [id, chain, text]);
    if (rowCount === 1) return { kind: "known" };
    const why = `another event than the one that is kept as ${id}: is a second journal sent under this gateway's name?`;
    return this.refuse(topic, { kind: "refused", gateway, why }, text);
  }

  async putState(topic: string, row: StateRow): Promise<Put> {
    const { gateway, site, state, unsent, headSeq, revision, freshness, text } = row;
    const values = [gateway, site, state, unsent, headSeq, revision, freshness, text];
    const answer = await this.#write({ name: "state", text: STATE, values });
    if (typeof answer !== "string") return { kind: "new" };
    return this.refuse(topic, { kind: "refused", gateway, why: answer }, text);
  }

  async refuse(topic: string, { gateway, why }: Refusal, payload: string | Uint8Array): Promise<Put> {
    await this.#pool.query(REFUSED, [gateway, topic, why, Buffer.from(payload)]);
    return { kind: "refused", why };
  }

  /** Sequences that are missing, of gateways that can be asked for them. */
  async gaps(): Promise<Gap[]> {
    await this.#pool.query(ADVANCE);
    return (await this.#pool.query<Gap>(GAPS)).rows;
  }

  /** How many rows it wrote, or why it cannot be written. */
  async #write(query: pg.QueryConfig): Promise<number | string> {
    try {
      return (await this.#pool.query(query)).rowCount ?? 0;
    } catch (error) {
      const why = refusalOf(error);
      if (why === null) throw error;
      return why;
    }
  }

  stop(): Promise<void> {
    return this.#pool.end();
  }
}

/**
 * What is wrong with the row itself, which would be refused each time: SQLSTATE classes 22 (data), 23 (constraints) and 54 (more than
 * PostgreSQL can take in, such as JSON a hundred thousand levels deep). Null: it is the database, and may get better.
 */
function refusalOf(error: unknown): string | null {
  const { code, message } = error as { code?: unknown; message?: string };
  return typeof code === "string" && /^(22|23|54)/.test(code)
    ? `PostgreSQL does not take it: ${message}`
    : null;
}
