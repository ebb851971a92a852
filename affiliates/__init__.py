"""The edge: who is in the group, and everything that runs inside an affiliate's own walls.

Modules at the top serve every package. Nothing here imports `pipelines` or `dashboards`.
"""
