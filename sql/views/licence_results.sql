-- What the test of each licence found last, by licensee and reading.
-- licence: the licence's id in the registry
-- licensee: the entity that is tested, with its affiliates
-- reading: name of the reading
-- of_record: whether this is the reading of record
-- released: the version's release date
-- measured_month: first day of the month that the clause tests
-- threshold: users that must not be exceeded
-- result: under, over, undetermined, not_measured, granted or exempt
-- estimate: users under this reading
-- lower: 95 % lower bound, users
-- upper: 95 % upper bound, users; null if there is none
-- headroom: threshold less estimate; below zero where the estimate exceeds it; what is certain is from headroom_lower to headroom_upper
-- headroom_lower: threshold less upper bound, the least that is left; null without an upper bound
-- headroom_upper: threshold less lower bound, the most that is left; below zero where the threshold is exceeded for certain
-- tested_at: since when this is the result, UTC
select
    t.licence,
    t.licensee,
    t.reading,
    t.of_record,
    t.released,
    t.measured_month,
    t.threshold,
    t.result,
    t.estimate,
    t.lower,
    t.upper,
    t.threshold - t.estimate as headroom,
    t.threshold - t.upper as headroom_lower,
    t.threshold - t.lower as headroom_upper,
    t.known_at as tested_at
from licence_tests as t
where t.id in (select max(id) from licence_tests group by licence, licensee, reading)
