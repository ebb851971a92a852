-- Different people in a month across the whole group: the figures in force.
-- month: first day of the month
-- reading: name of the reading
-- group_name: the group's short name
-- estimate: users; null if nothing was contributed
-- lower: 95 % lower bound, users
-- upper: 95 % upper bound, users; null if there is none
-- standard_error: of the sketch alone, users
-- identity_low: users if all namespaces hold the same people
-- identity_high: users if no two namespaces share a person
-- summed_products: sum over products, without deduplication; what a reading of summed products counts
-- summed_lower: 95 % lower bound of that sum, the products' own bounds added
-- summed_upper: 95 % upper bound of that sum; null where a product has none
-- days_expected: product-days due
-- days_present: product-days contributed
-- months_expected: product-months due
-- months_present: product-months contributed
-- complete: whether all that was due is there and settled
-- lg_k: lowest lg_k among the sketches; null without any
-- unidentified_events: events without a usable identifier, so not counted
-- undecided_events: events that a condition left undecided, taken for false
-- excluded_events: events that counts_when leaves out, or of other audiences; null if not known
-- automated_users: automated users, by the sketches; null if not known
-- reasons: one a line, what is missing or stands in; empty for nothing
-- not_counted: one a line, who is left out and why; empty for nobody
-- despite: why the month was closed although something was open
-- restated_because: why it was restated
-- state: preliminary, closed or restated
-- signed_by: who closed or restated the month; null while preliminary
-- published_at: when this figure was published, UTC
select
    p.month,
    p.reading,
    f.subject as group_name,
    f.estimate,
    f.lower,
    f.upper,
    f.standard_error,
    f.identity_low,
    f.identity_high,
    f.summed_products,
    s.summed_lower,
    s.summed_upper,
    f.days_expected,
    f.days_present,
    f.months_expected,
    f.months_present,
    f.complete,
    f.lg_k,
    f.unidentified_events,
    f.undecided_events,
    f.excluded_events,
    f.automated_users,
    f.reasons,
    p.not_counted,
    p.despite,
    p.reason as restated_because,
    p.state,
    p.signed_by,
    p.known_at as published_at
from publications as p
inner join figures as f on f.publication = p.id and f.scope = 'group'
left join (
    select
        publication,
        cast(sum(lower) as bigint) as summed_lower,
        case when count(upper) = count(*) then cast(sum(upper) as bigint) end as summed_upper
    from figures
    where scope = 'product'
    group by publication
) as s on s.publication = p.id
where p.id in (select max(id) from publications group by month, reading)
