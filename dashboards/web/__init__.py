"""The pages in a browser: published figures, shown to each viewer as far as the viewer's roles allow.

Doors: app, monthly_report, one_time_link, server, settings. All other modules are private. Nothing here computes a figure.
"""
