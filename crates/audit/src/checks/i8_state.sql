-- I8 state: folding the published log up to the fence gives the stored rows.
-- Finds: divergent.
--
-- Method: of a key, the last record decides: c, u, r leave its new image, d and a tombstone leave
--   nothing; that must be the stored row. Last is by incarnation, then by offset. Of a key in
--   several partitions nobody knows which of the last records is the last one, so all of them must
--   be another row than the stored one; the one at the highest offset is named. Of a table
--   without key, images are counted: c, u, r add the new one, u, d take the old one away; the
--   counts must be those of the stored rows. Images are compared only where both sides know them,
--   else revisions are.
--   Of a table that was truncated, only what stands after its last truncate counts.
-- Caveats: what a repair wrote (marked backfill) counts as any record. Presumes that the topics reach
--   back to the first row (the verdict is unknown otherwise, and this check does not run). Tables
--   without key that lack images, and tables whose truncates are undecidable (i14_truncate), are left
--   out and named. So are rows without any record where the connector took no snapshot: they may have
--   been there before it.
with undecided as (
  select relation from truncates where spread group by relation
),
cleared as (
  select relation, max(record_offset) as record_offset
  from truncates where not spread group by relation
),
-- Rows may be older than the capture; not those of a table that was truncated since.
capturing as (
  select t.relation
  from (
    select relation from published group by relation
    union
    select relation from stored group by relation
  ) t
  cross join evidence e
  left join cleared c on c.relation = t.relation
  where e.no_snapshot and c.relation is null
),
counting as (
  select p.*
  from published p
  left join undecided u on u.relation = p.relation
  left join cleared c on c.relation = p.relation
  where u.relation is null and (c.relation is null or p.record_offset > c.record_offset)
),
counting_rows as (
  select s.*
  from stored s
  left join undecided u on u.relation = s.relation
  where u.relation is null
),
line_ends as (
  select
    p.*,
    row_number() over (
      partition by relation, key_hash, topic, "partition" order by record_offset desc
    ) as nth,
    max(incarnation) over (partition by relation, key_hash) as last_life
  from counting p
  where key is not null and op in ('c', 'u', 'd', 'r', 'x')
),
folded as (
  select * from line_ends where nth = 1 and incarnation = last_life
),
keyed_rows as (
  select * from counting_rows where key is not null
),
blind as (
  select relation
  from (
    select relation
    from counting
    where key is null
      and ((op in ('c', 'u', 'r') and after is null) or (op in ('u', 'd') and before is null))
    union all
    select relation from counting_rows where key is null and image is null
  ) as without_image
  group by relation
),
weights as (
  select relation, after as image, 1 as weight
  from counting where key is null and op in ('c', 'u', 'r')
  union all
  select relation, before as image, -1 as weight
  from counting where key is null and op in ('u', 'd')
),
folded_images as (
  select relation, image, sum(weight) as copies
  from weights where image is not null group by relation, image
),
stored_images as (
  select relation, image, count(*) as copies
  from counting_rows where key is null and image is not null group by relation, image
),
images as (
  select
    coalesce(f.relation, s.relation) as relation,
    coalesce(f.copies, 0) as folded_copies,
    coalesce(s.copies, 0) as stored_copies
  from folded_images f
  full outer join stored_images s on s.relation = f.relation and s.image = f.image
),
compared as (
  select
    coalesce(f.incarnation, s.incarnation) as incarnation,
    coalesce(f.relation, s.relation) as relation, coalesce(f.key, s.key) as key,
    coalesce(f.key_hash, s.key_hash) as key_hash, f.op,
    coalesce(s.revision, f.revision) as revision, f.lsn, f.xid,
    f.topic, f."partition", f.record_offset, s.image as stored_image,
    case
      when f.relation is null then 'stored, but the topic has no record of this key'
      when s.relation is null and f.op not in ('d', 'x')
        then 'the topic ends with ' || f.op || ', but no such row is stored'
      when s.relation is null then null
      when f.op in ('d', 'x') then 'the topic ends with ' || f.op || ', but the row is stored'
      when f.after <> s.image then 'the last record has another image than the stored row'
      when f.revision <> s.revision then 'the last record has another revision than the stored row'
    end as flaw
  from folded f
  full outer join keyed_rows s on s.relation = f.relation and s.key_hash = f.key_hash
),
weighed as (
  select
    c.*,
    sum(case when flaw is null then 1 else 0 end) over (
      partition by relation, key_hash, stored_image
    ) as fitting,
    row_number() over (
      partition by relation, key_hash, stored_image
      order by record_offset desc, topic, "partition"
    ) as nth
  from compared c
),
uncertain as (
  select w.*, c.relation is not null as before_capture
  from weighed w
  left join capturing c on c.relation = w.relation
)
select
  'divergent' as kind, incarnation, relation, key, op, revision, lsn, xid,
  topic, "partition", record_offset, flaw as detail
from uncertain
where fitting = 0 and nth = 1 and not (record_offset is null and before_capture)
union all
select
  'divergent' as kind, cast(null as integer) as incarnation, i.relation,
  cast(null as varchar) as key, cast(null as varchar) as op, cast(null as bigint) as revision,
  cast(null as bigint) as lsn, cast(null as bigint) as xid,
  cast(null as varchar) as topic, cast(null as integer) as "partition",
  cast(null as bigint) as record_offset,
  'folding the topic gives ' || cast(i.folded_copies as varchar) || ' rows of one content, '
    || 'stored are ' || cast(i.stored_copies as varchar) as detail
from images i
left join blind b on b.relation = i.relation
left join capturing c on c.relation = i.relation
where b.relation is null and i.folded_copies <> i.stored_copies
  and not (c.relation is not null and i.folded_copies < i.stored_copies)
