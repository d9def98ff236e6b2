-- Counts truncates, in `changes`: the committed or the published ledger, all buckets of it.
--
-- A truncate has no key, so it lies in one bucket while the rows it removes lie in all of them; and
-- where it stands among their records is defined inside one partition only (I14). Whoever folds a
-- table must know.
select relation, count(*) as amount
from changes
where op = 't'
group by relation
