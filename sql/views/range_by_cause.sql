-- How wide the range of each figure in force is by each cause; the parts of a figure add up to upper less lower.
-- month: first day of the month
-- reading: name of the reading
-- scope: group, affiliate or product
-- subject: the group, the affiliate, or affiliate/product
-- kind: identity, stand_in, gap, sketches or edges
-- people: users; null for a gap, of which nobody knows how many it hides
-- what: the cause in words
select
    p.month,
    p.reading,
    r.scope,
    r.subject,
    r.kind,
    r.people,
    r.what
from range_parts as r
inner join publications as p on p.id = r.publication
where p.id in (select max(id) from publications group by month, reading)
