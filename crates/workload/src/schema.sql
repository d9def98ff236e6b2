-- The tables that the load writes to. Read it, change it, run it with psql: it is plain SQL and may be run twice.
--
-- Identities are given out by the writers (each session owns a range), so there are no sequences to contend for.
-- There are no foreign keys either: two sessions must never wait for each other's rows, or the ledger could not
-- say exactly what became of each change.
--
-- "revision" rises with every change of a row and is never used twice, so that each change can be told from all
-- others wherever it turns up: in the log, in a topic, in a table.

create table if not exists public.customers (
    id       bigint primary key,
    name     text not null,
    email    text not null,
    city     text,
    tier     text not null,
    balance  numeric(12,2) not null,
    active   boolean not null,
    profile  jsonb not null,
    created  timestamptz not null,
    revision bigint not null
);

create table if not exists public.orders (
    id          bigint primary key,
    customer_id bigint not null,
    status      text not null,
    amount      numeric(12,2) not null,
    quantity    int not null,
    note        text,
    placed      timestamptz not null,
    due         date,
    tracking    uuid,
    revision    bigint not null
);

-- No primary key on purpose: Kafka gets these rows without a key, and only their content identifies them.
create table if not exists public.order_events (
    order_id bigint not null,
    kind     text not null,
    at       timestamp not null,
    revision bigint not null
);

-- Not unique: it only keeps updates and deletes of single events cheap.
create index if not exists order_events_order_id on public.order_events (order_id);

-- Old rows are published whole, with every update and delete.
alter table public.customers    replica identity full;
alter table public.orders       replica identity full;
alter table public.order_events replica identity full;

-- By this whoever generates knows the tables for its own again: it changes and deletes any row in them.
comment on table public.customers    is 'cutover load: its rows are changed and deleted';
comment on table public.orders       is 'cutover load: its rows are changed and deleted';
comment on table public.order_events is 'cutover load: its rows are changed and deleted';
