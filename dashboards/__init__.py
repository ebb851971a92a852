"""Every face: the command line, the report, charts, the demos.

A face reads figures and computes none. Nothing below imports `dashboards`.
"""
