{#- Whether an engine goes the whole way as the protocol does: by a public key, so that nothing here is secret. -#}
{%- import templates ~ '.sql' as e with context -%}
-- Self-test of {{ title }} with a public test key: each row must say that it agrees, before the group key is used at all.
{{ e.set_up() }}
WITH
{{ e.group_key() }},
{%- for kind in kinds %}
{{ kind.name }}_events AS (
  SELECT number, {{ e.utf8('identifier') }} AS identifier, expected_key, expected_coupon
  FROM {{ e.rows('canary', ['number', 'identifier', 'expected_key', 'expected_coupon'], kind.canaries) }}
),
{%- for stage in e.stages %}
{{ kind.name }}_{{ stage }} AS (
  SELECT number, {{ e[stage]('identifier', kind.name, []) }} AS identifier, expected_key, expected_coupon
  FROM {{ kind.name }}_{{ 'events' if loop.first else loop.previtem }}
),
{%- endfor %}
{%- endfor %}
identified AS (
{%- for kind in kinds %}
  {{ 'SELECT' if loop.first else 'UNION ALL SELECT' }} '{{ kind.namespace }}' AS namespace, number, identifier, expected_key, expected_coupon FROM {{ kind.name }}_{{ e.stages | last }}
{%- endfor %}
),
keyed AS (
  SELECT namespace, number, expected_key, expected_coupon,
    CASE WHEN {{ e.usable('identifier') }} IS NOT NULL THEN {{ e.hmac('namespace', 'identifier') }} END AS person_key
  FROM identified CROSS JOIN group_key
),
sketched AS (
  SELECT namespace, number, expected_key, expected_coupon, person_key,
    {{ e.coupon(e.sketch('person_key')) }} AS coupon
  FROM keyed
  GROUP BY namespace, number, expected_key, expected_coupon, person_key
)
SELECT namespace, number, expected_key, person_key, expected_coupon, coupon,
  CASE
    WHEN expected_key IS NULL AND person_key IS NULL THEN 'agrees: nobody'
    WHEN expected_key IS NULL OR person_key IS NULL OR expected_key <> person_key THEN 'DIFFERS: normalisation or HMAC'
    WHEN expected_coupon = coupon THEN 'agrees'
    ELSE 'DIFFERS: the sketch function'
  END AS verdict
FROM sketched
ORDER BY namespace, number
