"""Between measured figures and the store's rows of them: the tables `publications` and `figures`."""

from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from datetime import date, datetime
from typing import Any

from affiliates.manifests.readings import Reading
from pipelines.counting.figure import Coverage, Figure
from pipelines.counting.inputs import Inputs
from pipelines.counting.measure import Measured
from pipelines.counting.window import Days
from pipelines.records import Position
from pipelines.store import publications
from pipelines.store.contributions import ContributionStore
from pipelines.store.publications import NewPublication, Publication


def new_publication(
    measured: Measured, reading: Reading, group: str, position: Position, known_at: datetime, state: str, **signed: Any
) -> NewPublication:
    """A publication that isn't stored yet, with its rows of figures.

    `position`: how far contributions and counts had been filled when the figures were measured; `signed`: of a signed month
    the columns signed_by, despite, reason, supersedes and collected.
    """
    row = {
        "month": measured.inputs.month,
        "reading": reading.name,
        "state": state,
        "inputs": measured.inputs.digest,
        "method": measured.inputs.method,
        "not_counted": "\n".join(measured.inputs.not_counted),
        "contributions_to": position.contributions,
        "counts_to": position.counts,
        "signed_by": None,
        "despite": None,
        "reason": None,
        "supersedes": None,
        "collected": None,
        "known_at": known_at,
        **signed,
    }
    return NewPublication(row, figure_rows(measured, reading, group, known_at, state))


def figure_rows(measured: Measured, reading: Reading, group: str, known_at: datetime, state: str) -> list[dict[str, Any]]:
    """The rows of the table `figures`, without their publication: the group's, each affiliate's, each product's.

    The columns have the names of `Figure`'s and `Coverage`'s fields.
    """
    scopes = [("group", group, measured.group)]
    scopes += [("affiliate", name, figure) for name, figure in measured.affiliates.items()]
    scopes += [("product", name, figure) for name, figure in measured.products.items()]
    # Measured figures are preliminary; the rows have the state of the publication.
    return [
        {k: v for k, v in asdict(figure).items() if k not in ("coverage", "reasons")}
        | asdict(figure.coverage)
        | {"month": measured.inputs.month, "reading": reading.name, "scope": scope, "subject": subject, "state": state}
        | {"reasons": "\n".join(figure.reasons), "inputs": measured.inputs.digest, "known_at": known_at}
        for scope, subject, figure in scopes
    ]


def read_figures(store: ContributionStore, publication: Publication, reading: Reading) -> Measured:
    """The figures as they were published. Their inputs hold only the digest, the window and what wasn't counted."""
    rows = publications.figures_of(store, publication.id)
    days = Days.from_month(publication.month)
    inputs = Inputs(days, reading, (), (), (), {}, publication.not_counted, publication.inputs, method=publication.method)
    by_scope = {scope: {r["subject"]: _figure(r) for r in rows if r["scope"] == scope} for scope in ("affiliate", "product")}
    # Exactly one row is the group's, whatever the group was called when the month was published.
    (whole,) = (_figure(row) for row in rows if row["scope"] == "group")
    return Measured(inputs, whole, by_scope["affiliate"], by_scope["product"])


def with_state(measured: Measured, state: str) -> Measured:
    """The same figures in another state."""
    return replace(
        measured,
        group=replace(measured.group, state=state),
        affiliates={name: replace(figure, state=state) for name, figure in measured.affiliates.items()},
        products={name: replace(figure, state=state) for name, figure in measured.products.items()},
    )


def signed_months(store: ContributionStore) -> dict[date, dict[str, Publication]]:
    """The publications of closed and restated months, by month and reading."""
    signed: dict[date, dict[str, Publication]] = {}
    for (month, reading), publication in publications.in_force(store).items():
        if publication.signed:
            signed.setdefault(month, {})[reading] = publication
    return signed


def _figure(row: Mapping[str, Any]) -> Figure:
    """The figure of a row of the table `figures`."""
    coverage = Coverage(**{field.name: row[field.name] for field in fields(Coverage)})
    columns = {f.name: row[f.name] for f in fields(Figure) if f.name not in ("coverage", "reasons")}
    return Figure(**columns, coverage=coverage, reasons=tuple(row["reasons"].splitlines()))
