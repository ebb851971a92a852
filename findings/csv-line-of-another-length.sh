#!/usr/bin/env bash
# One CSV line of another length: a refusal, nulls, one column in place of three, or an empty table, by reader and place.
#
# Versions: polars 2.1.0, duckdb 2.0.0, pyarrow 26.0.1.
# Input: a header of three names and 1,000 lines of three fields; then one more line, of two fields or of four.
# Expected: a reader refuses the line, or fills or cuts it; and it reads the other 1,000 lines as they are.
# Behaviour: pyarrow refuses both. polars refuses the line that is too long, and fills the one that is too short with nulls.
#   DuckDB refuses neither: it looks for another reading of the file in which all lines agree. After a short line that is one
#   column, whose name is the whole header; the rows still number 1,001. After a long line at the end of the file it takes
#   the last line for the header, and the table is empty. Beyond DuckDB's sample of the file the same line is an error.
# Output seen:
#   polars 2.1.0, duckdb 2.0.0, pyarrow 26.0.1
#   last line    pyarrow  polars                  duckdb
#   u,d          refused  1001 rows x 3, 1 null   1001 rows x 1: 'person,device,country'
#   u,d,DE,x     refused  refused                 0 rows x 4: 'u', 'd', 'DE', 'x'
#   after 30,000 lines:
#   u,d          refused  30001 rows x 3, 1 null  refused
#   u,d,DE,x     refused  refused                 refused
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check polars==2.1.0 duckdb==2.0.0 pyarrow==26.0.1
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import sys
from importlib.metadata import version
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.csv


def by_pyarrow():
    try:
        return f"{pa.csv.read_csv('people.csv').num_rows} rows"
    except pa.ArrowInvalid:
        return "refused"


def by_polars():
    try:
        people = pl.read_csv("people.csv")
    except pl.exceptions.ComputeError:
        return "refused"
    return f"{people.height} rows x {people.width}, {sum(people.null_count().row(0))} null"


def by_duckdb():
    try:
        people = duckdb.sql("FROM 'people.csv'")
        return f"{len(people.fetchall())} rows x {len(people.columns)}: {', '.join(map(repr, people.columns))}"
    except duckdb.InvalidInputException:
        return "refused"


print(", ".join(f"{name} {version(name)}" for name in ("polars", "duckdb", "pyarrow")))
print(f"{'last line':11}  pyarrow  {'polars':22}  duckdb")
seen = []
for lines in (1_000, 30_000):
    if lines > 1_000:
        print(f"after {lines:,} lines:")
    for last in ("u,d", "u,d,DE,x"):
        body = "".join(f"u{line},d{line},DE\n" for line in range(lines))
        Path("people.csv").write_text(f"person,device,country\n{body}{last}\n")
        seen.append((by_pyarrow(), by_polars(), by_duckdb()))
        print(f"{last:11}  {seen[-1][0]:7}  {seen[-1][1]:22}  {seen[-1][2]}")
if seen != [
    ("refused", "1001 rows x 3, 1 null", "1001 rows x 1: 'person,device,country'"),
    ("refused", "refused", "0 rows x 4: 'u', 'd', 'DE', 'x'"),
    ("refused", "30001 rows x 3, 1 null", "refused"),
    ("refused", "refused", "refused"),
]:
    sys.exit("The behaviour has changed.")
print("As noted: one line too short or too long is refused, filled, or makes another table of the whole file.")
EOF
