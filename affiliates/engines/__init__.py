"""What another engine runs in the place of `aggregation`: the query in its own SQL.

Doors: sql. All other modules are private. No connection is opened here.
"""
