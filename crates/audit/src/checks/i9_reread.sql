-- I9 snapshot: a row is read by a snapshot once, before anything else is published of it.
-- Finds: unplanned-snapshot.
--
-- Method: for streams without a plan of ours. The first snapshot of a stream is expected; a snapshot record of a key
--   that has a record in its partition already is a second reading, unless readings again are said to be wanted.
-- Caveats: a row that was inserted while the first snapshot ran can be published and read, rarely. What a repair
--   wrote (marked backfill) is no snapshot, and what stands behind it is compared with what stands before it.
with line as (
  select
    p.*,
    lag(op) over (
      partition by topic, "partition", relation, key_hash order by record_offset
    ) as op_before,
    lag(record_offset) over (
      partition by topic, "partition", relation, key_hash order by record_offset
    ) as offset_before
  from published p
  where key is not null and compensation is null and op in ('c', 'u', 'd', 'r')
)
select
  'unplanned-snapshot' as kind, l.incarnation, l.relation, l.key, l.op, l.revision, l.lsn, l.xid,
  l.topic, l."partition", l.record_offset,
  'read again by a snapshot, after ' || l.op_before || ' at offset '
    || cast(l.offset_before as varchar) as detail
from line l
cross join evidence e
where l.op = 'r' and l.op_before is not null and not e.snapshot_allowed
