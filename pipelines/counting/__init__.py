"""From contributions to a window's figures, with bounds and coverage. Pure: a store or a bundle of evidence is asked
by one protocol.

Doors: inputs, measure, figure, window, overlap. All other modules are private. No database, Dagster or zstandard is
reached from here, however indirectly.
"""
