-- Compares, per key, what a consumer has folded with the stored row, and looks for a record that
-- would put it right. The same fold as in i8_state; its rows are what a repair works on.
--
-- Reads, besides the ledgers of one bucket: `ends`, of each partition the offset up to which the run
--   was recorded. The published ledger may go on behind it (it was read again since).
-- state: ghost (the fold has a row, the table has none) · missing (the other way round) · stale (both,
--   not the same) · unfinished (a repair's delete without the tombstone that belongs to it).
-- newer: the stream itself has written records of this key since the run was recorded. The stored row
--   says nothing about those, so the state is that of the records before the first of them; what a
--   repair wrote before it counts.
-- source_offset: the latest earlier record of the key, in the partition of its last one, whose new
--   image is the stored row.
with records as (
  select
    p.relation, p.key, p.key_hash, p.op, p.after, p.revision, p.incarnation, p.topic,
    p."partition", p.record_offset, p.compensation,
    coalesce(p.record_offset >= e.recorded_end, false) and p.compensation is null as newer
  from published p
  left join ends e on e.topic = p.topic and e."partition" = p."partition"
  where p.key is not null and p.op in ('c', 'u', 'd', 'r', 'x')
),
names as (
  select
    relation, key_hash, max(key) as key,
    min(case when newer then record_offset end) as newer_offset,
    min(topic) <> max(topic) or min("partition") <> max("partition") as scattered
  from records
  group by relation, key_hash
),
line as (
  select
    r.*,
    row_number() over (
      partition by r.relation, r.key_hash
      order by r.incarnation desc, r.record_offset desc, r.topic, r."partition"
    ) as nth
  from records r
  join names n on n.relation = r.relation and n.key_hash = r.key_hash
  where n.newer_offset is null or r.record_offset < n.newer_offset
),
folded as (
  select
    n.relation, n.key_hash, n.key, n.scattered, n.newer_offset is not null as newer,
    l.op, l.after, l.revision, l.topic, l."partition", l.record_offset, l.compensation
  from names n
  left join line l on l.relation = n.relation and l.key_hash = n.key_hash and l.nth = 1
),
keyed_rows as (
  select relation, key_hash, key, image, revision from stored where key is not null
),
compared as (
  select
    coalesce(f.relation, s.relation) as relation,
    coalesce(f.key_hash, s.key_hash) as key_hash,
    coalesce(f.key, s.key) as key,
    s.image, f.op, f.topic, f."partition", f.record_offset,
    coalesce(f.scattered, false) as scattered,
    coalesce(f.newer, false) as newer,
    case
      when s.relation is null and f.op in ('c', 'u', 'r') then 'ghost'
      when s.relation is null and f.op = 'd' and f.compensation is not null then 'unfinished'
      when s.relation is null then 'equal'
      when f.op is null or f.op in ('d', 'x') then 'missing'
      when f.after <> s.image or f.revision <> s.revision then 'stale'
      else 'equal'
    end as state
  from folded f
  full outer join keyed_rows s on s.relation = f.relation and s.key_hash = f.key_hash
),
wrong as (
  select c.*
  from compared c
  cross join evidence e
  where c.state in ('ghost', 'missing', 'stale') or (c.state = 'unfinished' and e.tombstones)
),
sources as (
  select w.relation, w.key_hash, max(r.record_offset) as source_offset
  from wrong w
  join records r
    on r.relation = w.relation and r.key_hash = w.key_hash and r.topic = w.topic
    and r."partition" = w."partition" and r.after = w.image and r.record_offset < w.record_offset
  where w.state in ('missing', 'stale') and r.op in ('c', 'u', 'r')
  group by w.relation, w.key_hash
)
select
  w.relation, w.key, w.state, w.newer, w.scattered, w.op, w.topic, w."partition", w.record_offset,
  s.source_offset
from wrong w
left join sources s on s.relation = w.relation and s.key_hash = w.key_hash
order by w.relation, w.key
