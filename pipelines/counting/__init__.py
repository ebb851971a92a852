"""From contributions to a window's figures, with bounds and coverage. Pure: one protocol reads contributions from a store, or
from a bundle of evidence.

Doors: convention, inputs, measure, figure, in_common, window, overlap, missing, contradictions. All other modules are private.
No database, Dagster or zstandard is reached from here, however indirectly.
"""
