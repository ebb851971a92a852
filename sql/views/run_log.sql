-- When a run has looked at everything; those that found nothing new come with the next run that has something to store.
-- ran_at: the run's moment, UTC
-- kind: whole, range, quiet, unchanged or watch
-- result: clean, findings or failed
-- findings: how many findings and refusals the run told of
-- published: how many months the run published
-- program: version of mauwatch that has run
select
    r.at as ran_at,
    r.kind,
    r.result,
    r.findings,
    r.published,
    r.program
from runs as r
