"""How contributions come into the store: computed from own sources, or received as files.

Doors: collect, due, stated_counts, receive, inbox, receipts, acceptance. All other modules are private. No month is
published here.
"""
