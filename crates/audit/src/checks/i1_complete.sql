-- I1 complete: every committed in-scope change up to the fence is published, with equal key, op and
--   image.
-- Finds: lost, divergent.
--
-- Method: lost is a committed change without partner in `matches`. Divergent is a pair whose old
--   images, new images or revisions differ; images are compared only where both sides know them.
--   Detail of a lost change: its neighbours, i.e. the published changes of the same key (for a
--   table without key: of the table) that were committed next before and after it.
-- Caveats: a record that was published with a wrong op is lost here and phantom in i2_invention. In
--   a table without key a record with a wrong image is likewise lost and phantom, since content is
--   its identity.
with missing as (
  select relation, thread from matches where state = 'lost' group by relation, thread
),
line as (
  select
    m.*,
    row_number() over (
      partition by m.relation, m.thread order by m.incarnation, m.commit_lsn, m.ordinal
    ) as place
  from matches m
  join missing on missing.relation = m.relation and missing.thread = m.thread
  where m.state in ('lost', 'matched', 'late')
),
around as (
  select
    l.*,
    max(case when state <> 'lost' then place end) over (
      partition by relation, thread order by place rows between unbounded preceding and 1 preceding
    ) as place_before,
    min(case when state <> 'lost' then place end) over (
      partition by relation, thread order by place rows between 1 following and unbounded following
    ) as place_after
  from line l
)
select
  'lost' as kind, a.incarnation, a.relation, a.key, a.op, a.revision, a.lsn, a.xid,
  cast(null as varchar) as topic, cast(null as integer) as "partition",
  cast(null as bigint) as record_offset,
  'committed, in no topic; of this ' || case when a.keyed then 'key' else 'table' end
    || ' there is before it '
    || coalesce(
      b.op || ' at lsn#' || cast(b.lsn as varchar) || ' in ' || b.topic || '/'
        || cast(b."partition" as varchar) || '/' || cast(b.record_offset as varchar),
      'no record')
    || ', after it '
    || coalesce(
      n.op || ' at lsn#' || cast(n.lsn as varchar) || ' in ' || n.topic || '/'
        || cast(n."partition" as varchar) || '/' || cast(n.record_offset as varchar),
      'no record') as detail
from around a
left join line b on b.relation = a.relation and b.thread = a.thread and b.place = a.place_before
left join line n on n.relation = a.relation and n.thread = a.thread and n.place = a.place_after
where a.state = 'lost'
union all
select
  'divergent' as kind, incarnation, relation, key, op, revision, lsn, xid,
  topic, "partition", record_offset,
  'published with another '
    || case
      when committed_after <> published_after then 'new row image'
      when committed_before <> published_before then 'old row image'
      else 'revision: ' || cast(published_revision as varchar)
    end || ' than committed' as detail
from matches
where state in ('matched', 'late', 'carried')
  and (keyed or not blind)
  and (committed_after <> published_after
    or committed_before <> published_before
    or committed_revision <> published_revision)
