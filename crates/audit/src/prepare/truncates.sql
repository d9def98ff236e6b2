-- Prepares: table `truncates`, the truncates in the topics, of all buckets.
--
-- A truncate has no key, so it lies in one bucket while the rows it removes lie in all of them.
-- Whoever folds a table or follows a key must know it.
-- spread: the records of its table stand in several partitions, so where it belongs among them is
--   undecidable (I14). commit_lsn and ordinal are those of the committed truncate that it is, paired
--   one to one by incarnation, relation and LSN.
with records as (
  select
    incarnation, relation, topic, "partition", record_offset, lsn, xid,
    row_number() over (
      partition by incarnation, relation, lsn order by topic, "partition", record_offset
    ) as nth
  from published
  where op = 't' and compensation is null
),
changes as (
  select
    incarnation, relation, lsn, commit_lsn, ordinal,
    row_number() over (partition by incarnation, relation, lsn order by commit_lsn, ordinal) as nth
  from committed
  where op = 't'
),
standing as (
  select p.relation, p.topic, p."partition"
  from published p
  join (select relation from records group by relation) r on r.relation = p.relation
  where p.op in ('c', 'u', 'd', 'r', 't', 'x')
  group by p.relation, p.topic, p."partition"
),
spreading as (
  select relation, count(*) as partitions from standing group by relation
)
select
  r.incarnation, r.relation, r.topic, r."partition", r.record_offset, r.lsn, r.xid,
  c.commit_lsn, c.ordinal, s.partitions > 1 as spread
from records r
left join changes c
  on c.incarnation = r.incarnation and c.relation = r.relation and c.lsn = r.lsn and c.nth = r.nth
join spreading s on s.relation = r.relation
