"""What one command or job does from end to end: run, receive, publish, close.

Doors: run, run_note, quiet_run, unchanged, basis, publish, receive, close, sign_off, report, monthly_report,
report_mail; no module is private. Dagster is unknown here.
"""
