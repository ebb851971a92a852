{#- PostgreSQL 13 and later in UTF-8, with the extension `datasketches` for the sketch; keys alone need no extension. -#}
{%- macro notes() -%}
-- Needs the extension `datasketches` (CREATE EXTENSION datasketches); without it, take --person-keys. Of phone numbers, only
-- those in E.164 count. In a database with the collation C, lower() knows ASCII alone, and the canary is refused: create the
-- database with LOCALE 'C.UTF-8' of the builtin provider, or with ICU.
-- The key: the bound parameter $1. In psql 16 and later, with the key in a variable of the shell that history doesn't keep:
--   \bind :key \g     after     \getenv key MAUWATCH_KEY
-- The text and pg_stat_statements show $1; with log_parameter_max_length or log_min_duration_statement set, a server's log can
-- hold bound values: set log_parameter_max_length = 0 for this role.
-- Save the rows: \copy can't bind, so let a program write them to Parquet, or to CSV with sketches in hex, which is read too.
{%- endmacro %}
{%- macro set_up() -%}{%- endmacro %}

{%- macro group_key() -%}
{% if test_key -%}
secret AS (SELECT CAST('{{ test_key }}' AS text) AS k),
{%- else -%}
secret AS (SELECT CAST($1 AS text) AS k),
{%- endif %}
group_key AS MATERIALIZED (
  SELECT {{ pad(54) }} AS ipad, {{ pad(92) }} AS opad
  FROM secret
)
{%- endmacro %}
{%- macro pad(byte) -%}
(SELECT string_agg(set_byte('\x00'::bytea, 0, get_byte(convert_to(k, 'UTF8'), i) # {{ byte }}), ''::bytea ORDER BY i) FROM generate_series(0, 63) AS i)
{%- endmacro %}

{%- macro day() -%}
{% if time.kind == 'date' -%}
{{ time.column }}
{%- elif time.kind == 'epoch' -%}
CAST(timezone('{{ zone }}', to_timestamp(CAST({{ time.column }} AS numeric) / {{ {'s': '1', 'ms': '1000', 'us': '1000000', 'ns': '1000000000'}[time.unit] }})) AS date)
{%- elif time.kind == 'local' -%}
CAST(timezone('{{ zone }}', timezone('{{ time.zone }}', {{ time.column }})) AS date)
{%- else -%}
CAST(timezone('{{ zone }}', {{ time.column }}) AS date)
{%- endif %}
{%- endmacro %}
{%- macro period(day) -%}{% if grain == 'month' %}CAST(date_trunc('month', {{ day }}) AS date){% else %}{{ day }}{% endif %}{%- endmacro %}
{%- macro between() -%}
{{ day() }} BETWEEN DATE '{{ first }}' AND DATE '{{ last }}'
{%- if time.kind == 'instant' %}
    AND {{ time.column }} >= TIMESTAMPTZ '{{ since }}+00:00' AND {{ time.column }} < TIMESTAMPTZ '{{ until }}+00:00'
{%- endif %}
{%- set kinds = {'instant': ('timestamptz', 'has no zone; name it'), 'local': ('timestamp', 'has a zone; name none'), 'date': ('date', 'is no date, as it is')} %}
{%- if time.kind in kinds %}
    AND CAST(CASE WHEN pg_typeof({{ time.column }}) = CAST('{{ kinds[time.kind][0] }}' AS regtype) THEN 'true'
      ELSE 'mauwatch: the time column {{ kinds[time.kind][1] }} in the manifest' END AS boolean)
{%- endif %}
{%- endmacro %}
{%- macro text(column) -%}{{ plain(column) }}{%- endmacro %}

{%- set stages = ['stripped', 'folded', 'canonical', 'composed', 'somebody'] %}
{%- set space = "concat(' ', chr(9), chr(10), chr(11), chr(12), chr(13))" %}
{%- macro stripped(x, kind, nobody) -%}btrim({{ x }}, {{ space }}){%- endmacro %}
{%- macro folded(x, kind, nobody) -%}
{#- Where engines differ by what stands around a letter, the protocol says what becomes of it: Σ, ς and İ. -#}
{% if kind == 'email' %}lower(replace(replace(replace({{ x }}, 'Σ', 'σ'), 'ς', 'σ'), 'İ', concat('i', chr(775)))){% else %}{{ x }}{% endif %}
{%- endmacro %}
{%- macro canonical(x, kind, nobody) -%}
{% if kind == 'email' -%}
CASE WHEN right({{ x }}, 10) = '@gmail.com' THEN {{ gmail(x, 10) }} WHEN right({{ x }}, 15) = '@googlemail.com' THEN {{ gmail(x, 15) }} ELSE {{ x }} END
{%- elif kind == 'phone' -%}
CASE WHEN {{ x }} ~ '^[+][1-9][0-9]{6,14}$' THEN {{ x }} END
{%- else -%}
CASE WHEN {{ x }} ~ {{ pattern(forms.LOST_DIGITS) }} THEN {{ mark() }}
{%- if kind == 'integer' %} WHEN {{ x }} ~ {{ pattern(forms.INTEGER) }} THEN regexp_replace({{ x }}, {{ pattern(forms.INTEGER) }}, '\1\2')
{%- elif kind == 'hex' %} WHEN {{ digits(x) }} ~ {{ pattern(forms.HEX) }} THEN regexp_replace({{ digits(x) }}, {{ pattern(forms.HEX) }}, '\1')
{%- elif kind in ('uuid', 'recognised') %} WHEN {{ uuid(x) }} ~ {{ pattern(forms.UUID) }} THEN regexp_replace({{ uuid(x) }}, {{ pattern(forms.UUID) }}, '\1-\2-\3-\4-\5')
{%- endif %}
{%- if kind == 'recognised' %} WHEN {{ x }} ~ {{ pattern(forms.LONG_HEX) }} THEN lower({{ x }}) ELSE regexp_replace({{ x }}, {{ pattern(forms.WITH_POINT) }}, '\1')
{%- else %} ELSE {{ x }}
{%- endif %} END
{%- endif %}
{%- endmacro %}
{%- macro mark() -%}chr(2){%- endmacro %}
{%- macro refused(text, namespace) -%}
CAST(CAST(concat('{{ text }}', {{ namespace }}) AS boolean) AS text)
{%- endmacro %}
{%- macro digits(x) -%}replace(replace(lower({{ x }}), ':', ''), '-', ''){%- endmacro %}
{%- macro uuid(x) -%}regexp_replace(lower({{ x }}), '^urn:uuid:', ''){%- endmacro %}
{%- macro gmail(x, length) -%}
concat(ltrim(replace(split_part(left({{ x }}, char_length({{ x }}) - {{ length }}), '+', 1), '.', ''), {{ space }}), '@gmail.com')
{%- endmacro %}
{%- macro composed(x, kind, nobody) -%}{% if kind == 'phone' %}{{ x }}{% else %}normalize({{ x }}, NFC){% endif %}{%- endmacro %}
{%- set shapes = {'uuid': '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$', 'integer': '^-?[0-9]+$', 'hex': '^[0-9a-f]+$'} %}
{%- macro somebody(x, kind, nobody) -%}
CASE WHEN lower({{ x }}) IN ('', {{ placeholders }}{% if nobody %}, {{ texts(nobody) }}{% endif %}) OR btrim({{ x }}, {{ no_name_signs }}) = '' THEN NULL
{%- if kind in shapes %} WHEN NOT {{ x }} ~ '{{ shapes[kind] }}' THEN {{ mark() }}{% endif %} ELSE {{ x }} END
{%- endmacro %}

{%- macro usable(x) -%}{{ x }}{%- endmacro %}
{%- macro hmac(namespace, identifier) -%}
substr(encode(sha256(opad || sha256(ipad || convert_to(concat({{ namespace }}, chr(31), {{ identifier }}), 'UTF8'))), 'hex'), 1, 16)
{%- endmacro %}
{%- macro sketch(key) -%}CAST(hll_sketch_build({{ key }}, {{ lg_k }}) AS bytea){%- endmacro %}
{%- macro coupon(sketch) -%}encode(substr({{ sketch }}, 9, 4), 'hex'){%- endmacro %}
{%- macro binary(hex) -%}decode('{{ hex }}', 'hex'){%- endmacro %}
{#- With the columns' collation: convert_from would hand on that of its second argument, in which lower() knows ASCII alone. -#}
{%- macro utf8(x) -%}convert_from(decode({{ x }}, 'hex'), 'UTF8') COLLATE "default"{%- endmacro %}
{%- macro rows(name, columns, rows) -%}
(VALUES
{%- for row in rows %}
    ({% for cell in row %}{{ cell }}{% if not loop.last %}, {% endif %}{% endfor %}){% if not loop.last %},{% endif %}
{%- endfor %}
  ) AS {{ name }}_rows({{ columns | join(', ') }})
{%- endmacro %}
{%- macro date(x) -%}CAST({{ x }} AS DATE){%- endmacro %}
{%- macro bigint(x) -%}CAST({{ x }} AS bigint){%- endmacro %}
{%- macro now() -%}clock_timestamp(){%- endmacro %}
{%- macro producer() -%}concat('{{ title }} ', current_setting('server_version'), ', mauwatch {{ version }}'){%- endmacro %}
