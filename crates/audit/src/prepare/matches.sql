-- Prepares: table `matches`, which the checks of I1 to I5 share, so that all of them mean the same
--   event.
--
-- One row per committed change or published record (c u d t; the rest is no change), paired one to
-- one. Records that a repair wrote (marked backfill) are no changes either and are left out.
-- Method: a change is identified by (incarnation, relation, lsn, op, id). `id` is the key's hash;
--   without key it is the hash of the row image, or 0 where either side lacks images (then place
--   alone pairs them). Rows of one COPY share an LSN, so equal identities are numbered on both
--   sides, by ordinal and by place in the log, and the n-th is paired with the n-th. A record's
--   incarnation is known from the cut only; where its identity is missing in that incarnation but
--   present in an older one, the older one owns it.
-- state: matched (committed and published) · late (the same, published after a later incarnation
--   began) · discarded (committed and published, but the database no longer has it: a restore went back
--   before it) · lost (committed only) · surplus (published more often than committed) · stranger
--   (published only) · carried (published, but the commit only carried over a change of an older
--   incarnation, as logical replication does during an upgrade).
-- Caveats: `carried` rests on the transaction's origin in an incarnation that is not the first. A
--   database that itself is fed by another one through logical replication looks the same, from its
--   second incarnation on.
with changes as (
  select
    c.incarnation, relation, op, key, key_hash, before, after, revision, xid, lsn, commit_lsn,
    ordinal,
    case when op = 'd' then before else after end as image,
    origin is not null and c.incarnation > 0 as carried,
    l.kept_before is not null and commit_lsn >= l.kept_before as discarded
  from committed c
  left join lives l on l.incarnation = c.incarnation
  where op in ('c', 'u', 'd', 't')
),
records as (
  select
    incarnation, relation, op, key, key_hash, before, after, revision, xid, lsn,
    topic, "partition", record_offset,
    case when op = 'd' then before else after end as image
  from published
  where op in ('c', 'u', 'd', 't') and compensation is null
),
blind as (
  select relation, op
  from (
    select relation, op from changes where key is null and image is null
    union all
    select relation, op from records where key is null and image is null
  ) as without_image
  group by relation, op
),
changes_named as (
  select
    c.*,
    b.relation is not null as blind,
    case
      when c.key is not null then c.key_hash
      when b.relation is not null then 0
      else c.image
    end as id
  from changes c
  left join blind b on b.relation = c.relation and b.op = c.op and c.key is null
),
records_named as (
  select
    r.*,
    case
      when r.key is not null then r.key_hash
      when b.relation is not null then 0
      else r.image
    end as id
  from records r
  left join blind b on b.relation = r.relation and b.op = r.op and r.key is null
),
record_identities as (
  select incarnation, relation, lsn, op, id
  from records_named
  group by incarnation, relation, lsn, op, id
),
change_identities as (
  select incarnation, relation, lsn, op, id
  from changes_named
  group by incarnation, relation, lsn, op, id
),
owners as (
  select r.incarnation, r.relation, r.lsn, r.op, r.id, max(c.incarnation) as owner
  from record_identities r
  join change_identities c
    on c.relation = r.relation and c.lsn = r.lsn and c.op = r.op and c.id = r.id
    and c.incarnation <= r.incarnation
  group by r.incarnation, r.relation, r.lsn, r.op, r.id
),
changes_numbered as (
  select
    c.*,
    row_number() over (
      partition by incarnation, relation, lsn, op, id order by ordinal
    ) as nth
  from changes_named c
),
records_owned as (
  select
    r.*,
    o.owner is not null as known,
    case when o.owner is null then r.incarnation else o.owner end as owner
  from records_named r
  left join owners o
    on o.incarnation = r.incarnation and o.relation = r.relation and o.lsn = r.lsn and o.op = r.op
    and o.id = r.id
),
records_numbered as (
  select
    r.*,
    row_number() over (
      partition by owner, relation, lsn, op, id
      order by incarnation, topic, "partition", record_offset
    ) as nth
  from records_owned r
)
select
  case
    when r.relation is null then 'lost'
    when c.relation is null then case when r.known then 'surplus' else 'stranger' end
    when c.carried then 'carried'
    when c.discarded then 'discarded'
    when r.incarnation > c.incarnation then 'late'
    else 'matched'
  end as state,
  coalesce(c.incarnation, r.owner) as incarnation,
  r.incarnation as record_incarnation,
  coalesce(c.relation, r.relation) as relation,
  coalesce(c.key, r.key) as key,
  coalesce(c.key, r.key) is not null as keyed,
  case
    when c.key is not null then c.key_hash
    when r.key is not null then r.key_hash
    else 0
  end as thread,
  coalesce(c.op, r.op) as op,
  coalesce(c.lsn, r.lsn) as lsn,
  coalesce(c.xid, r.xid) as xid,
  coalesce(c.revision, r.revision) as revision,
  c.commit_lsn,
  c.ordinal,
  c.before as committed_before,
  c.after as committed_after,
  c.revision as committed_revision,
  r.before as published_before,
  r.after as published_after,
  r.revision as published_revision,
  coalesce(c.blind, false) as blind,
  r.topic,
  r."partition",
  r.record_offset
from changes_numbered c
full outer join records_numbered r
  on r.owner = c.incarnation and r.relation = c.relation and r.lsn = c.lsn and r.op = c.op
  and r.id = c.id and r.nth = c.nth
where r.relation is not null or not (c.carried or c.discarded)
