-- The counts of a table's topic that people take for a verification: messages, keys and LSNs that occur more than
-- once, snapshot reads. Tombstones count as messages: a consumer that counts cannot tell them apart.
with keys as (
  select relation, count(*) - 1 as repeats
  from published where key is not null and op <> 'x' group by relation, key_hash
),
lsns as (
  select relation, count(*) - 1 as repeats
  from published where lsn is not null and op <> 'x' group by relation, lsn
),
per_key as (select relation, sum(repeats) as amount from keys group by relation),
per_lsn as (select relation, sum(repeats) as amount from lsns group by relation),
messages as (
  select
    relation, count(*) as amount,
    sum(case when op = 'r' then 1 else 0 end) as reads
  from published group by relation
)
select 'messages' as what, relation, amount from messages
union all
select 'reads' as what, relation, reads as amount from messages
union all
select 'keys' as what, relation, amount from per_key
union all
select 'lsns' as what, relation, amount from per_lsn
