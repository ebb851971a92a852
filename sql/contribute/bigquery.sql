{#- BigQuery; the sketch is Apache DataSketches' own function there (dataset bqutil.datasketches), not HLL_COUNT, which is another sketch. -#}
{%- macro notes() -%}
-- Of phone numbers, only those in E.164 count. HLL_COUNT.INIT makes sketches of another kind: they can't be united with these.
-- The key: encrypted by Cloud KMS, in a table of one row that this query names; only who may use the KMS key can decrypt it,
-- and neither the query's text nor its history holds it:
--   CREATE TABLE mauwatch.group_key_{{ epoch }} (first_level_keyset BYTES, ciphertext BYTES)  -- AEAD.ENCRYPT(keyset chain, secret, 'mauwatch')
-- A query parameter would be kept with the job, and a literal with its text.
-- Save the rows: EXPORT DATA OPTIONS (uri = 'gs://…/contribution-*.parquet', format = 'PARQUET') AS …
{%- endmacro %}
{%- macro set_up() -%}{%- endmacro %}

{%- macro group_key() -%}
{% if test_key -%}
group_key AS ({{ pads("'" ~ test_key ~ "'") }})
{%- else -%}
secret AS (
  SELECT AEAD.DECRYPT_STRING(
    KEYS.KEYSET_CHAIN('gcp-kms://projects/…/locations/…/keyRings/…/cryptoKeys/…', first_level_keyset), ciphertext, 'mauwatch') AS k
  FROM mauwatch.group_key_{{ epoch }}
),
group_key AS ({{ pads('k') }} FROM secret)
{%- endif %}
{%- endmacro %}

{%- macro pads(key) -%}
SELECT CAST({{ key }} AS BYTES) ^ REPEAT(b'\x36', 64) AS ipad, CAST({{ key }} AS BYTES) ^ REPEAT(b'\x5c', 64) AS opad
{%- endmacro %}

{%- macro day() -%}
{% if time.kind == 'date' -%}
{{ time.column }}
{%- elif time.kind == 'epoch' -%}
DATE({{ {'s': 'TIMESTAMP_SECONDS(%s)', 'ms': 'TIMESTAMP_MILLIS(%s)', 'us': 'TIMESTAMP_MICROS(%s)', 'ns': 'TIMESTAMP_MICROS(DIV(%s, 1000))'}[time.unit] | format(time.column) }}, '{{ zone }}')
{%- elif time.kind == 'local' -%}
DATE(TIMESTAMP({{ time.column }}, '{{ time.zone }}'), '{{ zone }}')
{%- else -%}
DATE({{ time.column }}, '{{ zone }}')
{%- endif %}
{%- endmacro %}
{%- macro period(day) -%}{% if grain == 'month' %}DATE_TRUNC({{ day }}, MONTH){% else %}{{ day }}{% endif %}{%- endmacro %}
{%- macro between() -%}
{{ day() }} BETWEEN DATE '{{ first }}' AND DATE '{{ last }}'
{%- if time.kind == 'instant' %}
    AND {{ time.column }} >= TIMESTAMP '{{ since }}+00:00' AND {{ time.column }} < TIMESTAMP '{{ until }}+00:00'
{%- endif %}
{%- endmacro %}
{%- macro text(column) -%}{{ plain(column) }}{%- endmacro %}

{%- set stages = ['stripped', 'folded', 'canonical', 'composed', 'somebody'] %}
{%- macro stripped(x, kind, nobody) -%}TRIM({{ x }}, ' \t\n\r\v\f'){%- endmacro %}
{%- macro folded(x, kind, nobody) -%}
{#- Where engines differ by what stands around a letter, the protocol says what becomes of it: Σ, ς and İ. -#}
{% if kind == 'email' %}LOWER(REPLACE(REPLACE(REPLACE({{ x }}, 'Σ', 'σ'), 'ς', 'σ'), 'İ', CONCAT('i', CODE_POINTS_TO_STRING([775])))){% else %}{{ x }}{% endif %}
{%- endmacro %}
{%- macro canonical(x, kind, nobody) -%}
{% if kind == 'email' -%}
CASE WHEN ENDS_WITH({{ x }}, '@gmail.com') THEN {{ gmail(x, 10) }} WHEN ENDS_WITH({{ x }}, '@googlemail.com') THEN {{ gmail(x, 15) }} ELSE {{ x }} END
{%- elif kind == 'phone' -%}
CASE WHEN REGEXP_CONTAINS({{ x }}, r'^[+][1-9][0-9]{6,14}$') THEN {{ x }} END
{%- else -%}
CASE WHEN REGEXP_CONTAINS({{ x }}, {{ pattern(forms.LOST_DIGITS) }}) THEN {{ mark() }}
{%- if kind == 'integer' %} WHEN REGEXP_CONTAINS({{ x }}, {{ pattern(forms.INTEGER) }}) THEN REGEXP_REPLACE({{ x }}, {{ pattern(forms.INTEGER) }}, r'\1\2')
{%- elif kind == 'hex' %} WHEN REGEXP_CONTAINS({{ digits(x) }}, {{ pattern(forms.HEX) }}) THEN REGEXP_REPLACE({{ digits(x) }}, {{ pattern(forms.HEX) }}, r'\1')
{%- elif kind in ('uuid', 'recognised') %} WHEN REGEXP_CONTAINS({{ uuid(x) }}, {{ pattern(forms.UUID) }}) THEN REGEXP_REPLACE({{ uuid(x) }}, {{ pattern(forms.UUID) }}, r'\1-\2-\3-\4-\5')
{%- endif %}
{%- if kind == 'recognised' %} WHEN REGEXP_CONTAINS({{ x }}, {{ pattern(forms.LONG_HEX) }}) THEN LOWER({{ x }}) ELSE REGEXP_REPLACE({{ x }}, {{ pattern(forms.WITH_POINT) }}, r'\1')
{%- else %} ELSE {{ x }}
{%- endif %} END
{%- endif %}
{%- endmacro %}
{%- macro mark() -%}CODE_POINTS_TO_STRING([2]){%- endmacro %}
{%- macro refused(text, namespace) -%}
ERROR(CONCAT('{{ text }}', {{ namespace }}))
{%- endmacro %}
{%- macro digits(x) -%}REPLACE(REPLACE(LOWER({{ x }}), ':', ''), '-', ''){%- endmacro %}
{%- macro uuid(x) -%}REGEXP_REPLACE(LOWER({{ x }}), '^urn:uuid:', ''){%- endmacro %}
{%- macro gmail(x, length) -%}
CONCAT(LTRIM(REPLACE(SPLIT(LEFT({{ x }}, CHAR_LENGTH({{ x }}) - {{ length }}), '+')[OFFSET(0)], '.', ''), ' \t\n\r\v\f'), '@gmail.com')
{%- endmacro %}
{%- macro composed(x, kind, nobody) -%}{% if kind == 'phone' %}{{ x }}{% else %}NORMALIZE({{ x }}, NFC){% endif %}{%- endmacro %}
{%- set shapes = {'uuid': '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$', 'integer': '^-?[0-9]+$', 'hex': '^[0-9a-f]+$'} %}
{%- macro somebody(x, kind, nobody) -%}
CASE WHEN LOWER({{ x }}) IN ('', {{ placeholders }}{% if nobody %}, {{ texts(nobody) }}{% endif %}) OR TRIM({{ x }}, {{ no_name_signs }}) = '' THEN NULL
{%- if kind in shapes %} WHEN NOT REGEXP_CONTAINS({{ x }}, '{{ shapes[kind] }}') THEN {{ mark() }}{% endif %} ELSE {{ x }} END
{%- endmacro %}

{%- macro usable(x) -%}{{ x }}{%- endmacro %}
{%- macro hmac(namespace, identifier) -%}
SUBSTR(TO_HEX(SHA256(CONCAT(opad, SHA256(CONCAT(ipad, CAST(CONCAT({{ namespace }}, CODE_POINTS_TO_STRING([31]), {{ identifier }}) AS BYTES)))))), 1, 16)
{%- endmacro %}
{%- macro sketch(key) -%}
bqutil.datasketches.hll_sketch_agg_string_lgk_type({{ key }}, STRUCT<lg_k BYTEINT, tgt_type STRING>({{ lg_k }}, 'HLL_4'))
{%- endmacro %}
{%- macro coupon(sketch) -%}TO_HEX(SUBSTR({{ sketch }}, 9, 4)){%- endmacro %}
{%- macro binary(hex) -%}FROM_HEX('{{ hex }}'){%- endmacro %}
{%- macro utf8(x) -%}SAFE_CONVERT_BYTES_TO_STRING(FROM_HEX({{ x }})){%- endmacro %}
{%- macro rows(name, columns, rows) -%}
UNNEST([
{%- for row in rows %}
    STRUCT({% for cell in row %}CAST({{ cell }} AS STRING) AS {{ columns[loop.index0] }}{% if not loop.last %}, {% endif %}{% endfor %}){% if not loop.last %},{% endif %}
{%- endfor %}
  ]) AS {{ name }}_rows
{%- endmacro %}
{%- macro date(x) -%}CAST({{ x }} AS DATE){%- endmacro %}
{%- macro bigint(x) -%}CAST({{ x }} AS INT64){%- endmacro %}
{%- macro now() -%}CURRENT_TIMESTAMP(){%- endmacro %}
{%- macro producer() -%}'{{ title }}, mauwatch {{ version }}'{%- endmacro %}
