-- Why a month's figures differ from those of the month before: the causes between the two publications in force.
-- month: first day of the month
-- reading: name of the reading
-- kind: growth, joined, left, restated, definition, grain, stand_in, crosswalk, method, gap or first; only growth can be compared
-- subject: an affiliate, or affiliate/product that the cause is about; empty for the whole group
-- people: users of the subject by itself; null where that isn't known
-- what: the cause in words
-- noted_at: when the cause was noted, UTC
select
    p.month,
    p.reading,
    c.kind,
    c.subject,
    c.people,
    c.what,
    c.known_at as noted_at
from month_changes as c
inner join publications as p on p.id = c.publication
where
    p.id in (select max(id) from publications group by month, reading)
    and coalesce(c.before, 0) = (
        select coalesce(n.before, 0) from month_changes as n
        where n.publication = c.publication
        order by n.id desc
        limit 1
    )
