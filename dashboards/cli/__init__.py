"""The command line: arguments in, tables and JSON out.

Doors: main. All other modules are private. `web`, `report` and `demo` never import the command line.
"""
