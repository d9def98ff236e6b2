-- I5 cut order: per partition, no record of an old incarnation after one of a new one.
-- Finds: interleaved.
--
-- Method: a record's own incarnation is the one that its place in the log gives it (the cut).
--   `matches` looks its identity up in that incarnation first; a record whose change belongs to an
--   older one stands too late.
-- Caveats: what a repair wrote (marked backfill) is set aside by `matches`. A second copy that stands after the cut is
--   interleaved here and duplicated in i3_once: both are broken.
select
  'interleaved' as kind, incarnation, relation, key, op, revision, lsn, xid,
  topic, "partition", record_offset,
  'a change of incarnation ' || cast(incarnation as varchar) || ' after incarnation '
    || cast(record_incarnation as varchar) || ' began' as detail
from matches
where state in ('late', 'surplus') and record_incarnation > incarnation
