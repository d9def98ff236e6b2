-- Counts transactions whose changes the committed ledger does not hold whole. Runs once over all
-- buckets.
--
-- Method: the witness numbers the captured changes of a transaction 0, 1, 2, …, so a transaction
--   with n changes has the ordinals 0 to n-1, each once. Anything else means that rows of the
--   ledger are missing or double.
select count(*) as torn
from (
  select incarnation, commit_lsn
  from committed
  where commit_lsn is not null and ordinal is not null
  group by incarnation, commit_lsn
  having count(*) <> max(ordinal) + 1 or min(ordinal) <> 0
) as transactions
