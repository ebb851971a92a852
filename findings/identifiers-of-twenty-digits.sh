#!/usr/bin/env bash
# Which of two engines takes five people for one depends on whether their numbers come as CSV or as JSON lines.
#
# Versions: duckdb 2.0.0, chdb 4.4.0 (with chdb-core 26.9.0), polars 2.1.0.
# Input: the five identifiers 18446744073709551616 to ...620 (2^64 and on, twenty digits), once as CSV, once as JSON lines.
# Expected: five, or a text column, or an error.
# Behaviour: DuckDB has an exact type for them and uses it for CSV, but reads JSON into DOUBLE: one person.
#   ClickHouse keeps them as text from JSON, but reads CSV into Float64: one person. polars is exact in both.
#   No error, no warning; 19 digits are right everywhere.
# Output seen:
#   duckdb 2.0.0, chdb 4.4.0, polars 2.1.0
#           CSV                  JSON lines
#   duckdb  5 as HUGEINT         1 as DOUBLE
#   chdb    1 as Float64         5 as String
#   polars  5 as Int128          5 as Int128
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
  duckdb==2.0.0 chdb==4.4.0 chdb-core==26.9.0 polars==2.1.0 pyarrow==26.0.1
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import json
import sys
from importlib.metadata import version
from pathlib import Path

import chdb
import duckdb
import polars as pl

numbers = range(2**64, 2**64 + 5)
Path("people.csv").write_text("person,day\n" + "".join(f"{number},1\n" for number in numbers))
Path("people.jsonl").write_text("".join(json.dumps({"person": number, "day": 1}) + "\n" for number in numbers))


def by_duckdb(file):
    return duckdb.sql(f"SELECT count(DISTINCT person), any_value(typeof(person)) FROM '{file}'").fetchall()[0]


def by_chdb(file):
    query = f"SELECT uniqExact(person), replaceRegexpOne(any(toTypeName(person)), 'Nullable.(.*).', '\\\\1') FROM file('{file}')"
    count, kind = json.loads(str(chdb.query(query, "JSONCompactEachRow")))
    return int(count), kind


def by_polars(file):
    people = (pl.read_csv(file) if file.endswith("csv") else pl.read_ndjson(file))["person"]
    return people.n_unique(), str(people.dtype)


print(", ".join(f"{name} {version(name)}" for name in ("duckdb", "chdb", "polars")))
print(f"{'':6}  {'CSV':19}  JSON lines")
seen = {}
for name, count in {"duckdb": by_duckdb, "chdb": by_chdb, "polars": by_polars}.items():
    seen[name] = (count("people.csv"), count("people.jsonl"))
    print(f"{name:6}  {'{} as {}'.format(*seen[name][0]):19}  {'{} as {}'.format(*seen[name][1])}")
if seen != {
    "duckdb": ((5, "HUGEINT"), (1, "DOUBLE")),
    "chdb": ((1, "Float64"), (5, "String")),
    "polars": ((5, "Int128"), (5, "Int128")),
}:
    sys.exit("The behaviour has changed.")
print("As noted: five people are one in DuckDB's JSON and in ClickHouse's CSV.")
EOF
