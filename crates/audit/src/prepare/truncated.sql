-- Counts truncates, in `changes`: the committed or the published ledger, all buckets of it.
select relation, count(*) as amount
from changes
where op = 't'
group by relation
