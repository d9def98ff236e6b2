-- Counts, of each table without key, rows that folding its topic gives and the table does not have
-- (too_many), and the other way round (too_few). As in i8_state: only content tells such rows apart,
-- and tables that lack images are left out. Repairs write nothing for such tables, so records behind
-- the recorded ends do not count.
with recorded as (
  select p.*
  from published p
  left join ends e on e.topic = p.topic and e."partition" = p."partition"
  where p.key is null and coalesce(p.record_offset < e.recorded_end, true)
),
blind as (
  select relation
  from (
    select relation
    from recorded
    where key is null
      and ((op in ('c', 'u', 'r') and after is null) or (op in ('u', 'd') and before is null))
    union all
    select relation from stored where key is null and image is null
  ) as without_image
  group by relation
),
weights as (
  select relation, after as image, 1 as weight
  from recorded where key is null and op in ('c', 'u', 'r')
  union all
  select relation, before as image, -1 as weight
  from recorded where key is null and op in ('u', 'd')
  union all
  select relation, image, -1 as weight
  from stored where key is null
),
balances as (
  select relation, image, sum(weight) as balance
  from weights where image is not null group by relation, image
)
select
  w.relation,
  sum(case when w.balance > 0 then w.balance else 0 end) as too_many,
  sum(case when w.balance < 0 then -w.balance else 0 end) as too_few
from balances w
left join blind b on b.relation = w.relation
where b.relation is null and w.balance <> 0
group by w.relation
order by w.relation
