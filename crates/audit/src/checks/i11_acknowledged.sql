-- I11 acknowledged: nothing captured lies between what Kafka durably has and the slot's confirmed
--   position.
-- Finds: acknowledged-ahead.
--
-- Method: a committed change that is in no topic, although its transaction was committed before the
--   position to which the connector's slot was confirmed (`lives`; noted at each cut and at the
--   fence, the topics' end offsets after it). PostgreSQL leaves out every transaction whose COMMIT
--   stands before that position, so it never sends this change again.
-- Caveats: i1_complete names the same change as lost. Lost without being named here means that the
--   slot still had it when it was looked at last. Whether the connector confirmed too much or
--   somebody made or moved the slot there is not told apart: the change is gone either way.
select
  'acknowledged-ahead' as kind, m.incarnation, m.relation, m.key, m.op, m.revision, m.lsn, m.xid,
  cast(null as varchar) as topic, cast(null as integer) as "partition",
  cast(null as bigint) as record_offset,
  'in no topic, and the slot is confirmed to lsn#' || cast(l.confirmed as varchar)
    || ': it is not sent again' as detail
from matches m
join lives l on l.incarnation = m.incarnation
where m.state = 'lost' and m.commit_lsn < l.confirmed
