-- Counts what a bucket holds and what of it could not be compared. These rows are no findings: they
-- become the counts of the report and the reasons for which a verdict or its proof level is not
-- better.
--
-- what: attempted, committed (without what only carries over an older incarnation), published
--   (c u d t), snapshot (r), stored: rows of that ledger · backfill: records that a repair wrote ·
--   content: matched changes whose row image one side lacks · old-content: matched updates and
--   deletes whose old row only one side has · keyless-state: records and rows of a
--   table without key that lack the image its state is folded by · stored-content: rows of keyed
--   tables without image · keyed-state: keys with a stored row whose last record (in some partition) is a
--   row that is not known as a whole, and is not the stored row with what was filled in since either ·
--   filled-state: those that are · before-capture: rows without any record, rows of tables without key and
--   changes of such rows, where the connector took no snapshot · no-xid: acknowledged changes that
--   cannot be looked up · no-place: committed changes without commit LSN or ordinal · no-position:
--   lost changes of a life in which nobody noted how far the slot was confirmed.
select 'attempted' as what, relation, count(*) as amount from attempted group by relation
union all
select 'committed' as what, relation, count(*) as amount
from committed
where op in ('c', 'u', 'd', 't') and (origin is null or incarnation = 0)
group by relation
union all
select 'published' as what, relation, count(*) as amount
from published where op in ('c', 'u', 'd', 't') and compensation is null group by relation
union all
select 'backfill' as what, relation, count(*) as amount
from published where compensation is not null group by relation
union all
select 'snapshot' as what, relation, count(*) as amount
from published where op = 'r' and compensation is null group by relation
union all
select 'stored' as what, relation, count(*) as amount from stored group by relation
union all
select 'content' as what, relation, count(*) as amount
from matches
where state in ('matched', 'late') and op in ('c', 'u')
  and (committed_after is null or published_after is null)
group by relation
union all
select 'old-content' as what, relation, count(*) as amount
from matches
where state in ('matched', 'late') and op in ('u', 'd')
  and (committed_before is null) <> (published_before is null)
group by relation
union all
select 'keyless-state' as what, relation, count(*) as amount
from published
where key is null
  and ((op in ('c', 'u', 'r') and after is null) or (op in ('u', 'd') and before is null))
group by relation
union all
select 'keyless-state' as what, relation, count(*) as amount
from stored where key is null and image is null group by relation
union all
select 'stored-content' as what, relation, count(*) as amount
from stored where key is not null and image is null group by relation
union all
select
  case when l.low = s.image and l.high = s.image then 'filled-state' else 'keyed-state' end as what,
  s.relation, count(*) as amount
from stored s
join (
  select
    relation, key_hash,
    case when count(*) = count(filled) then min(filled) end as low,
    case when count(*) = count(filled) then max(filled) end as high
  from (
    select
      relation, key_hash, op, after, filled, incarnation,
      row_number() over (
        partition by relation, key_hash, topic, "partition" order by record_offset desc
      ) as nth,
      max(incarnation) over (partition by relation, key_hash) as last_life
    from published
    where key is not null and op in ('c', 'u', 'd', 'r', 'x')
  ) as numbered
  where nth = 1 and incarnation = last_life and op in ('c', 'u', 'r') and after is null
  group by relation, key_hash
) l on l.relation = s.relation and l.key_hash = s.key_hash
where s.key is not null and s.image is not null
group by
  case when l.low = s.image and l.high = s.image then 'filled-state' else 'keyed-state' end,
  s.relation
union all
select 'before-capture' as what, s.relation, count(*) as amount
from stored s
cross join evidence e
left join (
  select relation, key_hash
  from published where key is not null and op in ('c', 'u', 'd', 'r', 'x')
  group by relation, key_hash
) r on r.relation = s.relation and r.key_hash = s.key_hash and s.key is not null
where e.no_snapshot and r.relation is null
group by s.relation
union all
select 'before-capture' as what, p.relation, count(*) as amount
from published p
cross join evidence e
where e.no_snapshot and p.key is null and p.op in ('u', 'd')
group by p.relation
union all
select 'no-xid' as what, relation, count(*) as amount
from attempted where outcome = 'ok' and xid is null group by relation
union all
select 'no-place' as what, relation, count(*) as amount
from committed
where op in ('c', 'u', 'd', 't') and (commit_lsn is null or ordinal is null)
group by relation
union all
select 'no-position' as what, m.relation, count(*) as amount
from matches m
join lives l on l.incarnation = m.incarnation
where m.state = 'lost' and l.confirmed is null
group by m.relation
