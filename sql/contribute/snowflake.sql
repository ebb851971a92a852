{#- Snowflake: SQL has neither NFC nor HMAC, so both are functions in Python, one of which holds the key. -#}
{%- macro notes() -%}
-- Of phone numbers, only those in E.164 count.
-- The key: a SECRET, which only the function's handler reads; no query text or history holds it. Once, by who owns the secret:
--   CREATE SECRET mauwatch_group_key_{{ epoch | replace('-', '_') | replace('.', '_') }} TYPE = GENERIC_STRING SECRET_STRING = '…'  -- in a worksheet whose history is yours alone
--   a network rule and an EXTERNAL ACCESS INTEGRATION `mauwatch_nowhere`, which functions with a secret need and which allows no host,
--   then the two functions below. Who may change a function that has the secret can read the key: keep its owner apart.
-- Save the rows: COPY INTO @stage/contribution FROM (…) FILE_FORMAT = (TYPE = PARQUET) HEADER = TRUE; sketches that come out as
-- hex text are read too.
{{ set_up() }}
{%- endmacro %}
{%- macro set_up() -%}
CREATE OR REPLACE TEMPORARY FUNCTION mauwatch_normalised(kind STRING, nobody STRING, identifier STRING)
RETURNS STRING LANGUAGE PYTHON RUNTIME_VERSION = '3.11' IMMUTABLE HANDLER = 'normalised' AS
$$
import json, re, unicodedata

SPACE = " \t\n\r\x0b\x0c"
NOBODY = {{ placeholder_set }}
SIGNS = {{ json(signs) }}

def in_form(kind, text):
    if re.match("{{ forms.LOST_DIGITS }}", text):
        return chr(2)
    if kind == "integer":
        return re.sub("{{ forms.INTEGER }}", r"\1\2", text)
    if kind == "hex":
        digits = re.match("{{ forms.HEX }}", text.lower().replace(":", "").replace("-", ""))
        return digits[1] if digits else text
    if kind in ("uuid", "recognised"):
        uuid = re.match("{{ forms.UUID }}", re.sub("^urn:uuid:", "", text.lower()))
        if uuid:
            return "-".join(uuid.groups())
    if kind == "recognised":
        return text.lower() if re.match("{{ forms.LONG_HEX }}", text) else re.sub("{{ forms.WITH_POINT }}", r"\1", text)
    return text

SHAPES = {"uuid": "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", "integer": "^-?[0-9]+$", "hex": "^[0-9a-f]+$"}

def normalised(kind, nobody, identifier):
    if identifier is None:
        return None
    text = identifier.strip(SPACE)
    if kind == "email":
        text = text.replace("\u03a3", "\u03c3").replace("\u03c2", "\u03c3").lower()
        for domain in ("@gmail.com", "@googlemail.com"):
            if text.endswith(domain):
                text = text[: -len(domain)].split("+")[0].replace(".", "").lstrip(SPACE) + "@gmail.com"
                break
    elif kind == "phone":
        if not re.fullmatch("[+][1-9][0-9]{6,14}", text):
            return None
    else:
        text = in_form(kind, text)
    text = unicodedata.normalize("NFC", text)
    if not text.strip(SIGNS) or text.lower() in NOBODY or text.lower() in json.loads(nobody):
        return None
    return chr(2) if kind in SHAPES and not re.match(SHAPES[kind], text) else text
$$;
CREATE OR REPLACE TEMPORARY FUNCTION mauwatch_person_key(namespace STRING, identifier STRING)
RETURNS STRING LANGUAGE PYTHON RUNTIME_VERSION = '3.11' HANDLER = 'person_key'
{%- if not test_key %}
EXTERNAL_ACCESS_INTEGRATIONS = (mauwatch_nowhere) SECRETS = ('group_key' = mauwatch_group_key_{{ epoch | replace('-', '_') | replace('.', '_') }})
{%- endif %} AS
$$
import hashlib, hmac
{% if test_key %}
KEY = b"{{ test_key }}"
{% else %}
import _snowflake

KEY = _snowflake.get_generic_secret_string("group_key").strip().encode("ascii")
{% endif %}
def person_key(namespace, identifier):
    if identifier == chr(2):
        raise ValueError(namespace)
    message = namespace + chr(31) + identifier
    return hmac.new(KEY, message.encode("utf-8"), hashlib.sha256).hexdigest()[:16]
$$;
{%- endmacro %}

{%- macro group_key() -%}
group_key AS (SELECT 1 AS present)
{%- endmacro %}

{%- macro day() -%}
{% if time.kind == 'date' -%}
CAST({{ time.column }} AS DATE)
{%- elif time.kind == 'epoch' -%}
CAST(CONVERT_TIMEZONE('UTC', '{{ zone }}', TO_TIMESTAMP_NTZ({{ time.column }}, {{ {'s': 0, 'ms': 3, 'us': 6, 'ns': 9}[time.unit] }})) AS DATE)
{%- elif time.kind == 'local' -%}
CAST(CONVERT_TIMEZONE('{{ time.zone }}', '{{ zone }}', {{ time.column }}) AS DATE)
{%- else -%}
CAST(CONVERT_TIMEZONE('{{ zone }}', {{ time.column }}) AS DATE)
{%- endif %}
{%- endmacro %}
{%- macro period(day) -%}{% if grain == 'month' %}CAST(DATE_TRUNC('MONTH', {{ day }}) AS DATE){% else %}{{ day }}{% endif %}{%- endmacro %}
{%- macro between() -%}
{{ day() }} BETWEEN DATE '{{ first }}' AND DATE '{{ last }}'
{%- if time.kind == 'instant' %}
    AND {{ time.column }} >= CAST('{{ since }} +0000' AS TIMESTAMP_TZ) AND {{ time.column }} < CAST('{{ until }} +0000' AS TIMESTAMP_TZ)
    AND CAST(CASE WHEN SYSTEM$TYPEOF({{ time.column }}) NOT LIKE 'TIMESTAMP_NTZ%' THEN 'true'
      ELSE 'mauwatch: the time column has no zone; name it in the manifest' END AS BOOLEAN)
{%- endif %}
{%- endmacro %}
{%- macro text(column) -%}CAST({{ column }} AS VARCHAR){%- endmacro %}

{%- set stages = ['somebody'] %}
{%- macro somebody(x, kind, nobody) -%}mauwatch_normalised('{{ kind }}', {{ texts([json(nobody)]) }}, {{ x }}){%- endmacro %}
{%- macro mark() -%}CHR(2){%- endmacro %}
{%- macro refused(text, namespace) -%}mauwatch_person_key(CONCAT('{{ text }}', {{ namespace }}), CHR(2)){%- endmacro %}
{%- macro usable(x) -%}{{ x }}{%- endmacro %}
{%- macro hmac(namespace, identifier) -%}mauwatch_person_key({{ namespace }}, {{ identifier }}){%- endmacro %}
{%- macro sketch(key) -%}DATASKETCHES_HLL_ACCUMULATE({{ key }}, {{ lg_k }}){%- endmacro %}
{%- macro coupon(sketch) -%}LOWER(HEX_ENCODE(SUBSTR({{ sketch }}, 9, 4))){%- endmacro %}
{%- macro binary(hex) -%}TO_BINARY('{{ hex }}', 'HEX'){%- endmacro %}
{%- macro utf8(x) -%}HEX_DECODE_STRING({{ x }}){%- endmacro %}
{%- macro rows(name, columns, rows) -%}
(
{%- for row in rows %}
    {{ 'SELECT' if loop.first else 'UNION ALL SELECT' }} {% for cell in row %}{{ cell }} AS {{ columns[loop.index0] }}{% if not loop.last %}, {% endif %}{% endfor %}
{%- endfor %}
  ) AS {{ name }}_rows
{%- endmacro %}
{%- macro date(x) -%}CAST({{ x }} AS DATE){%- endmacro %}
{%- macro bigint(x) -%}CAST({{ x }} AS BIGINT){%- endmacro %}
{%- macro now() -%}SYSDATE(){%- endmacro %}
{%- macro producer() -%}CONCAT('{{ title }} ', CURRENT_VERSION(), ', mauwatch {{ version }}'){%- endmacro %}
