"""How contributions come into the store: computed from own sources, or received as files.

Doors: clock_check, collect, product_run, due, stated_counts, receive, inbox, staging, receipts, acceptance, quarantine.
Private: replacement, seen. No month is published here.
"""
