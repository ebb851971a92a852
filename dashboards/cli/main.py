"""The command line: reads the clock and the arguments, calls the centre, prints.

Exit codes: 0 fine, 2 bad input or usage, 3 an error that nobody foresaw, 1 for a finding, only from run, receive, validate,
doctor, verify and alerts. What a command needs is imported inside it, so that the first answer comes fast and commands of the
edge run where only the core is installed.
"""

import errno
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import Annotated, Any

import typer

from affiliates.errors import Code, Refusal, RefusedError, is_unforeseen, libraries_reduced, refused, unforeseen_refusal
from dashboards.cli import console
from dashboards.cli.commands import (
    alerts,
    close,
    contribute,
    crosswalk,
    dashboard,
    deal,
    demo,
    erase,
    evidence,
    forecast,
    history,
    inspect,
    key,
    licences,
    manifest,
    measure,
    receive,
    report,
    run,
    serve,
    whatif,
)
from pipelines import runbook

app = typer.Typer(
    name="mauwatch",
    help="How many different people a corporate group reaches in a month, and how close that is to the thresholds "
    "in AI model licences.",
    no_args_is_help=True,
    # A traceback with local values would show identifiers.
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_UsageError: Any = typer.BadParameter.__bases__[0]  # typer has it from click, or from its own copy of click.
app.add_typer(key.app, name="key")
app.add_typer(alerts.app, name="alerts")
app.add_typer(deal.app, name="deal")
app.add_typer(whatif.app, name="whatif")
# The order is the one in which `mauwatch --help` lists the commands.
for command in (
    manifest.init,
    manifest.validate,
    manifest.doctor,
    run.run,
    serve.serve,
    dashboard.dashboard,
    measure.measure,
    history.history,
    report.report,
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
    inspect.inspect,
):
    app.command()(command)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"mauwatch {metadata.version('mauwatch')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", help="Show the version.", callback=_print_version, is_eager=True)] = False,
) -> None:
    """Options of no command: typer shows them and calls the callbacks."""


def main() -> None:
    """The entry point: a refusal is said on standard error and ends with 2, an error that nobody foresaw with 3.

    Where a command was asked for JSON, the refusal is said in JSON on standard output, too.
    """
    console.prepare_streams()
    with libraries_reduced():
        _main()


def _main() -> None:
    """One command, from its arguments to its exit code."""
    exit_code = 2  # Bad input, as click's own usage errors; 1 is kept for findings, which scripts treat otherwise.
    as_json = "--json" in sys.argv[1:]
    pages = []
    try:
        if sys.platform == "win32":
            raise refused(
                Code.SYSTEM_UNSUPPORTED, "mauwatch", "doesn't run on Windows", "", "run it on Linux or macOS, or in WSL"
            )
        # Only then the library leaves it to us to say what is wrong with the options.
        sys.exit(app(prog_name="mauwatch", standalone_mode=not as_json) or 0)
    except RefusedError as error:
        refusals = error.refusals
    except _UsageError as error:
        error.show()
        _print_errors([{"code": Code.USAGE_INVALID, "subject": "the command", "rule": error.format_message()}], error.exit_code)
        sys.exit(error.exit_code)
    except typer.Abort:
        typer.echo("Aborted!", err=True)
        sys.exit(1)
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
    except BaseException as error:  # An end that was wished for passes: an exit, or Ctrl-C.
        if not is_unforeseen(error):
            raise
        # Without the error's text, which may quote anybody: whoever runs mauwatch by cron has it mailed.
        refusals = (unforeseen_refusal("mauwatch", error),)
        exit_code = 3
    from dashboards.cli import tables

    console.errors().print(tables.refusals(refusals))
    for line in runbook.lines(pages or map(runbook.of_refusal, refusals)):
        console.errors().print(line)
    if as_json:
        _print_errors([{"code": refusal.code} | refusal.to_dict() for refusal in refusals], exit_code)
    sys.exit(exit_code)


def _print_errors(errors: Sequence[dict[str, Any]], exit_code: int) -> None:
    """Say in JSON what was refused: nothing else stands on standard output then."""
    console.print_json({"errors": list(errors), "exit_code": exit_code})


if __name__ == "__main__":
    main()
