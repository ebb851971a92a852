"""From a product's events to its contributions, period by period, inside the affiliate's walls.

Doors: contribute, availability, key_overlap, activity, ready_keys, frequent, statement_check. All other modules are private.
No store of the centre is known here.
"""
