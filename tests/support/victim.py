"""`mauwatch` commands to be killed, each in a process of its own, forked from this one, which has imported everything.

So whoever kills one some time after its begin has hit the command's own work, not Python's imports. Reads a command's arguments
as JSON, a line each; answers with the process's number when it begins, and with its exit code when it has ended.
"""

import importlib
import json
import os
import sys

from dashboards.cli import main


def run(arguments: list[str]) -> int:
    """Carry out a command whose answer nobody reads; gives its exit code."""
    with open(os.devnull, "r+") as nowhere:
        os.dup2(nowhere.fileno(), 0)
        os.dup2(nowhere.fileno(), 1)
    sys.argv = ["mauwatch", *arguments]
    try:
        main.main()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0


if __name__ == "__main__":
    for name in ("psycopg", "dashboards.cli.tables", "pipelines.defs.in_process", "numba"):
        importlib.import_module(name)
    print("ready", flush=True)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            code = 3
            try:
                code = run(json.loads(line))
            finally:
                os._exit(code)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
