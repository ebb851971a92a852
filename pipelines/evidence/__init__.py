"""Evidence that a third party can recompute: bundles, and the check of a bundle.

Doors: write, verify, verify_store, method_text, binding (what a month is signed on), documents, leftovers. All other
modules are private. `verify` reaches no database, Dagster or zstandard, however indirectly.
"""
