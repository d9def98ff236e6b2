-- I6 chain: of a key in its partition, an insert or a snapshot record, then updates, then a delete, and
--   so on; each old image is the new image of the record before it.
-- Finds: broken-chain.
--
-- Method: each record of a key (c u d r) and the one before it in its partition are a link. A link is
--   suspect if an insert follows a row that is there, if an update or a delete shows another old
--   image than the row had, or if a key begins with an update or a delete. It is excused if both
--   were committed one right after the other: then the database itself did it (keys that swap
--   places in one transaction, a column that changed its type). A beginning is excused if it is the
--   first change that was committed of the key. Between the two a truncate may have taken the row
--   away.
-- Caveats: an update or a delete after a delete is i7_resurrection's. A snapshot record may follow
--   anything: i9_snapshot judges it. A second copy right behind the first is i3_once's. What a repair
--   wrote (marked backfill) begins and ends nothing. Of a table whose truncates are undecidable
--   nothing is said. Compaction and retention take links away: the verdict is unknown then.
with line as (
  select
    topic, "partition", record_offset, incarnation, relation, key, key_hash, op, revision, lsn, xid,
    "before", compensation,
    lag(op) over key_line as op_before,
    lag(lsn) over key_line as lsn_before,
    lag(after) over key_line as row_before,
    lag(record_offset) over key_line as offset_before,
    lag(case when compensation is null then 0 else 1 end) over key_line as repair_before
  from published
  where key is not null and op in ('c', 'u', 'd', 'r')
  window key_line as (partition by topic, "partition", relation, key_hash order by record_offset)
),
suspects as (
  select
    l.*,
    case
      when op_before is null then 'begins'
      when op = 'c' then 'inserted'
      else 'changed'
    end as flaw
  from line l
  where compensation is null and coalesce(repair_before, 0) = 0
    and not coalesce(op = op_before and lsn = lsn_before, false)
    and ((op in ('u', 'd') and op_before is null)
      or (op = 'c' and op_before in ('c', 'u', 'r'))
      or (op in ('u', 'd') and op_before in ('c', 'u', 'r') and "before" <> row_before))
),
keys as (
  select relation, key_hash from suspects group by relation, key_hash
),
places as (
  select
    m.topic, m."partition", m.record_offset,
    row_number() over (
      partition by m.relation, m.thread order by m.incarnation, m.commit_lsn, m.ordinal
    ) as place
  from matches m
  join keys k on k.relation = m.relation and k.key_hash = m.thread
  where m.keyed and m.state in ('matched', 'late', 'lost')
),
cleared as (
  select s.topic, s."partition", s.record_offset
  from suspects s
  join truncates t on t.relation = s.relation
  where t.spread
    or (t.topic = s.topic and t."partition" = s."partition"
      and t.record_offset > s.offset_before and t.record_offset < s.record_offset)
  group by s.topic, s."partition", s.record_offset
)
select
  'broken-chain' as kind, s.incarnation, s.relation, s.key, s.op, s.revision, s.lsn, s.xid,
  s.topic, s."partition", s.record_offset,
  case
    when s.flaw = 'begins' then 'the key begins with ' || s.op || ', but it was changed before that'
    when s.flaw = 'inserted' then 'an insert, but the record at offset '
      || cast(s.offset_before as varchar) || ' (' || s.op_before || ') left a row there'
    else 'the old image is not the row that the record at offset '
      || cast(s.offset_before as varchar) || ' (' || s.op_before || ') left'
  end as detail
from suspects s
left join places p
  on p.topic = s.topic and p."partition" = s."partition" and p.record_offset = s.record_offset
left join places b
  on b.topic = s.topic and b."partition" = s."partition" and b.record_offset = s.offset_before
left join cleared c
  on c.topic = s.topic and c."partition" = s."partition" and c.record_offset = s.record_offset
where c.topic is null
  and case
    when s.flaw = 'begins' then coalesce(p.place > 1, false)
    else coalesce(p.place <> b.place + 1, true)
  end
