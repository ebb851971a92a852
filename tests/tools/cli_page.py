"""docs/cli.md, made from `--help` of every command. `python -m tests.tools.cli_page` renews the page."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from dashboards.cli.main import app

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
_WIDTH = 78
"""What a terminal of 80 columns shows."""
_BEGINNING = """\
# Commands and options
What `--help` says of every command. This page is made by `python -m tests.tools.cli_page`.

Every command takes `--group DIR`, the group directory; without the option, it is the folder in which you are. Every command
that answers takes `--json`.

| exit code | means |
|---|---|
| 0 | All is well. |
| 1 | The command has found something: `run`, `receive`, `validate`, `doctor`, `verify` and `alerts` only. |
| 2 | The input or the use of the command was wrong. |
| 3 | [An error that nobody foresaw](runbook.md#error-unforeseen). |

An error has four parts: the subject, the rule, the values, and the next step. No error shows an identifier or a key.

**JSON.** With `--json`, standard output holds one JSON value. Every answer has a `schema_version`; an answer that is a list has
one in each of its objects. The version rises when a key goes or means something else, and not when a key is added. Where a
command ends with an error, the value is `{"schema_version", "errors", "exit_code"}`: each of the `errors` has the four parts and
the [code](runbook.md#codes), a `usage-invalid` the rule alone. Standard error says the same in words.

**Questions.** `erase` asks before it erases; `contribute` and `evidence` ask before they overwrite a file. `--yes` answers them.
Where standard input is no terminal, and without `--yes`, they are refused.

**Completion** in bash, zsh and fish: `mauwatch --install-completion` writes it into your shell's settings, and
`mauwatch --show-completion` prints it.
"""


def commands(command: TyperCommand | TyperGroup, name: str, parent: Any = None) -> Iterator[tuple[str, str]]:
    """The path of a command and what its help says; then the same of its subcommands."""
    context = command.context_class(command, parent, name, terminal_width=_WIDTH, **command.context_settings)
    yield context.command_path, command.get_help(context)
    subcommands = command.commands if isinstance(command, TyperGroup) else {}
    for subname, subcommand in subcommands.items():
        assert isinstance(subcommand, TyperCommand | TyperGroup)
        yield from commands(subcommand, subname, context)


def page() -> str:
    """The whole page as it has to be now."""
    program = typer.main.get_command(app)
    assert isinstance(program, TyperGroup)
    sections = (f"\n## {path}\n```text\n{text.rstrip()}\n```\n" for path, text in commands(program, "mauwatch"))
    return _BEGINNING + "".join(sections)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
