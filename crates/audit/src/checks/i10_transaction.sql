-- I10 transaction: a transaction is published whole. With transaction metadata its BEGIN and its END
--   are there once, and what they count is in the topics; with or without, a changed key is a delete
--   of the old one and an insert under the new one, of one transaction.
-- Finds: torn.
--
-- Method: runs once over all buckets, since a transaction lies in several. Records that name their
--   transaction are counted by their places in it (copies of one place count once), per transaction
--   and per table: as many as the END says, none behind it, and per table without a hole. Debezium
--   calls a transaction by its id, and from 2.x on by the id, a colon and the position of whatever
--   is just being written: only the id is compared. What an END counts of logical messages is taken
--   off, since messages are no rows of a ledger. Halves of a changed key are told by their headers and
--   belong together by table, position and transaction.
-- Caveats: where the connector writes no metadata, only changed keys are looked at. The tombstone
--   between the halves is i3_once's. A transaction that is not finished where the topics end is torn
--   too, unless the fence did not arrive.
with events as (
  select
    p.incarnation, split_part(p.tx_id, ':', 1) as id, p.relation, p.tx_order,
    min(p.tx_table_order) as table_order, max(p.xid) as xid
  from published p
  cross join evidence e
  where e.transaction_metadata and p.tx_id is not null and p.compensation is null
    and p.op in ('c', 'u', 'd', 't')
  group by p.incarnation, split_part(p.tx_id, ':', 1), p.relation, p.tx_order
),
accounts as (
  select
    t.*, split_part(tx_id, ':', 1) as id,
    coalesce(relation like 'io.debezium.connector.postgresql.LogicalDecodingMessage%', false)
      as of_messages
  from transactions t
),
by_table as (
  select
    incarnation, id, relation, count(*) as events, max(xid) as xid,
    min(table_order) as first_place, max(table_order) as last_place
  from events
  group by incarnation, id, relation
),
by_transaction as (
  select
    incarnation, id, max(relation) as relation, count(*) as events, max(xid) as xid,
    min(tx_order) as first_place, max(tx_order) as last_place
  from events
  group by incarnation, id
),
marks as (
  select
    incarnation, id,
    sum(case when mark = 'begin' then 1 else 0 end) as begins,
    sum(case when mark = 'end' then 1 else 0 end) as ends,
    coalesce(max(case when mark = 'end' then events end), 0) as places,
    sum(case when of_messages then events else 0 end) as messages,
    max(case when not of_messages then relation end) as relation,
    max(topic) as topic, max("partition") as "partition", max(record_offset) as record_offset
  from accounts
  group by incarnation, id
),
counts as (
  select incarnation, id, relation, max(events) as events
  from accounts
  where mark = 'count' and not of_messages
  group by incarnation, id, relation
),
halves as (
  select
    p.*,
    sum(case when half = 1 then 1 else 0 end) over (
      partition by incarnation, relation, lsn, xid
    ) as olds,
    sum(case when half = 2 then 1 else 0 end) over (
      partition by incarnation, relation, lsn, xid
    ) as news
  from published p
  where half in (1, 2) and op in ('c', 'd') and compensation is null
)
select
  'torn' as kind, coalesce(t.incarnation, m.incarnation) as incarnation,
  coalesce(t.relation, m.relation, '') as relation, cast(null as varchar) as key, cast(null as varchar) as op,
  cast(null as bigint) as revision, cast(null as bigint) as lsn, t.xid,
  m.topic, m."partition", m.record_offset,
  'transaction ' || coalesce(t.id, m.id)
    || case
      when m.id is null then ' has records, but neither BEGIN nor END'
      when m.begins <> 1 or m.ends <> 1 then ' has ' || cast(m.begins as varchar) || ' BEGIN and '
        || cast(m.ends as varchar) || ' END'
      when coalesce(t.events, 0) <> m.places - m.messages then ' ends after '
        || cast(m.places - m.messages as varchar) || ' changes, in the topics are '
        || cast(coalesce(t.events, 0) as varchar)
      else ' ends after ' || cast(m.places as varchar) || ' events, its places go from '
        || cast(t.first_place as varchar) || ' to ' || cast(t.last_place as varchar)
    end as detail
from by_transaction t
full outer join marks m on m.incarnation = t.incarnation and m.id = t.id
where m.id is null
  or m.begins <> 1 or m.ends <> 1
  or coalesce(t.events, 0) <> m.places - m.messages
  or t.first_place < 1 or t.last_place > m.places
union all
select
  'torn' as kind, coalesce(t.incarnation, c.incarnation) as incarnation,
  coalesce(t.relation, c.relation) as relation, cast(null as varchar) as key,
  cast(null as varchar) as op, cast(null as bigint) as revision, cast(null as bigint) as lsn, t.xid,
  cast(null as varchar) as topic, cast(null as integer) as "partition",
  cast(null as bigint) as record_offset,
  'transaction ' || coalesce(t.id, c.id)
    || case
      when coalesce(t.events, 0) <> coalesce(c.events, 0) then ' ends after '
        || cast(coalesce(c.events, 0) as varchar) || ' changes of this table, in the topics are '
        || cast(coalesce(t.events, 0) as varchar)
      else ' has its places ' || cast(t.first_place as varchar) || ' to '
        || cast(t.last_place as varchar) || ' in this table for ' || cast(t.events as varchar)
        || ' changes'
    end as detail
from by_table t
full outer join counts c
  on c.incarnation = t.incarnation and c.id = t.id and c.relation = t.relation
where coalesce(t.events, 0) <> coalesce(c.events, 0)
  or t.first_place <> 1 or t.last_place <> t.events
union all
select
  'torn' as kind, incarnation, relation, key, op, revision, lsn, xid,
  topic, "partition", record_offset,
  case
    when half = 1 then 'the delete of a changed key, without the insert under the new one'
    else 'the insert of a changed key, without the delete of the old one'
  end as detail
from halves
where olds = 0 or news = 0
