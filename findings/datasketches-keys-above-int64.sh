#!/usr/bin/env bash
# A thousand different 64-bit keys are one item to an HLL or theta sketch, and a thousand to a CPC sketch.
#
# Version: datasketches 5.2.0 (Python).
# Input: the integers from 2^63 to 2^63 + 999: keys of 64 bits without a sign, as hash functions and numpy's uint64 give them.
# Expected: about 1,000 from each of the three sketches, or an error.
# Behaviour: hll_sketch and update_theta_sketch take an integer that no int64 holds as a floating-point number of 53 bits.
#   Neighbours become one item, and the item is that of the float. cpc_sketch of the same package hashes the integer.
#   One less than 2^63, all three are right. No error, no warning.
# Output seen:
#   datasketches 5.2.0
#   sketch               2^63 - 1000 and on  2^63 and on
#   hll_sketch                        1,010            1
#   update_theta_sketch               1,000            1
#   cpc_sketch                        1,001        1,001
#   hll_sketch of 2^63 and of float(2^63): 1 item
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check datasketches==5.2.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'EOF'
import sys
from importlib.metadata import version

from datasketches import cpc_sketch, hll_sketch, update_theta_sketch


def estimate(sketch, items):
    for item in items:
        sketch.update(item)
    return round(sketch.get_estimate())


print("datasketches", version("datasketches"))
print(f"{'sketch':19}  {'2^63 - 1000 and on':>18}  {'2^63 and on':>11}")
seen = {}
for name, new in {
    "hll_sketch": lambda: hll_sketch(12),
    "update_theta_sketch": lambda: update_theta_sketch(12),
    "cpc_sketch": lambda: cpc_sketch(12),
}.items():
    below = estimate(new(), range(2**63 - 1_000, 2**63))
    above = estimate(new(), range(2**63, 2**63 + 1_000))
    print(f"{name:19}  {below:18,}  {above:11,}")
    seen[name] = (980 < below < 1_020, above)
integer_and_float = estimate(hll_sketch(12), [2**63, float(2**63)])
print(f"hll_sketch of 2^63 and of float(2^63): {integer_and_float} item{'s' * (integer_and_float != 1)}")
one_item = seen["hll_sketch"] == seen["update_theta_sketch"] == (True, 1) and integer_and_float == 1
a_thousand = seen["cpc_sketch"][0] and 980 < seen["cpc_sketch"][1] < 1_020
if not (one_item and a_thousand):
    sys.exit("The behaviour has changed.")
print("As noted: keys of 2^63 and more are counted as floats.")
EOF
