-- Whom each product alone brings beside all others in a month, by the figures in force; of the last months alone.
-- month: first day of the month
-- reading: name of the reading
-- product: affiliate/product
-- state: measured; not_measurable, too near to nobody, so the interval is all that is known; or not_measured
-- estimate: users whom no other product has; null where that isn't measured
-- lower: 95 % lower bound, users
-- upper: 95 % upper bound, users
-- what: why it isn't measured, or what the number doesn't cover; empty for nothing
select
    p.month,
    p.reading,
    a.product,
    a.state,
    a.estimate,
    a.lower,
    a.upper,
    a.what
from publications as p
inner join unique_additions as a on a.inputs = p.inputs
where p.id in (select max(id) from publications group by month, reading)
