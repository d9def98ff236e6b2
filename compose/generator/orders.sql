-- One turn of the generator: pgbench runs this again and again. A new customer now and then, orders, a change of
-- status, a deletion. The tables are those of crates/workload/src/schema.sql.
\set customer random(1, 100000)
\set roll random(1, 100)
\set cents random(100, 100000)
\set quantity random(1, 9)

BEGIN;
INSERT INTO public.customers (id, name, email, city, tier, balance, active, profile, created, revision)
VALUES (:customer, 'customer ' || :customer, 'c' || :customer || '@example.org', NULL, 'basic', 0, true, '{}', now(),
        nextval('public.generator_revision'))
ON CONFLICT (id) DO UPDATE SET balance = customers.balance + :cents / 100.0, revision = excluded.revision;
INSERT INTO public.orders (id, customer_id, status, amount, quantity, note, placed, due, tracking, revision)
VALUES (nextval('public.generator_order'), :customer, 'new', :cents / 100.0, :quantity, NULL, now(),
        current_date + 3, gen_random_uuid(), nextval('public.generator_revision'));
UPDATE public.orders SET status = 'shipped', revision = nextval('public.generator_revision')
 WHERE id = (SELECT max(id) - :quantity FROM public.orders);
\if :roll <= 5
DELETE FROM public.orders
 WHERE id = (SELECT min(id) FROM public.orders);
\endif
END;
