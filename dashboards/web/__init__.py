"""The pages in a browser: published figures, shown to each viewer as far as the viewer's roles allow.

Doors: app, server. All other modules are private. Nothing here computes a figure.
"""
