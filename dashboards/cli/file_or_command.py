"""A group of commands that also takes a file: `whatif FILE.yaml` stands for `whatif run FILE.yaml`."""

from typing import Any

from typer.core import TyperGroup

DEFAULT = "run"
"""The command that a file without a command is for."""


class FileOrCommand(TyperGroup):
    """A group of commands; arguments that begin with none of their names, and don't ask for help, are those of `run`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take the arguments, with `run` before them where no command is named."""
        named = not args or args[0] in self.commands or args[0] in ctx.help_option_names
        return super().parse_args(ctx, args if named else [DEFAULT, *args])
