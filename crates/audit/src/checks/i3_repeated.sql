-- I3 once: a change is published once, as far as the records alone can say it.
-- Finds: duplicated.
--
-- Method: for streams without a witness. Of one key, records with the same operation, half, LSN, transaction and
--   images are one change: a key is changed once at a position of the log. Each but the first is named.
-- Caveats: of tables without key nothing is said, since a COPY gives one LSN to several equal rows. Tombstones carry no
--   position and are not counted. What a repair wrote (marked backfill) repeats on purpose.
with copies as (
  select
    p.*,
    row_number() over (
      partition by
        incarnation, relation, key_hash, op, half, lsn, xid, before, after
      order by topic, "partition", record_offset
    ) as nth,
    min(record_offset) over (
      partition by
        incarnation, relation, key_hash, op, half, lsn, xid, before, after
    ) as first_offset
  from published p
  where key is not null and lsn is not null and compensation is null and op in ('c', 'u', 'd')
)
select
  'duplicated' as kind, incarnation, relation, key, op, revision, lsn, xid,
  topic, "partition", record_offset,
  'the change that is published at offset ' || cast(first_offset as varchar) || ' already' as detail
from copies
where nth > 1
