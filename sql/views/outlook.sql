-- What is expected of each threshold after the newest month that has an outlook, by reading: what alerts and `forecast` say.
-- month: first day of the last month that the outlook rests on
-- reading: name of the reading
-- subject: an affiliate, or affiliate/product; empty for the whole group
-- threshold: users that must not be exceeded
-- estimate: users in that month
-- lower: 95 % lower bound, users
-- upper: 95 % upper bound, users
-- over_now: probability that the month itself is over, by its range
-- within_quarter: probability that one of the next three months is over, by the range
-- within_year: the same of twelve months
-- not_within: probability that no month of the horizon is over, by the range
-- not_within_by_estimate: the same as if the estimate were the truth, so by growth's doubt alone
-- crossing: first day of the month by which it is passed with even odds, by the range; null where not within the horizon
-- decisions: JSON, by doubt and probability the crossing and the days to decide by
-- notes: one a line, what a reader has to know, and the basis in words
-- left_out: one a line, months that are no evidence, and why
-- published_at: when the outlook was published, UTC
select
    o.month,
    o.reading,
    o.subject,
    o.threshold,
    o.estimate,
    o.lower,
    o.upper,
    o.over_now,
    o.within_quarter,
    o.within_year,
    o.not_within,
    o.not_within_by_estimate,
    o.crossing,
    o.decisions,
    o.notes,
    o.left_out,
    o.known_at as published_at
from outlooks as o
where o.id in (
    select max(i.id) from outlooks as i
    where i.month = (
        select max(n.month) from outlooks as n
        where n.reading = i.reading and n.subject = i.subject and n.threshold = i.threshold
    )
    group by i.reading, i.subject, i.threshold
)
