-- The months of each outlook in force: the fan with the measuring error (by the range) and without (by the estimate).
-- reading: name of the reading
-- subject: an affiliate, or affiliate/product; empty for the whole group
-- threshold: users that must not be exceeded
-- after_month: first day of the last month that the outlook rests on; of this month the range is its own bounds
-- month: first day of the month
-- p2_5: 2.5 % of paths lie below, users, by the range
-- p10: 10 % of paths lie below, users, by the range
-- p50: half of the paths lie below, users, by the range
-- p90: 90 % of paths lie below, users, by the range
-- p97_5: 97.5 % of paths lie below, users, by the range
-- p2_5_by_estimate: 2.5 % of paths lie below, users, by growth's doubt alone
-- p10_by_estimate: 10 % of paths lie below, users, by growth's doubt alone
-- p50_by_estimate: half of the paths lie below, users, by growth's doubt alone
-- p90_by_estimate: 90 % of paths lie below, users, by growth's doubt alone
-- p97_5_by_estimate: 97.5 % of paths lie below, users, by growth's doubt alone
-- over: probability of being over in this month, by the range
-- over_by_estimate: the same by growth's doubt alone
-- crossed: probability that this month to come, or one before it, is over, by the range
-- crossed_by_estimate: the same by growth's doubt alone
select
    o.reading,
    o.subject,
    o.threshold,
    o.month as after_month,
    m.month,
    m.p2_5,
    m.p10,
    m.p50,
    m.p90,
    m.p97_5,
    m.p2_5_by_estimate,
    m.p10_by_estimate,
    m.p50_by_estimate,
    m.p90_by_estimate,
    m.p97_5_by_estimate,
    m."over",
    m.over_by_estimate,
    m.crossed,
    m.crossed_by_estimate
from outlooks as o
inner join outlook_months as m on m.outlook = o.id
where o.id in (
    select max(i.id) from outlooks as i
    where i.month = (
        select max(n.month) from outlooks as n
        where n.reading = i.reading and n.subject = i.subject and n.threshold = i.threshold
    )
    group by i.reading, i.subject, i.threshold
)
