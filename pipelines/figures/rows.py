"""Between measured figures and what the store keeps of them."""

from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from datetime import date, datetime
from typing import Any

from affiliates.manifests.readings import Reading
from pipelines.counting.figure import Coverage, Figure
from pipelines.counting.inputs import METHOD, Inputs
from pipelines.counting.measure import Measured
from pipelines.counting.window import Days
from pipelines.records import Position
from pipelines.store import publications
from pipelines.store.contributions import ContributionStore
from pipelines.store.publications import NewPublication, Publication


def new_publication(
    measured: Measured, reading: Reading, group: str, position: Position, known_at: datetime, state: str, **signed: Any
) -> NewPublication:
    """A publication to be; `signed`: signed_by, despite, reason, supersedes."""
    row = {
        "month": measured.inputs.month,
        "reading": reading.name,
        "state": state,
        "inputs": measured.inputs.digest,
        "method": METHOD,
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
    return NewPublication(row, rows(measured, reading, group, known_at, state))


def rows(measured: Measured, reading: Reading, group: str, known_at: datetime, state: str) -> list[dict[str, Any]]:
    """The rows of the table `figures`, but for their publication."""
    scopes = [("group", group, measured.group)]
    scopes += [("affiliate", name, figure) for name, figure in measured.affiliates.items()]
    scopes += [("product", name, figure) for name, figure in measured.products.items()]
    return [
        {k: v for k, v in asdict(figure).items() if k not in ("coverage", "reasons")}
        | asdict(figure.coverage)
        | {"month": measured.inputs.month, "reading": reading.name, "scope": scope, "subject": subject, "state": state}
        | {"reasons": "\n".join(figure.reasons), "inputs": measured.inputs.digest, "known_at": known_at}
        for scope, subject, figure in scopes
    ]


def read(store: ContributionStore, publication: Publication, reading: Reading) -> Measured:
    """The figures as they were published; what they rest on is only a digest."""
    found = publications.figures_of(store, publication.id)
    inputs = Inputs(Days.from_month(publication.month), reading, (), (), (), {}, publication.not_counted, publication.inputs)
    by_scope = {scope: {r["subject"]: _figure(r) for r in found if r["scope"] == scope} for scope in ("affiliate", "product")}
    (whole,) = (_figure(row) for row in found if row["scope"] == "group")
    return Measured(inputs, whole, by_scope["affiliate"], by_scope["product"])


def with_state(measured: Measured, state: str) -> Measured:
    """The same figures in another state."""

    def each(found: Mapping[str, Figure]) -> dict[str, Figure]:
        return {name: replace(figure, state=state) for name, figure in found.items()}

    return replace(
        measured,
        group=replace(measured.group, state=state),
        affiliates=each(measured.affiliates),
        products=each(measured.products),
    )


def signed_months(store: ContributionStore) -> dict[date, dict[str, Publication]]:
    """Closed and restated months, with their publications by reading."""
    found: dict[date, dict[str, Publication]] = {}
    for (month, reading), publication in publications.in_force(store).items():
        if publication.signed:
            found.setdefault(month, {})[reading] = publication
    return found


def _figure(row: Mapping[str, Any]) -> Figure:
    coverage = Coverage(**{field.name: row[field.name] for field in fields(Coverage)})
    said = {f.name: row[f.name] for f in fields(Figure) if f.name not in ("coverage", "reasons")}
    return Figure(**said, coverage=coverage, reasons=tuple(row["reasons"].splitlines()))
