{#- One query, from events to rows of the contract, in one pass over the events. Engines differ in the macros of their own file
    (spark.sql, snowflake.sql, ...), which is `e` here:
    notes       comments above the query: how the key gets in, who could see it, how to save the rows
    set_up      statements before the query; only Snowflake needs any
    group_key   common table expressions that end with `group_key`: one row of what `hmac` needs of the key
    day         the day of an event in the product's zone; `period`: the first day of that day's period
    between     whether an event lies on the days, and whether its time column has the type that the manifest says
    text        a column as text
    stages      steps of normalisation, in order; each is a macro of that name, and a common table expression of its own
    usable      an identifier, or null where it is marked as nobody's
    mark        stands for an identifier of which nobody can tell whose it is; `refused` stops the query for one, with a message
    hmac        a person key of namespace and identifier: 16 hex characters
    sketch      the aggregate that makes an image of keys; `coupon`: of the image of one key, its coupon in hex
    binary, utf8, rows, date, bigint, now, producer   literals, casts and functions that every engine spells its own way
    `rows` is for constants: some engines have VALUES in FROM, others a list of STRUCTs or a UNION ALL. -#}
{%- import templates ~ '.sql' as e with context -%}
{%- set columns = [] %}{% for identifier in identifiers %}{{ columns.append('identifier_%d' % loop.index0) or '' }}{% endfor -%}
-- {{ subject }}, {{ first }} to {{ last }}: what mauwatch receives of it, computed here, so that no identifier leaves.
-- Made by mauwatch {{ version }} for {{ title }}; protocol {{ protocol }}, key epoch {{ epoch }}, lgK {{ lg_k }} (its functions take up to {{ max_lg_k }}).
{{ e.notes() }}
WITH
{{ e.group_key() }},
-- The protocol's canaries go the same way as the events, beside them: their sketch proves each step of it. They stand in hex,
-- since what isn't printable changes under many a clipboard. An event without a time is on no day: it is told as undecided, on
-- the first one.
events AS (
  SELECT COALESCE({{ e.period(e.day()) }}, DATE '{{ periods[0][0] | replace("'", "") }}') AS period,
    CASE WHEN {{ automated }} THEN 'automated' WHEN {{ internal }} THEN 'internal' ELSE 'external' END AS audience,
    {% if counts == 'TRUE' %}CASE WHEN {{ time.column }} IS NOT NULL THEN TRUE END{% else %}CASE WHEN {{ time.column }} IS NOT NULL OR NOT ({{ counts }}) THEN {{ counts }} END{% endif %} AS counts,
    ({{ internal }}) IS NULL OR ({{ automated }}) IS NULL AS undecided
    {%- for identifier in identifiers %},
    {% if counts == 'TRUE' %}{{ e.text(identifier.column) }}{% else %}CASE WHEN COALESCE({{ counts }}, TRUE) THEN {{ e.text(identifier.column) }} END{% endif %} AS identifier_{{ loop.index0 }}
    {%- endfor %}
  FROM {{ table }}
  WHERE ({{ e.between() }}) OR ({{ time.column }} IS NULL{% if counts != 'TRUE' %} AND COALESCE({{ counts }}, TRUE){% endif %})
  UNION ALL
  SELECT NULL, 'canary', TRUE, FALSE{% for column in columns %}, {{ e.utf8(column) }}{% endfor %}
  FROM {{ e.rows('canary', columns, canaries) }}
{%- if snapshot %}
  -- Only if the crosswalk's table holds the month's snapshot, once: else nothing is proved, and nothing accepted.
  WHERE (SELECT COUNT(*) FROM {{ crosswalk }}) = {{ snapshot.rows }}
    AND (SELECT COUNT(DISTINCT {{ q('key') }}) FROM {{ crosswalk }}) = {{ snapshot.rows }}
    AND (SELECT COUNT(DISTINCT {{ q('person_key') }}) FROM {{ crosswalk }}) = {{ snapshot.people }}
{%- endif %}
),
{%- for stage in e.stages %}
{{ stage }} AS (
  SELECT period, audience, counts, undecided
    {%- for identifier in identifiers %},
    {{ e[stage](columns[loop.index0], identifier.kind, identifier.nobody) }} AS {{ columns[loop.index0] }}
    {%- endfor %}
  FROM {{ 'events' if loop.first else loop.previtem }}
),
{%- endfor %}
-- The first usable identifier of an event is its user.
identified AS (
  SELECT period, audience, counts, undecided,
    CASE{% for identifier in identifiers %} WHEN {{ columns[loop.index0] }} IS NOT NULL THEN {{ identifier.namespace }}{% endfor %} END AS namespace,
    {{ e.usable('COALESCE(%s)' % (columns | join(', ')) if columns | length > 1 else columns[0]) }} AS identifier
  FROM {{ e.stages | last }}
),
-- Each user once before hashing, which is what costs.
users AS (
  SELECT period, audience, namespace, identifier,
    SUM(CASE WHEN counts AND identifier IS NOT NULL THEN 1 ELSE 0 END) AS events,
    SUM(CASE WHEN counts AND identifier IS NULL THEN 1 ELSE 0 END) AS unidentified,
    SUM(CASE WHEN counts IS NULL OR (counts AND undecided) THEN 1 ELSE 0 END) AS undecided,
    SUM(CASE WHEN NOT counts THEN 1 ELSE 0 END) AS excluded
  FROM identified
  GROUP BY period, audience, namespace, identifier
),
-- A value in a notable share of a period's events is hardly one person's. What stands beside it isn't looked at here.
largest AS (
  SELECT period AS in_period, MAX(events) AS most, SUM(events) AS of_all, COUNT(*) AS people
  FROM users
  WHERE audience IN ('external', 'internal') AND events > 0
  GROUP BY period
),
keyed AS (
  SELECT period, audience, namespace, events, unidentified, undecided, excluded,
    CASE WHEN events > 0 AND identifier = {{ e.mark() }}
        THEN {{ e.refused('mauwatch: identifiers that have lost digits, or are of another form than group.yaml names, in ', 'namespace') }}
      WHEN events > 0 AND of_all >= {{ too_few_to_judge }} AND most > of_all * {% if largest_share %}{{ largest_share }}{% else %}CASE{% for least, share in shares %} WHEN people >= {{ least }} THEN {{ share }}{% endfor %} ELSE 1 END{% endif %}

        THEN {{ e.refused('mauwatch: one value has too many of the events of a period; see names_nobody and largest_identifier; a namespace there is ', 'namespace') }}
      WHEN events > 0 THEN {{ e.hmac('namespace', 'identifier') }}
    END AS person_key
  FROM users CROSS JOIN group_key LEFT JOIN largest ON largest.in_period = users.period
),
{%- if crosswalk %}
-- Keys of one person become the person's, but for the canaries'.
joined AS (
  SELECT keyed.period, keyed.audience, keyed.events, keyed.unidentified, keyed.undecided, keyed.excluded,
    CASE WHEN crosswalk.{{ q('person_key') }} IS NULL OR keyed.audience = 'canary' THEN keyed.namespace ELSE 'person' END AS namespace,
    CASE WHEN crosswalk.{{ q('person_key') }} IS NULL OR keyed.audience = 'canary' THEN keyed.person_key ELSE {{ plain('crosswalk.' ~ q('person_key')) }} END AS person_key
  FROM keyed LEFT JOIN {{ crosswalk }} AS crosswalk ON {{ plain('crosswalk.' ~ q('key')) }} = keyed.person_key
)
{%- else %}
joined AS (SELECT period, audience, events, unidentified, undecided, excluded, namespace, person_key FROM keyed)
{%- endif %}
{%- if keys_only %}
-- For a source of the kind `person_keys`: a key a row; rows without a key tell of events that aren't counted.
{%- set kept = "audience IN ('canary', '%s')" % (audiences | replace(' ', "', '")) if audiences else 'TRUE' %}
SELECT period AS {{ q('activity_date') }}, audience AS {{ q('audience') }}, namespace AS {{ q('namespace') }},
  person_key AS {{ q('person_key') }}, {{ e.bigint('events') }} AS {{ q('events') }},
  {{ e.bigint('unidentified') }} AS {{ q('unidentified_events') }}, {{ e.bigint('undecided') }} AS {{ q('undecided_events') }},
  {{ e.bigint('excluded') }} AS {{ q('excluded_events') }}, '{{ crosswalk_digest }}' AS {{ q('crosswalk_digest') }}
FROM joined
{%- if audiences %}
WHERE person_key IS NULL OR {{ kept }}
-- Users of other audiences stay here; how many events they have is told.
UNION ALL
SELECT period, audience, NULL, NULL, 0, 0, 0, {{ e.bigint('SUM(events)') }}, '{{ crosswalk_digest }}'
FROM joined WHERE person_key IS NOT NULL AND NOT ({{ kept }})
GROUP BY period, audience
{%- endif %}
{%- else %},
-- A period without users has rows too: zero users is not the same as nothing said.
cells AS (
  SELECT period, audience, namespace, person_key, events, unidentified, undecided, excluded FROM joined
  UNION ALL
  SELECT {{ e.date('period') }}, 'external', namespace, NULL, 0, 0, 0, 0
  FROM {{ e.rows('period', ['period'], periods) }} CROSS JOIN {{ e.rows('namespace', ['namespace'], namespaces) }}
),
sketched AS (
  SELECT period, audience, namespace, {{ e.sketch('person_key') }} AS sketch, SUM(events) AS events,
    COUNT(person_key) AS distinct_users, SUM(unidentified) AS unidentified, SUM(undecided) AS undecided,
    SUM(excluded{% if audiences %} + CASE WHEN audience IN ('{{ audiences | replace(' ', "', '") }}') THEN 0 ELSE events END{% endif %}) AS excluded
  FROM cells
  GROUP BY period, audience, namespace
),
told AS (
  SELECT period, audience, namespace, sketch, events, distinct_users,
    SUM(unidentified) OVER (PARTITION BY period) AS unidentified,
    SUM(undecided) OVER (PARTITION BY period) AS undecided,
    SUM(excluded) OVER (PARTITION BY period) AS excluded,
    FIRST_VALUE(CASE WHEN audience = 'canary' THEN sketch END)
      OVER (PARTITION BY namespace ORDER BY CASE WHEN audience = 'canary' THEN 0 ELSE 1 END) AS canary
  FROM sketched
)
SELECT
  '{{ protocol }}' AS {{ q('protocol') }},
  {{ affiliate }} AS {{ q('affiliate') }},
  {{ product }} AS {{ q('product') }},
  '{{ grain }}' AS {{ q('grain') }},
  period AS {{ q('activity_date') }},
  audience AS {{ q('audience') }},
{%- if audiences %}
  '{{ audiences }}' AS {{ q('audiences') }},
{%- endif %}
  namespace AS {{ q('namespace') }},
  {{ epoch_text }} AS {{ q('key_epoch') }},
  '{{ crosswalk_digest }}' AS {{ q('crosswalk_digest') }},
  '{{ normalisation }}' AS {{ q('normalisation') }},
  {{ e.bigint(lg_k) }} AS {{ q('lg_k') }},
  COALESCE(sketch, {{ e.binary(empty) }}) AS {{ q('sketch') }},
  {{ e.bigint('events') }} AS {{ q('events') }},
  {# With a crosswalk several keys can be one person: only a second pass could count people exactly. -#}
  {{ e.bigint('NULL' if crosswalk else 'distinct_users') }} AS {{ q('distinct_users') }},
  {{ e.bigint('unidentified') }} AS {{ q('unidentified_events') }},
  {{ e.bigint('undecided') }} AS {{ q('undecided_events') }},
  {{ e.bigint('excluded') }} AS {{ q('excluded_events') }},
  {{ definition }} AS {{ q('definition') }},
  '{{ definition_digest }}' AS {{ q('definition_digest') }},
  '{{ zone }}' AS {{ q('day_zone') }},
  {{ e.now() }} AS {{ q('computed_at') }},
  {{ e.producer() }} AS {{ q('producer') }},
  canary AS {{ q('canary') }}
FROM told
WHERE audience <> 'canary' AND namespace IS NOT NULL AND (events > 0 OR audience = 'external')
{%- if audiences %}
  AND audience IN ('{{ audiences | replace(' ', "', '") }}')
{%- endif %}
ORDER BY period, audience, namespace
{%- endif %}
