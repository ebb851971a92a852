"""`mauwatch serve`: Dagster's processes kept running for one group, and a health endpoint.

Doors: supervisor. All other modules are private.
"""
