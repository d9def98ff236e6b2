-- I9 snapshot: snapshot records (r) only where the plan allows them.
-- Finds: unplanned-snapshot.
--
-- Method: every r record, if the plan allows none.
-- Caveats: a repair may write an r record again (marked backfill). A plan that allows snapshots allows them for every table.
select
  'unplanned-snapshot' as kind, p.incarnation, p.relation, p.key, p.op, p.revision, p.lsn, p.xid,
  p.topic, p."partition", p.record_offset,
  'a snapshot record, the plan allows none' as detail
from published p
cross join evidence e
where p.op = 'r' and p.compensation is null and not e.snapshot_allowed
