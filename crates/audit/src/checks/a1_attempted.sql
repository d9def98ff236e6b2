-- A1 attempted: what PostgreSQL acknowledged it has, and what it rolled back it has not.
-- Finds: database-lost, database-invented.
--
-- Method: changes are compared by (incarnation, transaction id, relation, op, key), counted, since
--   one transaction can change a row twice. database-lost is an acknowledged change beyond the
--   number committed; database-invented is a committed change beyond the number that was
--   acknowledged or never resolved, where one of its kind is known to have rolled back.
-- Caveats: attempts whose outcome was never found out may be either. Changes of other writers are
--   not judged.
with tried as (
  select
    a.*,
    coalesce(key, '') as name,
    row_number() over (
      partition by incarnation, xid, relation, op, coalesce(key, '')
      order by case when outcome = 'ok' then 0 else 1 end, revision
    ) as nth
  from attempted a
  where xid is not null
),
outcomes as (
  select
    incarnation, xid, relation, op, name,
    sum(case when outcome = 'failed' then 1 else 0 end) as failed,
    sum(case when outcome = 'failed' then 0 else 1 end) as possible
  from tried
  group by incarnation, xid, relation, op, name
),
kept as (
  select c.*
  from committed c
  left join lives l on l.incarnation = c.incarnation
  where l.kept_before is null or c.commit_lsn < l.kept_before
),
gone as (
  select c.incarnation, c.xid
  from committed c
  join lives l on l.incarnation = c.incarnation
  where c.commit_lsn >= l.kept_before
  group by c.incarnation, c.xid
),
done as (
  select
    c.*,
    coalesce(key, '') as name,
    row_number() over (
      partition by incarnation, xid, relation, op, coalesce(key, '') order by commit_lsn, ordinal
    ) as nth
  from kept c
  where op in ('c', 'u', 'd', 't')
),
counted as (
  select incarnation, xid, relation, op, name, count(*) as committed
  from done
  group by incarnation, xid, relation, op, name
)
select
  'database-lost' as kind, t.incarnation, t.relation, t.key, t.op, t.revision, t.lsn, t.xid,
  cast(null as varchar) as topic, cast(null as integer) as "partition",
  cast(null as bigint) as record_offset,
  case
    when g.xid is not null then 'PostgreSQL acknowledged the commit, then went back to a moment before it'
    else 'PostgreSQL acknowledged the commit, the witness never saw the change'
  end as detail
from tried t
left join counted c
  on c.incarnation = t.incarnation and c.xid = t.xid and c.relation = t.relation and c.op = t.op
  and c.name = t.name
left join gone g on g.incarnation = t.incarnation and g.xid = t.xid
where t.outcome = 'ok' and t.nth > coalesce(c.committed, 0)
union all
select
  'database-invented' as kind, d.incarnation, d.relation, d.key, d.op, d.revision, d.lsn, d.xid,
  cast(null as varchar) as topic, cast(null as integer) as "partition",
  cast(null as bigint) as record_offset,
  'the change was rolled back, yet the witness saw it committed' as detail
from done d
join outcomes o
  on o.incarnation = d.incarnation and o.xid = d.xid and o.relation = d.relation and o.op = d.op
  and o.name = d.name
where o.failed > 0 and d.nth > o.possible
