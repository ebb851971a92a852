"""Which keys belong to one person: links, clusters, and the monthly snapshot.

Doors: snapshot, snapshot_files, statements, digest_memo, link_tables, clusters. All other modules are private. No event is read
here.
"""
