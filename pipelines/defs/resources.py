"""What assets and ops work with: the group's workspace and the run's report, open for one run."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from affiliates.errors import Refusal, RefusedError, libraries_reduced, unforeseen_into
from affiliates.manifests.group import Group
from pipelines import runbook
from pipelines.defs import instance
from pipelines.ingestion import clock_check
from pipelines.runbook import Page
from pipelines.workflows.report import Progress, Report
from pipelines.workspace import Workspace

RUN_CONTEXT = "mauwatch"
"""The resource's key; Dagster stores it with every job."""

NOT_PLANNED = "mauwatch/not_planned"
"""The tag of a run that fails, since what is due couldn't be found out: it says why."""

Clock = Callable[[], datetime]
"""The time now; tests give their own."""


def real_clock() -> datetime:
    """The time of this machine."""
    return datetime.now(UTC)


@dataclass
class RunContext:
    """A group's workspace, open, and the report in which the assets of a run put down what they did."""

    workspace: Workspace
    report: Report = field(default_factory=Report)
    progress: Progress = lambda what, done, of: None
    steps: int = 0
    """How many products the runs with this context are about, if that is known; for progress."""
    errors: list[Exception] = field(default_factory=list)
    """What ended a whole step, such as a store or a full disk; `in_process` raises the first. The report has refused products."""

    @contextmanager
    def without_data(self, subject: str) -> Iterator[None]:
        """Turns an error inside into a failure with no more than the error's kind, module and line.

        Its text may quote somebody's data, and Dagster keeps texts for ever. A refusal's text never quotes data, and is kept.
        """
        with reduced(subject, self.errors.append, self.report.fail):
            yield


@contextmanager
def reduced(
    subject: str, refused: Callable[[Exception], object] = lambda _: None, failed: Callable[[Refusal], object] = lambda _: None
) -> Iterator[None]:
    """Turns an error inside into a `dg.Failure` of which Dagster may keep everything, and reduces what libraries print.

    `refused`: what takes a refusal or the error of a full disk; `failed`: what takes the refusal of an error that nobody foresaw.
    """
    errors = list[Refusal]()
    try:
        with libraries_reduced(), unforeseen_into(subject, errors.append, foreseen=dg.Failure):
            yield
    except RefusedError as error:
        refused(error)
        raise failure_of(error.refusals) from None
    except OSError as error:  # A full disk.
        refused(error)
        raise failure(f"{subject}: {error.strerror}", [Page.DISK]) from None
    for refusal in errors:
        failed(refusal)
        raise failure_of(errors) from None


def failure_of(refusals: Sequence[Refusal]) -> dg.Failure:
    """The failure of a step whose sources, contributions or store were refused, with the sections of the runbook."""
    pages = [runbook.of_refusal(refusal) or runbook.of_product(refusal) for refusal in refusals]
    return failure("\n".join(str(refusal) for refusal in refusals), pages)


def failure_of_all(failures: Sequence[dg.Failure]) -> dg.Failure:
    """The one failure of a step in which several products have failed: each line once."""
    lines = [line for each_failure in failures for line in (each_failure.description or "").splitlines()]
    return dg.Failure(description="\n".join(dict.fromkeys(lines)), allow_retries=False)


def failure(text: str, pages: Sequence[Page]) -> dg.Failure:
    """The failure of a step; without retries, for running the step again at once would change nothing."""
    return dg.Failure(description="\n".join([text, *runbook.lines(pages)]), allow_retries=False)


def run_context_resource(directory: Path, group: Group, clock: Clock) -> dg.ResourceDefinition:
    """The context of a run: opened at the run's beginning, closed at its end, with one time for the whole run.

    No run begins while the machine's clock is wrong for certain. The run is tagged with its process, so that a run that is killed
    with its process can be marked as failed. Whatever goes wrong is a failure of which Dagster may keep everything.
    """

    @dg.resource(description="The group directory's manifests, key, crosswalk and store")
    def opened(context: dg.InitResourceContext) -> Iterator[RunContext]:
        if context.run and context.instance:
            context.instance.add_run_tags(context.run.run_id, instance.process_tag())
        if context.run and NOT_PLANNED in context.run.tags:
            raise failure(f"what is due {context.run.tags[NOT_PLANNED]}", [Page.MORNING])
        with reduced("the run"), Workspace(directory, group, clock()) as workspace:
            verdict = clock_check.settle(workspace)
            if not verdict.is_usable:
                raise failure("\n".join(map(str, verdict.findings)), [Page.CLOCK])
            yield RunContext(workspace, Report(findings=list(verdict.findings)))

    return opened  # Dagster shows this function's name as the resource's type.
