-- How each alert is now, by its last transition; open ones, and those that were.
-- id: its number, as `mauwatch alerts` shows it
-- kind: threshold, missing_data, failed_run, definition_change or jump
-- rule: whose threshold, as family/threshold; empty for alerts about data
-- reading: the reading of record; empty where figures don't matter
-- level: none, watch, prepare, act, over; open for alerts about data
-- subjects: one a line, months, products or jobs that it is about; empty for thresholds
-- as_of: last day of the newest period that was looked at
-- estimate: users in that period
-- lower: 95 % lower bound, users
-- upper: 95 % upper bound, users; null if there is none
-- threshold: users that must not be exceeded
-- within_year: probability that it is passed within twelve months; null without a forecast
-- within_quarter: the same within three months
-- last_action: raised, lowered, cleared, found, ended, escalated, acknowledged, closed or looked
-- acknowledged_by: who has seen it; null once it is worse
-- closed_by: who closed it
-- reason_code: why it was closed
-- matter: number of the matter under which it was closed
-- changed_at: when the last transition happened, UTC
-- messages: how many were put into the outbox about it, from its first transition on
-- delivered: how many of them were sent, or superseded by a worse level
select
    i.opened as id,
    i.kind,
    i.rule,
    i.reading,
    i.level,
    i.subjects,
    i.as_of,
    i.estimate,
    i.lower,
    i.upper,
    i.threshold,
    i.within_year,
    i.within_quarter,
    i.action as last_action,
    i.acknowledged_by,
    i.closed_by,
    i.reason_code,
    i.matter,
    i.known_at as changed_at,
    (
        select count(*) from outbox as o
        inner join incidents as t on o.transition = t.id
        where t.opened = i.opened
    ) as messages,
    (
        select count(*) from outbox as o
        inner join incidents as t on o.transition = t.id
        inner join deliveries as d on d.message = o.id and d.outcome in ('sent', 'superseded')
        where t.opened = i.opened
    ) as delivered
from incidents as i
where i.id in (select max(id) from incidents group by kind, rule, reading)
