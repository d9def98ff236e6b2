-- Counts records that do not say where in which transaction they stand, although the connector writes
-- transaction metadata: then its account of transactions cannot be held against them. Runs once over
-- all buckets.
select 'no-transaction' as what, p.relation, count(*) as amount
from published p
cross join evidence e
where e.transaction_metadata and p.op in ('c', 'u', 'd', 't') and p.compensation is null
  and (p.tx_id is null or p.tx_order is null or p.tx_table_order is null)
group by p.relation
