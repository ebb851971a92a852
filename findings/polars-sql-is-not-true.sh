#!/usr/bin/env bash
# `WHERE bot IS NOT TRUE` keeps rows whose `bot` is unknown in DuckDB, SQLite and ClickHouse, and drops them in polars' SQL.
#
# Versions: polars 2.1.0, duckdb 2.0.0, chdb 4.4.0 (with chdb-core 26.9.0); SQLite as Python has it.
# Input: three rows, whose column `bot` is true, false and null.
# Expected: `IS TRUE` and `IS NOT TRUE` never give null; that is what sets them apart from `= true`. So IS NOT TRUE keeps two.
# Behaviour: polars' SQL answers null for null, and WHERE drops the row: one is kept. `IS DISTINCT FROM TRUE` keeps two.
#   The same by pl.sql_expr. No error, no warning.
# Output seen:
#   polars 2.1.0, duckdb 2.0.0, chdb 4.4.0
#           IS NOT TRUE  IS DISTINCT FROM TRUE
#   duckdb            2                      2
#   sqlite            2                      2
#   chdb              2                      2
#   polars            1                      2
#   polars, select bot IS TRUE: True, False, None
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
  polars==2.1.0 duckdb==2.0.0 chdb==4.4.0 chdb-core==26.9.0 pyarrow==26.0.1
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import sqlite3
import sys
from importlib.metadata import version

import chdb
import duckdb
import polars as pl

IN_MEMORY = sqlite3.connect(":memory:")
ROWS = "(SELECT true AS bot UNION ALL SELECT false UNION ALL SELECT NULL)"
events = pl.DataFrame({"bot": [True, False, None]})
engines = {
    "duckdb": lambda condition: duckdb.sql(f"SELECT count(*) FROM {ROWS} t WHERE {condition}").fetchall()[0][0],
    "sqlite": lambda condition: IN_MEMORY.execute(f"SELECT count(*) FROM {ROWS} WHERE {condition}").fetchone()[0],
    "chdb": lambda condition: int(str(chdb.query(f"SELECT count() FROM {ROWS} WHERE {condition}"))),
    "polars": lambda condition: events.sql(f"SELECT count(*) FROM self WHERE {condition}").item(),
}
print(", ".join(f"{name} {version(name)}" for name in ("polars", "duckdb", "chdb")))
print(f"{'':6}  IS NOT TRUE  IS DISTINCT FROM TRUE")
seen = {}
for name, count in engines.items():
    seen[name] = (count("bot IS NOT TRUE"), count("bot IS DISTINCT FROM TRUE"))
    print(f"{name:6}  {seen[name][0]:11}  {seen[name][1]:21}")
is_true = events.select(pl.sql_expr("bot IS TRUE")).to_series().to_list()
print("polars, select bot IS TRUE:", ", ".join(map(str, is_true)))
if seen != {"duckdb": (2, 2), "sqlite": (2, 2), "chdb": (2, 2), "polars": (1, 2)} or is_true != [True, False, None]:
    sys.exit("The behaviour has changed.")
print("As noted: polars loses the row that is neither true nor false.")
EOF
