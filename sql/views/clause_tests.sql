-- What the test of every clause found last, by licensee, product and reading, with what would settle it.
-- licence: the licence's id in the registry
-- clause: the clause's id in the licence
-- licensee: the entity that is tested
-- product: affiliate/product; empty where the clause asks about no single one
-- reading: name of the reading
-- of_record: whether this is the reading of record
-- month: first day of the month that was tested; null where none is
-- threshold: users of the clause; null for a clause without
-- comparator: gt, only more is over; gte, the threshold itself is; else as the registry has it
-- result: under, over, undetermined, not_measured, granted or exempt
-- without_grants: the test's own result, where a grant or an exemption stands in its place
-- complete: whether all that was due is there and settled
-- estimate: users under this reading, of summed products the sum
-- lower: 95 % lower bound, users
-- upper: 95 % upper bound, users; null if there is none
-- settled_by: one a line, what would settle it; empty where it is settled
-- settling: JSON, how far it is from a result, and the causes that would turn it
-- why: one a line, grants, exemptions, what the bounds stand for
-- by_month: JSON, the result by month, of a clause that is tested month by month
-- tested_at: since when this is the result, UTC
select
    t.licence,
    t.clause,
    t.licensee,
    t.product,
    t.reading,
    t.of_record,
    t.month,
    t.threshold,
    t.comparator,
    t.result,
    t.without_grants,
    t.complete,
    t.estimate,
    t.lower,
    t.upper,
    t.settled_by,
    t.settling,
    t.why,
    t.by_month,
    t.known_at as tested_at
from clause_results as t
where t.id in (select max(id) from clause_results group by licence, clause, licensee, product, reading) and t.result is not null
