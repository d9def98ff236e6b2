-- I3 once: each committed change is published once; one tombstone per keyed delete where tombstones
-- are on, none where they are off.
-- Finds: duplicated (a change record or a tombstone too many), tombstone-missing.
--
-- Method: duplicated is a surplus of `matches`, or a record of a change that an upgrade only
--   carried over. A tombstone has no identity of its own: it belongs to the delete right before it
--   among the records of its key in its partition. A tombstone without such a delete is one too
--   many, unless that delete is known to be lost; a delete followed by something else has none,
--   unless its own second copy follows.
-- Caveats: a repeated pair of delete and tombstone is one finding, named by its delete. A tombstone
--   that a repair wrote (marked backfill) may stand alone; a delete of a repair needs its own.
with line as (
  select
    topic, "partition", record_offset, incarnation, relation, key, key_hash, op, revision, lsn, xid,
    compensation,
    lag(op) over (
      partition by topic, "partition", relation, key_hash order by record_offset
    ) as op_before,
    lead(op) over (
      partition by topic, "partition", relation, key_hash order by record_offset
    ) as op_after,
    lead(lsn) over (
      partition by topic, "partition", relation, key_hash order by record_offset
    ) as lsn_after
  from published
  where key is not null and op in ('c', 'u', 'd', 'r', 'x')
),
lost_deletes as (
  select relation, thread
  from matches
  where state = 'lost' and op = 'd' and keyed
  group by relation, thread
)
select
  'duplicated' as kind, incarnation, relation, key, op, revision, lsn, xid,
  topic, "partition", record_offset,
  case
    when state = 'carried' then 'the upgrade carried this change over; it was published before'
    else 'published more often than committed'
  end as detail
from matches
where state in ('surplus', 'carried')
union all
select
  'duplicated' as kind, l.incarnation, l.relation, l.key, l.op, l.revision, l.lsn, l.xid,
  l.topic, l."partition", l.record_offset,
  case
    when e.tombstones then 'a tombstone without a delete right before it'
    else 'a tombstone although the connector writes none'
  end as detail
from line l
cross join evidence e
left join lost_deletes d on d.relation = l.relation and d.thread = l.key_hash
where l.op = 'x' and l.compensation is null
  and (not e.tombstones
    or (d.relation is null and (l.op_before is null or l.op_before <> 'd')))
union all
select
  'tombstone-missing' as kind, l.incarnation, l.relation, l.key, l.op, l.revision, l.lsn, l.xid,
  l.topic, l."partition", l.record_offset,
  'a delete without tombstone; the next record of this key is '
    || coalesce(l.op_after, 'none') as detail
from line l
cross join evidence e
where e.tombstones and l.op = 'd'
  and (l.op_after is null
    or (l.op_after <> 'x' and not (l.op_after = 'd' and coalesce(l.lsn_after = l.lsn, false))))
