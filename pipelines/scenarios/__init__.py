"""What-if: what buying, selling or growing would do to the number. A scenario is no evidence, and pages nobody.

Doors: access, definition, file_lines, changes, assumptions, ranges, baseline, months, run, answer, answer_parts, compare. All
other modules are private. This package and those of alerts and evidence never import each other.
"""
