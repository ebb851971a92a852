"""What `demo` prints: the conglomerate beside its truth, or the git-activity group with and without its crosswalk."""

import time
from datetime import datetime
from pathlib import Path

from dashboards import answer, console, demo, licence_tables, simulated, terminal


def conglomerate(directory: Path, now: datetime, scale: float, as_json: bool) -> None:
    """Made-up people at real size."""
    started, out = time.monotonic(), console.plain()
    with console.progress_bar() as progress:
        made = simulated.play(directory, now, scale, progress)
    if as_json:
        console.print_json(simulated.to_dict(made) | {"measure": answer.to_dict(made.last)})
        return
    out.print(terminal.report(made.report))
    out.print(terminal.measured(made.last, made.group))
    out.print(terminal.against_truth(made.compared))
    out.print(licence_tables.of_family(made.tests))
    out.print(licence_tables.of_family(made.released))
    console.errors().print(f"{made.people:,} people in {time.monotonic() - started:.0f} s.")
    out.print(f"The group directory is {directory}: mauwatch measure --group {directory} --month {made.last.inputs.month:%Y-%m}")


def git_activity(directory: Path, now: datetime, as_json: bool) -> None:
    """Real commits of 39 projects."""
    with console.progress_bar() as progress:
        shown = demo.play(directory, now, progress)
    if as_json:
        effect = {m: {"identifiers": a.to_dict(), "people": b.to_dict()} for m, (a, b) in shown.effect.items()}
        tests = [t.to_dict() for t in shown.tests]
        console.print_json({"measure": answer.to_dict(shown.shown), "identity": effect, "licences": tests})
        return
    out = console.plain()
    out.print(terminal.report(shown.report))
    out.print(terminal.measured(shown.shown, shown.group))
    out.print(terminal.effect(shown.effect))
    out.print(licence_tables.of_family(shown.tests))
    out.print(f"The group directory is {directory}: mauwatch measure --group {directory} --month 2026-07")
