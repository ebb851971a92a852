#!/usr/bin/env bash
# A filter's answer on the same rows depends on which library wrote the Parquet file.
#
# Versions: duckdb 2.0.0, polars 2.1.0, pyarrow 26.0.1.
# Input: a column of two floats, 0.1 and NaN, in memory and as Parquet files by three writers. Condition: x > 1.
# Expected: one row everywhere, or none everywhere. DuckDB and polars both order NaN above all numbers: one row.
# Behaviour: DuckDB finds the row in memory and in its own file. Writers that leave NaN out of a file's statistics, as the
#   format asks, note a maximum of 0.1; DuckDB takes that for the greatest value and skips the rows. polars finds the row.
#   So of the same file, `count(*) ... WHERE x > 1` is 0, and `count(*) FILTER (WHERE x > 1)` is 1.
# Output seen:
#   duckdb 2.0.0, polars 2.1.0, pyarrow 26.0.1
#   rows             duckdb WHERE  duckdb FILTER  polars filter
#   in memory                   1              1              1
#   duckdb.parquet              1              1              1
#   polars.parquet              0              1              1
#   pyarrow.parquet             0              1              1
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check duckdb==2.0.0 polars==2.1.0 pyarrow==26.0.1
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import sys
from importlib.metadata import version

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

rows = pa.table({"x": [0.1, float("nan")]})
duckdb.sql("COPY rows TO 'duckdb.parquet'")
pl.from_arrow(rows).write_parquet("polars.parquet")
pq.write_table(rows, "pyarrow.parquet")


def by_duckdb(query):
    return duckdb.sql(query).fetchall()[0][0]


print(", ".join(f"{name} {version(name)}" for name in ("duckdb", "polars", "pyarrow")))
print(f"{'rows':15}  duckdb WHERE  duckdb FILTER  polars filter")
seen = {}
for name in ("in memory", "duckdb.parquet", "polars.parquet", "pyarrow.parquet"):
    table, frame = ("rows", pl.from_arrow(rows).lazy()) if name == "in memory" else (f"'{name}'", pl.scan_parquet(name))
    seen[name] = (
        by_duckdb(f"SELECT count(*) FROM {table} WHERE x > 1"),
        by_duckdb(f"SELECT count(*) FILTER (WHERE x > 1) FROM {table}"),
        frame.filter(pl.col("x") > 1).collect().height,
    )
    print(f"{name:15}  {seen[name][0]:12}  {seen[name][1]:13}  {seen[name][2]:13}")
if seen != {"in memory": (1, 1, 1), "duckdb.parquet": (1, 1, 1), "polars.parquet": (0, 1, 1), "pyarrow.parquet": (0, 1, 1)}:
    sys.exit("The behaviour has changed.")
print("As noted: DuckDB skips a NaN that its own order puts above the limit.")
EOF
