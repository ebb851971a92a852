"""What a month's signature rests on, for whoever signs; and the signature itself, by `pipelines.workflows.close` alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from affiliates.errors import RefusedError
from affiliates.manifests.attestations import Attestation, Reconciliation
from affiliates.manifests.loader import read_attested
from affiliates.periods import end_of, month_end
from dashboards.web.queries import PageRows
from dashboards.web.row_source import RowSource
from pipelines.counting.figure import Figure
from pipelines.store.publications import Publication
from pipelines.workflows.close import Signature, close_month, ledger_entry
from pipelines.workspace import Workspace


class CheckItem(NamedTuple):
    """One line of the check list."""

    is_done: bool
    what: str
    detail: str
    next_step: str


@dataclass(frozen=True)
class MonthToSign:
    """What there is to sign of a month, by the published figures."""

    month: date
    items: Sequence[CheckItem]
    attestations: Sequence[Attestation]
    reconciliation: Sequence[tuple[Reconciliation, Figure | None]]
    """Each figure that was published elsewhere, beside ours."""
    publication: Publication
    trouble: str
    """Why attested/YYYY-MM.yaml can't be read; empty where it can."""

    @property
    def is_over(self) -> bool:
        """Whether the month is over, so that it can be signed."""
        return self.items[0].is_done


def closing(rows: PageRows, month: date, reading_name: str | None) -> MonthToSign | None:
    """The check list of a month; null where nothing is published. No check is made here that a run hasn't published."""
    figures = rows.figures(month, rows.reading(reading_name, month))
    if figures is None or figures.whole is None:
        return None
    name = f"{month:%Y-%m}"
    file = f"attested/{name}.yaml"
    trouble = ""
    attestations: Sequence[Attestation] = ()
    reconciliation: Sequence[Reconciliation] = ()
    try:
        attested = read_attested(rows.directory, rows.group, month)
        attestations, reconciliation = attested.attestations, attested.reconciliation
    except RefusedError as error:
        trouble = str(error)
    whole = figures.whole.figure
    # As the record of the signature has it: an affiliate of a product that is due, whether or not anything came of it.
    due = dict.fromkeys(subject.partition("/")[0] for subject in figures.products)
    attesting = {attestation.affiliate for attestation in attestations}
    lacking = [affiliate for affiliate in due if affiliate not in attesting]
    is_over = end_of("month", month, rows.group.settings.time_zone) <= rows.now
    items = [
        CheckItem(is_over, "the month is over", f"last day {month_end(month)}", "wait for the month's end"),
        CheckItem(
            whole.complete,
            "all that was due is there, and has settled",
            "; ".join(whole.reasons) or "nothing is missing",
            "see the page Data, and run again",
        ),
        CheckItem(
            not lacking and not trouble,
            "each affiliate has attested",
            trouble or (f"nobody has attested for {', '.join(lacking)}" if lacking else f"{len(due)} of {len(due)}"),
            f"write {file}",
        ),
        CheckItem(
            bool(reconciliation),
            "published figures are reconciled",
            f"{len(reconciliation)} in {file}",
            f"write {file}, where the group or a product has published a figure",
        ),
        CheckItem(
            figures.publication.signed,
            "somebody has signed",
            f"{figures.publication.state} by {figures.publication.signed_by}" if figures.publication.signed else "nobody yet",
            "sign it below",
        ),
    ]
    # A figure of ours that isn't there is said: without it the published one is compared with nothing.
    beside = [
        (entry, figures.products.get(entry.product, whole if "/" not in entry.product else None)) for entry in reconciliation
    ]
    return MonthToSign(month, items, attestations, beside, figures.publication, trouble)


def sign(source: RowSource, month: date, signature: Signature, now: datetime) -> str:
    """Sign a month; gives the line to print. Raises `RefusedError` as `close_month` does; nothing is stored then."""
    manifests = source.manifests.read()
    with Workspace(source.manifests.directory, manifests.group, now) as workspace:
        close_month(workspace, month, signature)
        head = ledger_entry(workspace.store(), month)
    return f"Ledger, entry {head.number}: {head.digest}"
