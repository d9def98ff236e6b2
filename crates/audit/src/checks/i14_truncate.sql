-- I14 truncate: where a truncate stands among the rows of its table is defined inside one partition
--   only, and there it stands in commit order.
-- Finds: reordered, undecidable (not a violation: the verdict is unknown).
--
-- Method: a truncate is undecidable if the records of its table stand in several partitions: each
--   consumer then sees it at another moment. Inside one partition, as many truncates of the table
--   stand before a record as were committed before its change; any other number is reordered.
-- Caveats: a table that was truncated, but of which the topics have no truncate, has lost it:
--   i1_complete. Copies of a truncate are i3_once's.
with cleared as (
  select relation, topic, "partition" from truncates where not spread
  group by relation, topic, "partition"
),
placed as (
  select
    m.relation, m.topic, m."partition", m.record_offset, m.incarnation, m.commit_lsn, m.ordinal,
    m.key, m.op, m.revision, m.lsn, m.xid, 0 as truncate
  from matches m
  join cleared c
    on c.relation = m.relation and c.topic = m.topic and c."partition" = m."partition"
  where m.state = 'matched' and m.op <> 't'
  union all
  select
    relation, topic, "partition", record_offset, incarnation, commit_lsn, ordinal,
    cast(null as varchar) as key, 't' as op, cast(null as bigint) as revision, lsn, xid,
    1 as truncate
  from truncates
  where not spread and commit_lsn is not null
),
counted as (
  select
    p.*,
    sum(truncate) over (
      partition by relation, topic, "partition" order by incarnation, commit_lsn, ordinal
      rows between unbounded preceding and current row
    ) as committed_before,
    sum(truncate) over (
      partition by relation, topic, "partition" order by record_offset
      rows between unbounded preceding and current row
    ) as standing_before
  from placed p
)
select
  'reordered' as kind, incarnation, relation, key, op, revision, lsn, xid,
  topic, "partition", record_offset,
  case
    when standing_before < committed_before then 'a truncate of the table that was committed before it stands after it'
    else 'a truncate of the table that was committed after it stands before it'
  end as detail
from counted
where truncate = 0 and standing_before <> committed_before
union all
select
  'undecidable' as kind, p.incarnation, p.relation, p.key, p.op, p.revision, p.lsn, p.xid,
  p.topic, p."partition", p.record_offset,
  'the records of the table stand in several partitions: where the truncate belongs among them is undecidable'
    as detail
from published p
join truncates t
  on t.relation = p.relation and t.topic = p.topic and t."partition" = p."partition"
  and t.record_offset = p.record_offset
where p.op = 't' and t.spread
