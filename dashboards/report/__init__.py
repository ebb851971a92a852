"""The page of evidence that a lawyer reads.

Doors: pdf. All other modules are private.
"""
