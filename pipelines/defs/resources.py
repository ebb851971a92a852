"""What assets work with: the centre at its desk, open for one run."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from affiliates.errors import Refusal, RefusedError
from affiliates.manifests.group import Group
from pipelines import runbook
from pipelines.defs import instance
from pipelines.runbook import Page
from pipelines.workflows.report import Progress, Report
from pipelines.workspace import Workspace

DESK = "mauwatch"
"""The resource's key."""

Clock = Callable[[], datetime]


def real_clock() -> datetime:
    """The time of this machine."""
    return datetime.now(UTC)


@dataclass
class RunContext:
    """The open centre, and where the assets of a run put down what they did."""

    workspace: Workspace
    report: Report = field(default_factory=Report)
    progress: Progress = lambda what, done, of: None
    steps: int = 0
    """How many products the runs at this desk are about, if that is known."""
    errors: list[Exception] = field(default_factory=list)
    """What went wrong beside what was refused."""

    @contextmanager
    def without_data(self, subject: str) -> Iterator[None]:
        """An error inside becomes a failure that says no more than its kind: its text may quote somebody's data, and
        Dagster keeps texts for ever. A refusal's text never does."""
        try:
            yield
        except dg.Failure:
            raise
        except Exception as error:  # noqa: BLE001 kept in `errors`, and the step fails
            self.errors.append(error)
            if isinstance(error, RefusedError):
                raise failure_of(error.refusals) from None
            raise failure(f"{subject}: {type(error).__name__}; `mauwatch run` shows where", [Page.STEP]) from None


def failure_of(refusals: Sequence[Refusal]) -> dg.Failure:
    """A step whose sources, contributions or store were refused."""
    pages = [runbook.of_refusal(refusal) or runbook.of_product(refusal) for refusal in refusals]
    return failure("\n".join(str(refusal) for refusal in refusals), pages)


def failure(said: str, pages: Sequence[Page]) -> dg.Failure:
    """A step that ends here; running it again at once would change nothing."""
    return dg.Failure(description="\n".join([said, *runbook.lines(pages)]), allow_retries=False)


def run_context(directory: Path, group: Group, clock: Clock) -> dg.ResourceDefinition:
    """The desk of a run: opened at its beginning, closed at its end, with one time for all of it.

    Dagster is told the process, so that a run that is killed with it is known for one.
    """

    @dg.resource(description="The group directory's manifests, key, crosswalk and store")
    def opened(context: dg.InitResourceContext) -> Iterator[RunContext]:
        if context.run and context.instance:
            context.instance.add_run_tags(context.run.run_id, instance.process_tag())
        with Workspace(directory, group, clock()) as workspace:
            yield RunContext(workspace)

    return opened
