-- Every figure that was ever published for the group: what was known when.
-- month: first day of the month
-- reading: name of the reading
-- publication: grows with time
-- estimate: users; null if nothing was contributed
-- lower: 95 % lower bound, users
-- upper: 95 % upper bound, users; null if there is none
-- complete: whether all that was due was there and settled
-- state: preliminary, closed or restated
-- signed_by: who closed or restated the month; null while preliminary
-- published_at: when this figure was published, UTC
-- despite: why the month was closed although something was open
-- restated_because: why it was restated
select
    p.month,
    p.reading,
    p.id as publication,
    f.estimate,
    f.lower,
    f.upper,
    f.complete,
    p.state,
    p.signed_by,
    p.known_at as published_at,
    p.despite,
    p.reason as restated_because
from publications as p
inner join figures as f on f.publication = p.id and f.scope = 'group'
