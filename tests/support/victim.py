"""The `mauwatch` command in a process that imports everything, says `ready`, and begins when it is told to.

Its arguments are the command's. So whoever kills it some time after has hit the command's own work, not Python's imports.
"""

import importlib
import sys

from dashboards.cli import main

if __name__ == "__main__":
    for name in ("psycopg", "dashboards.cli.tables", "pipelines.defs.in_process"):
        importlib.import_module(name)
    print("ready", flush=True)
    if sys.stdin.readline():
        main.main()
