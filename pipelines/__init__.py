"""The centre: from contributions to a figure, from a figure to a decision.

Modules at the top serve every package. Nothing here imports `dashboards`.
"""
