-- What was due of each product in a month, and what is there; by the figures in force.
-- month: first day of the month
-- reading: name of the reading
-- product: affiliate/product
-- days_expected: days due
-- days_present: days contributed
-- days_missing: days due and not contributed
-- months_expected: 1 where the whole month is due at once
-- months_present: 1 where it was contributed
-- complete: whether all that was due is there and settled
-- bounded: whether the figure has an upper bound, by sketches, a count or a ceiling
-- reasons: one a line, what is missing or stands in; empty for nothing
select
    p.month,
    p.reading,
    f.subject as product,
    f.days_expected,
    f.days_present,
    f.days_expected - f.days_present as days_missing,
    f.months_expected,
    f.months_present,
    f.complete,
    f.upper is not null as bounded,
    f.reasons
from publications as p
inner join figures as f on f.publication = p.id and f.scope = 'product'
where p.id in (select max(id) from publications group by month, reading)
