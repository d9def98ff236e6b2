-- I2 no invention: every published c, u, d or t is a committed change of the database that there is.
-- Finds: phantom, aborted (its transaction, or the savepoint it belonged to, was rolled back).
--
-- Method: a stranger in `matches` has no committed change of that identity in its own or an older
--   incarnation. It is aborted if the attempted ledger has the same change under the same
--   transaction id as failed, and no other change of this key was committed at its very place (then
--   only its op is wrong).
--   Discarded in `matches` is what was committed and published, but the database went back before it:
--   a phantom too, since no row of the database goes with it any more.
-- Caveats: what a repair wrote (marked backfill) is no invention. Flattened records show no transaction id, so theirs are all called phantom.
with rolled_back as (
  select incarnation, xid, relation, op, coalesce(key, '') as key
  from attempted
  where outcome = 'failed' and xid is not null
  group by incarnation, xid, relation, op, coalesce(key, '')
),
lost as (
  select incarnation, relation, thread, lsn, max(op) as op
  from matches
  where state = 'lost'
  group by incarnation, relation, thread, lsn
)
select
  case when f.relation is not null and l.relation is null then 'aborted' else 'phantom' end as kind,
  m.incarnation, m.relation, m.key, m.op, m.revision, m.lsn, m.xid,
  m.topic, m."partition", m.record_offset,
  case
    when l.relation is not null then 'published as ' || m.op || ', committed as ' || l.op
    when f.relation is not null then 'published although its transaction rolled back'
    else 'published, but no such change was committed'
  end as detail
from matches m
left join rolled_back f
  on f.incarnation = m.incarnation and f.xid = m.xid and f.relation = m.relation and f.op = m.op
  and f.key = coalesce(m.key, '')
left join lost l
  on l.incarnation = m.incarnation and l.relation = m.relation and l.thread = m.thread
  and l.lsn = m.lsn
where m.state = 'stranger'
union all
select
  'phantom' as kind, incarnation, relation, key, op, revision, lsn, xid,
  topic, "partition", record_offset,
  'committed and published, but the database went back to a moment before it' as detail
from matches
where state = 'discarded'
