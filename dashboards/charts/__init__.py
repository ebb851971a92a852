"""Pictures of figures, as pure functions for the terminal's files, HTML and the report alike.

Doors: forecast. All other modules are private.
"""
