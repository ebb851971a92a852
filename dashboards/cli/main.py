"""The command line: reads the clock and the arguments, calls the centre, prints.

Exit codes: 0 fine, 2 bad input or usage, 1 for a finding, only from run, receive, validate, doctor, verify and alerts. What
a command needs is imported inside it, so that the first answer comes fast and commands of the edge
run where only the core is installed.
"""

import errno
import sys

import typer

from affiliates.errors import Code, Refusal, RefusedError
from dashboards.cli import console
from dashboards.cli.commands import (
    alerts,
    close,
    contribute,
    crosswalk,
    demo,
    erase,
    evidence,
    forecast,
    key,
    licences,
    manifest,
    measure,
    receive,
    run,
    serve,
)
from pipelines import runbook

app = typer.Typer(
    name="mauwatch",
    help="How many different people a corporate group reaches in a month, and how close that is to the thresholds "
    "in AI model licences.",
    no_args_is_help=True,
    # A traceback with local values would show identifiers; and shell completion would write into the user's home.
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
)
app.add_typer(key.app, name="key")
app.add_typer(alerts.app, name="alerts")
# The order is the one in which `mauwatch --help` lists the commands.
for command in (
    manifest.init,
    manifest.validate,
    manifest.doctor,
    run.run,
    serve.serve,
    measure.measure,
    close.close,
    receive.receive,
    evidence.evidence,
    evidence.verify,
    erase.erase,
    licences.licences,
    forecast.forecast,
    crosswalk.crosswalk,
    manifest.packet,
    demo.demo,
    contribute.contribute,
    contribute.inspect,
):
    app.command()(command)


def main() -> None:
    """The entry point: a refusal is said on standard error and ends with 2."""
    pages = []
    try:
        app()
        return
    except RefusedError as error:
        refusals = error.refusals
    # An affiliate has the core install alone: a command of the centre says which extra it needs.
    except ModuleNotFoundError as error:
        text = f"{error.name} is missing"
        refusals = (
            Refusal(Code.SOFTWARE_MISSING, "this command", "needs the centre's packages", text, "pip install 'mauwatch[group]'"),
        )
    except OSError as error:
        text = str(error.strerror)
        # A full disk is the one failure of files that an operator can mend without us, so that section is named.
        pages = [runbook.Page.DISK] if error.errno == errno.ENOSPC else []
        refusals = (
            Refusal(Code.FILE_UNUSABLE, str(error.filename or "a file"), "can't be read or written", text, "see to the path"),
        )
    from dashboards.cli import tables

    console.errors().print(tables.refusals(refusals))
    for line in runbook.lines(pages or map(runbook.of_refusal, refusals)):
        console.errors().print(line)
    # 2 is bad input, as click's own usage errors; 1 is kept for findings, which scripts treat otherwise.
    sys.exit(2)


if __name__ == "__main__":
    main()
