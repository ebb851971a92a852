"""A month's figures as they are in force, published or signed, with what has changed since; else measured by what the store has.

Doors: months, query, changes, comparability, causes, range_parts, signed_readings, figure_cache, rows, quality_checks,
data_findings, exchanged, page_month, published_overview, published_group, published_licences, published_alerts,
published_data. All other modules are private. The rules of counting lie in `pipelines.counting`.
"""
