"""A month's figures as they are in force: published, signed, or measured by what the store has now.

Doors: months, query, rows, quality_checks, data_findings. All other modules are private. The rules of counting lie in
`pipelines.counting`.
"""
