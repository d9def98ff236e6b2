-- I13 sequences: what a sequence gives out next in a new life is beyond every value that the life
--   before gave out.
-- Finds: key-reuse.
--
-- Method: `sequences` has, of each sequence where one life followed another, the value that was
--   given out last, read when nothing could be committed in the old life any more, and the value
--   that comes next, read before anybody wrote in the new one. A sequence that gave out nothing
--   cannot repeat itself; one that is not there any more is not beyond anything.
-- Caveats: runs only where somebody looked on both sides. A sequence that wraps around (CYCLE)
--   repeats values by itself. Values that an application takes from elsewhere are not known.
select
  'key-reuse' as kind, incarnation, name as relation, cast(null as varchar) as key,
  cast(null as varchar) as op, cast(null as bigint) as revision, cast(null as bigint) as lsn,
  cast(null as bigint) as xid, cast(null as varchar) as topic, cast(null as integer) as "partition",
  cast(null as bigint) as record_offset,
  'the life before gave out ' || cast(used as varchar) || ', '
    || case
      when "next" is null then 'and the sequence is not there'
      else 'next comes ' || cast("next" as varchar)
    end as detail
from sequences
where used is not null
  and ("next" is null
    or (not descending and "next" <= used)
    or (descending and "next" >= used))
