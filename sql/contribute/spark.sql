{#- Spark 3.5 and later, and Databricks, whose SQL is Spark's. No NFC until Spark 4.4: identifiers outside ASCII count apart. -#}
{%- macro notes() -%}
-- Identifiers outside ASCII aren't counted but reported (`v1 ascii`); of phone numbers, only those in E.164 count.
{%- if engine == 'databricks' %}
-- The key: `databricks secrets put-secret mauwatch group-key-{{ epoch }}` (scope, key); the query asks for it by name, and
-- neither its text nor the history holds it. Whoever may read the scope, or change this query, can read the key.
{%- else %}
-- The key: a temporary view of one row, made by the program that runs this, of the secret it has read from a secret store:
--   spark.createDataFrame([(secret,)], "k string").createOrReplaceTempView("mauwatch_group_key")
-- A bound parameter would show in `explain` and in the history server; a row of a local relation doesn't.
{%- endif %}
-- Save the rows as Parquet; with spark.sql.parquet.outputTimestampType = TIMESTAMP_MICROS or the default, both are read:
{%- if engine == 'databricks' %}
--   CREATE TABLE … USING parquet LOCATION '…' AS
{%- else %}
--   spark.sql(this).coalesce(1).write.parquet("contribution")
{%- endif %}
{%- endmacro %}

{%- macro set_up() -%}{%- endmacro %}

{%- macro group_key() -%}
{% if engine == 'databricks' and not test_key -%}
group_key AS ({{ pads("secret('mauwatch', 'group-key-" ~ epoch ~ "')") }}),
{%- elif test_key -%}
group_key AS ({{ pads("'" ~ test_key ~ "'") }}),
{%- else -%}
group_key AS ({{ pads('k') }} FROM mauwatch_group_key),
{%- endif %}
{%- if not test_key %}
-- Times are told in the session's zone, so that must be one that shifts nothing; and texts are compared by its collation.
session AS (SELECT CASE WHEN 'a' IN ('A', 'a ', 'á') THEN raise_error('mauwatch: SET COLLATION UTF8_BINARY before this query')
  WHEN current_timezone() IN ('UTC', 'Etc/UTC', 'Z', '+00:00') THEN 'UTC'
  ELSE raise_error('mauwatch: SET TIME ZONE ''UTC'' before this query') END AS zone)
{%- else %}
session AS (SELECT 'UTC' AS zone)
{%- endif %}
{%- endmacro %}

{#- HMAC's inner and outer pad: the 64 bytes of the key, each xor 0x36 and 0x5c. -#}
{%- macro pads(key) -%}
SELECT {{ pad(key, 54) }} AS ipad, {{ pad(key, 92) }} AS opad
{%- endmacro %}
{%- macro pad(key, byte) -%}
unhex(array_join(transform(sequence(1, 64), i -> lpad(hex(ascii(substr({{ key }}, i, 1)) ^ {{ byte }}), 2, '0')), ''))
{%- endmacro %}

{%- macro instant() -%}
{% if time.kind == 'epoch' -%}
{#- As BIGINT: a column of INT would overflow, and without spark.sql.ansi.enabled silently. -#}
timestamp_micros({{ {'s': 'CAST(%s AS BIGINT) * 1000000', 'ms': 'CAST(%s AS BIGINT) * 1000', 'us': 'CAST(%s AS BIGINT)', 'ns': 'CAST(%s AS BIGINT) DIV 1000'}[time.unit] | format(time.column) }})
{%- elif time.kind == 'local' -%}
to_utc_timestamp({{ time.column }}, '{{ time.zone }}')
{%- else -%}
CASE WHEN typeof({{ time.column }}) = 'timestamp' THEN {{ time.column }}
  ELSE raise_error('mauwatch: the time column has no zone; name it in the manifest') END
{%- endif %}
{%- endmacro %}
{%- macro day() -%}
{% if time.kind == 'date' %}CASE WHEN typeof({{ time.column }}) = 'date' THEN {{ time.column }}
  ELSE raise_error('mauwatch: the time column is no date, as the manifest has it') END{% else %}to_date(from_utc_timestamp({{ instant() }}, '{{ zone }}')){% endif %}
{%- endmacro %}
{%- macro period(day) -%}{% if grain == 'month' %}trunc({{ day }}, 'MM'){% else %}{{ day }}{% endif %}{%- endmacro %}
{%- macro between() -%}
{{ day() }} BETWEEN DATE '{{ first }}' AND DATE '{{ last }}'
{%- if time.kind == 'instant' %}
    AND {{ time.column }} >= TIMESTAMP '{{ since }}+00:00' AND {{ time.column }} < TIMESTAMP '{{ until }}+00:00'
{%- endif %}
    AND (SELECT zone FROM session) = 'UTC'
{%- endmacro %}
{%- macro text(column) -%}{{ plain(column) }}{%- endmacro %}

{%- set stages = ['stripped', 'folded', 'canonical', 'somebody'] %}
{%- set space = "concat(' ', chr(9), chr(10), chr(11), chr(12), chr(13))" %}
{%- macro stripped(x, kind, nobody) -%}
btrim({{ x }}, {{ space }})
{%- endmacro %}
{%- macro folded(x, kind, nobody) -%}
{#- What isn't ASCII is marked: its event is nobody's, and not that of its next column, which may be many people's. -#}
CASE WHEN octet_length({{ x }}) = char_length({{ x }}) THEN {% if kind == 'email' %}lower({{ x }}){% else %}{{ x }}{% endif %} WHEN {{ x }} IS NOT NULL THEN chr(1) END
{%- endmacro %}
{%- macro canonical(x, kind, nobody) -%}
{% if kind == 'email' -%}
CASE WHEN endswith({{ x }}, '@gmail.com') THEN {{ gmail(x, 10) }} WHEN endswith({{ x }}, '@googlemail.com') THEN {{ gmail(x, 15) }} ELSE {{ x }} END
{%- elif kind == 'phone' -%}
CASE WHEN {{ x }} RLIKE '^[+][1-9][0-9]{6,14}$' OR {{ x }} = chr(1) THEN {{ x }} END
{%- else -%}
CASE WHEN {{ x }} RLIKE {{ pattern(forms.LOST_DIGITS) }} THEN {{ mark() }}
{%- if kind == 'integer' %} WHEN {{ x }} RLIKE {{ pattern(forms.INTEGER) }} THEN regexp_replace({{ x }}, {{ pattern(forms.INTEGER) }}, '$1$2')
{%- elif kind == 'hex' %} WHEN {{ digits(x) }} RLIKE {{ pattern(forms.HEX) }} THEN regexp_replace({{ digits(x) }}, {{ pattern(forms.HEX) }}, '$1')
{%- elif kind in ('uuid', 'recognised') %} WHEN {{ uuid(x) }} RLIKE {{ pattern(forms.UUID) }} THEN regexp_replace({{ uuid(x) }}, {{ pattern(forms.UUID) }}, '$1-$2-$3-$4-$5')
{%- endif %}
{%- if kind == 'recognised' %} WHEN {{ x }} RLIKE {{ pattern(forms.LONG_HEX) }} THEN lower({{ x }}) ELSE regexp_replace({{ x }}, {{ pattern(forms.WITH_POINT) }}, '$1')
{%- else %} ELSE {{ x }}
{%- endif %} END
{%- endif %}
{%- endmacro %}
{%- macro mark() -%}chr(2){%- endmacro %}
{%- macro refused(text, namespace) -%}
raise_error(concat('{{ text }}', {{ namespace }}))
{%- endmacro %}
{%- macro digits(x) -%}replace(replace(lower({{ x }}), ':', ''), '-', ''){%- endmacro %}
{%- macro uuid(x) -%}regexp_replace(lower({{ x }}), '^urn:uuid:', ''){%- endmacro %}
{%- macro gmail(x, length) -%}
concat(trim(LEADING {{ space }} FROM replace(substring_index(left({{ x }}, char_length({{ x }}) - {{ length }}), '+', 1), '.', '')), '@gmail.com')
{%- endmacro %}
{%- set shapes = {'uuid': '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$', 'integer': '^-?[0-9]+$', 'hex': '^[0-9a-f]+$'} %}
{%- macro somebody(x, kind, nobody) -%}
CASE WHEN lower({{ x }}) IN ('', {{ placeholders }}{% if nobody %}, {{ texts(nobody) }}{% endif %}) OR btrim({{ x }}, {{ no_name_signs }}) = '' THEN NULL
{%- if kind in shapes %} WHEN {{ x }} <> chr(1) AND NOT {{ x }} RLIKE '{{ shapes[kind] }}' THEN {{ mark() }}{% endif %} ELSE {{ x }} END
{%- endmacro %}

{%- macro usable(x) -%}NULLIF({{ x }}, chr(1)){%- endmacro %}
{%- macro hmac(namespace, identifier) -%}
substr(sha2(concat(opad, unhex(sha2(concat(ipad, encode(concat({{ namespace }}, chr(31), {{ identifier }}), 'UTF-8')), 256))), 256), 1, 16)
{%- endmacro %}
{%- macro sketch(key) -%}hll_sketch_agg({{ key }}, {{ lg_k }}){%- endmacro %}
{%- macro coupon(sketch) -%}lower(hex(substr({{ sketch }}, 9, 4))){%- endmacro %}
{%- macro binary(hex) -%}unhex('{{ hex }}'){%- endmacro %}
{%- macro utf8(x) -%}decode(unhex({{ x }}), 'UTF-8'){%- endmacro %}
{%- macro rows(name, columns, rows) -%}
VALUES
{%- for row in rows %}
    ({% for cell in row %}{{ cell }}{% if not loop.last %}, {% endif %}{% endfor %}){% if not loop.last %},{% endif %}
{%- endfor %}
    AS {{ name }}_rows({{ columns | join(', ') }})
{%- endmacro %}
{%- macro date(x) -%}CAST({{ x }} AS DATE){%- endmacro %}
{%- macro bigint(x) -%}CAST({{ x }} AS BIGINT){%- endmacro %}
{%- macro now() -%}current_timestamp(){%- endmacro %}
{%- macro producer() -%}concat('{{ title }} ', split(version(), ' ')[0], ', mauwatch {{ version }}'){%- endmacro %}
