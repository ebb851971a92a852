-- Whom each two products have in common in a month, by the figures in force; of the last months alone.
-- month: first day of the month
-- reading: name of the reading
-- first_product: affiliate/product
-- second_product: affiliate/product
-- state: measured; not_measurable, too near to nobody, so the interval is all that is known; or not_measured
-- estimate: users in both; null where that isn't measured
-- lower: 95 % lower bound, users
-- upper: 95 % upper bound, users
-- share_of_first: the share of the first's users who are in both
-- share_of_second: the same of the second's
-- what: why it isn't measured, or what the number doesn't cover; empty for nothing
select
    p.month,
    p.reading,
    o.first as first_product,
    o.second as second_product,
    o.state,
    o.estimate,
    o.lower,
    o.upper,
    o.share_of_first,
    o.share_of_second,
    o.what
from publications as p
inner join product_overlaps as o on o.inputs = p.inputs
where p.id in (select max(id) from publications group by month, reading)
