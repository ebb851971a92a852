#!/usr/bin/env bash
# Two readers of one Delta table disagree about its countries, and one of them has written the table.
#
# Versions: polars 2.1.0, deltalake 1.6.6, pyarrow 26.0.1.
# Input: a table of three people with the countries "DE", "" and null, written by polars' write_delta with partitions by country.
# Expected: both readers give back the same values: those that were written, or two nulls.
# Behaviour: partition values stand in a Delta table's log as texts, and an empty text there means null. deltalake reads
#   the log: two nulls. polars reads the folders' names (`country=`): an empty text and a null. No error, no warning.
#   A row whose country is '' is found by polars alone.
# Output seen:
#   polars 2.1.0, deltalake 1.6.6
#   partition values in the log: '', 'DE', None
#   polars:    '', 'DE', None
#   deltalake: 'DE', None, None
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check polars==2.1.0 deltalake==1.6.6 pyarrow==26.0.1
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import json
import sys
from importlib.metadata import version
from pathlib import Path

import deltalake
import polars as pl


def in_order(values):
    return sorted(values, key=lambda value: (value is None, value))


people = pl.DataFrame({"person": [1, 2, 3], "country": ["DE", "", None]})
people.write_delta("people", delta_write_options={"partition_by": ["country"]})
log = [json.loads(line) for line in Path("people/_delta_log/00000000000000000000.json").read_text().splitlines()]
seen = {
    "partition values in the log:": in_order(line["add"]["partitionValues"]["country"] for line in log if "add" in line),
    "polars:   ": in_order(pl.read_delta("people")["country"].to_list()),
    "deltalake:": in_order(deltalake.DeltaTable("people").to_pyarrow_table()["country"].to_pylist()),
}
print(f"polars {version('polars')}, deltalake {version('deltalake')}")
for name, values in seen.items():
    print(name, ", ".join(map(repr, values)))
if list(seen.values()) != [["", "DE", None], ["", "DE", None], ["DE", None, None]]:
    sys.exit("The behaviour has changed.")
print("As noted: an empty partition value is a text to polars and null to deltalake.")
EOF
