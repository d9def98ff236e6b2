-- I7 no resurrection: nothing for a key after its delete, unless an insert came in between.
-- Finds: resurrected.
--
-- Method: among the records of a key in its partition, an update or a delete right after a delete.
--   A second copy of that delete (same LSN) is none.
-- Caveats: what a repair wrote (marked backfill) brings nothing back that the database lacks: I8 has
--   it. What stands right behind a repair's delete follows no delete of the database. An insert that was lost after the delete makes the next update look resurrected, which
--   is what a consumer sees. A replayed insert ends the search: i3_once names it.
with line as (
  select
    topic, "partition", record_offset, incarnation, relation, key, op, revision, lsn, xid,
    compensation,
    lag(compensation) over (
      partition by topic, "partition", relation, key_hash order by record_offset
    ) as repair_before,
    lag(op) over (
      partition by topic, "partition", relation, key_hash order by record_offset
    ) as op_before,
    lag(lsn) over (
      partition by topic, "partition", relation, key_hash order by record_offset
    ) as lsn_before,
    lag(record_offset) over (
      partition by topic, "partition", relation, key_hash order by record_offset
    ) as offset_before
  from published
  where key is not null and op in ('c', 'u', 'd', 'r')
)
select
  'resurrected' as kind, incarnation, relation, key, op, revision, lsn, xid,
  topic, "partition", record_offset,
  op || ' after the delete at offset ' || cast(offset_before as varchar)
    || ', no insert in between' as detail
from line
where op_before = 'd' and compensation is null and repair_before is null
  and (op = 'u' or (op = 'd' and not coalesce(lsn = lsn_before, false)))
