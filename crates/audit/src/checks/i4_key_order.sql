-- I4 key order: per topic and key, records stand in commit order, in one partition.
-- Finds: reordered, repartitioned.
--
-- Method: commit order is (incarnation, commit LSN, ordinal) of the paired committed change; only
--   commit LSNs are ordered globally, so no record's own LSN is compared. A record is reordered if,
--   in its partition, one of a later change of its key stands before it. Copies do not count
--   (i3_once has them). Of a key in several partitions, the records outside the partition that has
--   most of them are repartitioned.
-- Caveats: what a repair wrote (marked backfill) has no place in commit order; its partition counts.
--   A table without key has no promised order, so nothing is said about it.
with ordered as (
  select
    m.*,
    row_number() over (
      partition by relation, thread order by incarnation, commit_lsn, ordinal
    ) as place
  from matches m
  where keyed and state in ('matched', 'late')
),
reached as (
  select
    o.*,
    max(place) over (
      partition by topic, "partition", relation, thread order by record_offset
      rows between unbounded preceding and 1 preceding
    ) as place_reached
  from ordered o
),
spread as (
  select topic, relation, key_hash, "partition", count(*) as records
  from published
  where key is not null and op in ('c', 'u', 'd', 'r', 'x')
  group by topic, relation, key_hash, "partition"
),
homes as (
  select
    s.*,
    row_number() over (
      partition by topic, relation, key_hash order by records desc, "partition"
    ) as nth
  from spread s
)
select
  'reordered' as kind, incarnation, relation, key, op, revision, lsn, xid,
  topic, "partition", record_offset,
  'a change of this key that was committed later stands before it' as detail
from reached
where place < place_reached
union all
select
  'repartitioned' as kind, p.incarnation, p.relation, p.key, p.op, p.revision, p.lsn, p.xid,
  p.topic, p."partition", p.record_offset,
  'other records of this key are in partition ' || cast(home."partition" as varchar) as detail
from published p
join homes strange
  on strange.topic = p.topic and strange.relation = p.relation and strange.key_hash = p.key_hash
  and strange."partition" = p."partition" and strange.nth > 1
join homes home
  on home.topic = p.topic and home.relation = p.relation and home.key_hash = p.key_hash
  and home.nth = 1
where p.key is not null and p.op in ('c', 'u', 'd', 'r', 'x')
