"""Evidence that a third party can recompute: bundles, and the check of a bundle.

Doors: write, verify. All other modules are private. `verify` reaches no database, Dagster or zstandard, however
indirectly.
"""
