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
  reason, tap, body)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
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
    select e.gateway, e.seq, e.seq - g.whole_to - row_number() over (partition by e.gateway order by e.seq) as off
    from event e join gateway g using (gateway) where e.seq > g.whole_to) numbered
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
    const { what, accessPoint, direction, card, granted, reason, tap } = event;
    const place = [id, gateway, site, topicKind, seq, chain, at, trusted, boot, uptimeMs];
    const values = [...place, what, accessPoint, direction, card, granted, reason, tap, text];
    try {
      const { rowCount } = await this.#pool.query({ name: "event", text: EVENT, values });
      if (rowCount === 1) return { kind: "new" };
    } catch (error) {
      const why = refusalOf(error);
      if (why === null) throw error;
      return this.refuse(topic, { kind: "refused", gateway, why }, text);
    }
    // The one that is there is durable. One that is not comes late, and says the same with less.
    const same = "select from event where id = $1 and ($2::text is null or body::text = $3)";
    const { rowCount } = await this.#pool.query(same, [id, chain, text]);
    if (rowCount === 1) return { kind: "known" };
    const why = `another event than the one that is kept as ${id}: is a second journal sent under this gateway's name?`;
    return this.refuse(topic, { kind: "refused", gateway, why }, text);
  }

  async putState({
    gateway,
    site,
    state,
    unsent,
    headSeq,
    revision,
    freshness,
    text,
  }: StateRow): Promise<void> {
    const values = [gateway, site, state, unsent, headSeq, revision, freshness, text];
    await this.#pool.query({ name: "state", text: STATE, values });
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

  stop(): Promise<void> {
    return this.#pool.end();
  }
}

/** What is wrong with the row itself: it would be refused each time (SQLSTATE classes 22 and 23). Null: it is the database. */
function refusalOf(error: unknown): string | null {
  const { code, message } = error as { code?: unknown; message?: string };
  return typeof code === "string" && /^2[23]/.test(code) ? `PostgreSQL does not take it: ${message}` : null;
}
