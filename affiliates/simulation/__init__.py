"""A made-up population whose true counts are known, and its contributions.

Doors: population, simulate. All other modules are private. Only the demo and tests use the package.
"""
