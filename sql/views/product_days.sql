-- What each product contributed for a day, or a whole month, under its own key: the current version, by audience and namespace.
-- affiliate: the entity that offers the product
-- product: the product
-- grain: day or month
-- activity_date: the day, or the month's first day
-- audience: external, internal or automated
-- namespace: of the identifiers
-- users: by the sketch; null if it came before this was noted
-- events: events of these users; null if not known
-- unidentified_events: of the whole contribution, without a usable identifier; null if not known
-- excluded_events: of the whole contribution, left out by counts_when, or of other audiences; null if not known
-- definition: id/version of what the product calls active
-- computed_at: when the affiliate's query ran, UTC
-- received_at: when this store received it, UTC
select
    c.affiliate,
    c.product,
    c.grain,
    c.activity_date,
    q.audience,
    q.namespace,
    q.estimate as users,
    q.events,
    c.unidentified_events,
    c.excluded_events,
    c.definition,
    c.computed_at,
    c.known_at as received_at
from contributions as c
inner join parts as q on q.contribution_id = c.id
where c.id in (select max(id) from contributions where not ahead group by affiliate, product, grain, activity_date)
