#!/usr/bin/env bash
# The union of three HLL sketches depends on their order, once one of them has a lower lgK.
#
# Version: datasketches 5.2.0 (Python).
# Input: three sketches of 20,000 different integers each. Two have lgK 12, one has lgK 10. Together: 60,000.
# Expected: about 60,000 in each of the six orders (2 to 4 % off), at the lower lgK.
# Behaviour: where the sketch of lgK 10 stands in the middle, the union keeps lgK 12 and forgets what it held before:
#   it answers for one sketch of the three. No error, no warning. The other four orders are right.
# Output seen:
#   datasketches 5.2.0
#   12 12 10  62,252  lgK 10
#   12 10 12  20,133  lgK 12
#   10 12 12  62,252  lgK 10
#   with the two of lgK 12 exchanged:
#   12 12 10  62,252  lgK 10
#   12 10 12  20,138  lgK 12
#   10 12 12  62,252  lgK 10
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check datasketches==5.2.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'EOF'
import sys
from importlib.metadata import version

from datasketches import hll_sketch, hll_union


def sketch_of(numbers, lg_k):
    sketch = hll_sketch(lg_k)
    for number in numbers:
        sketch.update(number)
    return sketch


def show_orders(first, low, last):
    """Estimates of the union with `low` at the end, in the middle and at the beginning."""
    estimates = []
    for order in ([first, last, low], [first, low, last], [low, first, last]):
        union = hll_union(12)
        for sketch in order:
            union.update(sketch)
        estimate = union.get_estimate()
        print(*(sketch.lg_config_k for sketch in order), f" {estimate:,.0f}  lgK {union.lg_config_k}")
        estimates.append(estimate)
    return estimates


print("datasketches", version("datasketches"))
first = sketch_of(range(0, 20_000), 12)
low = sketch_of(range(20_000, 40_000), 10)
last = sketch_of(range(40_000, 60_000), 12)
estimates = show_orders(first, low, last)
print("with the two of lgK 12 exchanged:")
estimates += show_orders(last, low, first)
at_the_end, in_the_middle, at_the_beginning = estimates[0::3], estimates[1::3], estimates[2::3]
right = all(55_000 < estimate < 65_000 for estimate in at_the_end + at_the_beginning)
low_in_the_middle = all(19_000 < estimate < 21_000 for estimate in in_the_middle)
if not (right and low_in_the_middle):
    sys.exit("The behaviour has changed.")
print("As noted: a sketch of lower lgK in the middle of a union makes 40,000 of 60,000 vanish.")
EOF
