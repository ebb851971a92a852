"""Where a product's events lie, and how they are read: files, object stores, databases.

Doors: resolve, protocol, file_formats, files. All other modules are private. Nothing is counted here, and no key is
made.
"""
