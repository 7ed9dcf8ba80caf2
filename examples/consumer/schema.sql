-- What the centre keeps of all gateways: every event once, by its id; and the questions people ask of it, as views.
-- As the database's owner: psql -v ON_ERROR_STOP=1 -d grindvakt -f schema.sql. It can be run again: tables stay, views are made anew.
begin;
set client_min_messages to warning;

do $$ begin create role grindvakt_consumer login; exception when duplicate_object then null; end $$;
do $$ begin create role grindvakt_reader login; exception when duplicate_object then null; end $$;

-- Every event of every gateway. `body` is the text as it came, to the byte: the hashes of the chain are over it.
create table if not exists event (
  id text primary key,
  gateway text not null,
  site text not null,
  -- tap, passage, reader, list or gateway: the last part of its topic
  kind text not null,
  -- null while the gateway could not write the event to its own disk; the written one takes its place
  seq bigint,
  -- the SHA-256 of the journal's line, where there is one
  chain text,
  -- when, by the gateway's clock of then; of what a person said, when that is said to have been
  at timestamptz not null,
  trusted boolean not null,
  boot text not null,
  uptime_ms bigint not null,
  -- of a passage, a reader, a list or a gateway: what happened
  what text,
  access_point text,
  direction text,
  card text,
  granted boolean,
  reason text,
  workplace text,
  -- of a passage: the id of the tap that it belongs to
  tap text,
  -- a card came or went: a grant, or what a person said by hand
  moves boolean not null,
  -- nobody went through after all, on the tap that it names
  takes_back boolean not null,
  received timestamptz not null default clock_timestamp(),
  body json not null
);
create unique index if not exists event_seq on event (gateway, seq) where seq is not null;
create index if not exists event_card on event (card, at) where card is not null;
-- All that `movement` asks for, so that the roll call of a week reads no events.
create index if not exists event_movement on event (site, at)
  include (card, direction, gateway, access_point, kind, seq, id, workplace) where moves and trusted;
create index if not exists event_untrusted on event (site) where moves and not trusted;
create index if not exists event_taken_back on event (tap) include (gateway) where takes_back;
create index if not exists event_clock on event (boot) where what = 'clock-trusted';
create index if not exists event_at on event using brin (at);
create index if not exists event_received on event using brin (received);

-- How each gateway is, from its retained state; a row from its first message on.
create table if not exists gateway (
  gateway text primary key,
  site text not null,
  -- online or offline; null before its first state
  state text,
  state_at timestamptz,
  unsent bigint,
  head_seq bigint,
  list_revision bigint,
  freshness text,
  body json,
  -- Every sequence up to here is in `event`. Whoever raises it by hand gives up the events below it that are missing.
  whole_to bigint not null default 0
);

-- What came and could not be taken, each once: no event, or another one under an id that is taken. Look at it; nothing else does.
create table if not exists refused (
  sha256 bytea primary key,
  gateway text not null,
  topic text not null,
  why text not null,
  body bytea not null,
  received timestamptz not null default clock_timestamp(),
  times bigint not null default 1
);

drop view if exists beyond_whole, movement, on_site, missing, tap, fleet cascade;

create view tap as
  select id, gateway, site, seq, at, trusted, access_point, direction, card, granted, reason, received
  from event where kind = 'tap';

-- Each time that a card came or went, unless it is known that nobody went through.
-- A gateway that had no time yet tells of it later (`clock-trusted`): its earlier events of the same run are then placed by how long it
-- had been up. Where it never did, all that is known is that it was before the event came.
create view movement as
  select m.id, m.site, m.gateway, m.card, m.direction, m.access_point, m.kind = 'passage' as by_hand, m.seq, m.workplace,
    m.at, 'clock' as at_by
  from event m
  where m.moves and m.trusted
    and not exists (select from event p where p.takes_back and p.tap = m.id and p.gateway = m.gateway)
  union all
  select m.id, m.site, m.gateway, m.card, m.direction, m.access_point, m.kind = 'passage', m.seq, m.workplace,
    coalesce(clock.at - (clock.uptime_ms - m.uptime_ms) * interval '1 millisecond', m.received),
    case when clock.at is null then 'received' else 'reckoned' end
  from event m
  left join lateral (
    select c.at, c.uptime_ms from event c
    where c.boot = m.boot and c.gateway = m.gateway and c.what = 'clock-trusted' order by c.uptime_ms limit 1
  ) clock on true
  where m.moves and not m.trusted
    and not exists (select from event p where p.takes_back and p.tap = m.id and p.gateway = m.gateway);

-- Who was on site then: came in by any gateway of the site within seven days and has not left by any. Corrections that came later count.
create or replace function on_site_at(moment timestamptz)
  returns table (site text, card text, since timestamptz, gateway text, access_point text, by_hand boolean, overdue boolean)
  language sql stable as $$
  select last.site, last.card, last.at, last.gateway, last.access_point, last.by_hand,
    last.at < least(moment, now()) - interval '12 hours'
  from (
    select distinct on (m.site, m.card) m.site, m.card, m.at, m.gateway, m.access_point, m.by_hand, m.direction
    from movement m
    where m.at > least(moment, now()) - interval '7 days' and m.at <= moment
    order by m.site, m.card, m.at desc, m.seq desc nulls last
  ) last
  where last.direction = 'entry'
$$;

create view on_site as select * from on_site_at('infinity');

-- The personnel ledger's days: for each card the first entry and the last exit. That the gate opened, not that somebody worked.
create or replace function ledger(first_day date, last_day date)
  returns table (site text, workplace text, day date, card text, first_in timestamptz, last_out timestamptz, entries bigint, exits bigint,
    by_hand boolean)
  language sql stable as $$
  select m.site, max(m.workplace), (m.at at time zone 'Europe/Stockholm')::date, m.card,
    min(m.at) filter (where m.direction = 'entry'), max(m.at) filter (where m.direction = 'exit'),
    count(*) filter (where m.direction = 'entry'), count(*) filter (where m.direction = 'exit'), bool_or(m.by_hand)
  from movement m
  where m.at >= first_day::timestamp at time zone 'Europe/Stockholm'
    and m.at < (last_day + 1)::timestamp at time zone 'Europe/Stockholm'
  group by m.site, (m.at at time zone 'Europe/Stockholm')::date, m.card
$$;

-- What came after `whole_to`, so much of it as is looked at together: the index gives it, however much came before.
create view beyond_whole as
  select g.gateway, g.site, g.whole_to, e.seq
  from gateway g cross join lateral (
    select seq from event where gateway = g.gateway and seq > g.whole_to order by seq limit 100000) e;

-- Sequences that should be here and are not. The end of a gateway's journal is known from its state, once that has stood for a
-- while and says that everything was sent.
create view missing as
  select gateway, site, before + 1 as from_seq, seq - 1 as to_seq
  from (
    select gateway, site, seq, lag(seq) over (partition by gateway order by seq) as before
    from (
      select gateway, site, seq from beyond_whole
      union all select gateway, site, whole_to from gateway
      union all select gateway, site, head_seq + 1 from gateway
        where unsent = 0 and head_seq between whole_to and whole_to + 99999 and state_at < now() - interval '10 seconds'
    ) known
  ) steps
  where seq > before + 1;

create view fleet as
  select g.gateway, g.site, g.state, g.state_at, g.unsent, g.list_revision, g.freshness, g.whole_to,
    coalesce((select sum(to_seq - from_seq + 1) from missing m where m.gateway = g.gateway), 0) as missing,
    (select count(*) from refused r where r.gateway = g.gateway) as refused,
    (select received from event e where e.gateway = g.gateway and seq is not null order by seq desc limit 1) as last_event
  from gateway g;

grant select, insert, update on event, gateway, refused to grindvakt_consumer;
grant select on missing, beyond_whole to grindvakt_consumer;
grant select on all tables in schema public to grindvakt_reader;
commit;
