"""What one command or job does from end to end: run, receive, publish, close.

Doors: run, publish, receive, close, report. All other modules are private. Dagster is unknown here.
"""
