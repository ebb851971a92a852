"""May a contribution that was handed in become the current one? Pure: what is there goes in, refusals come out.

A sender that delivers a contribution in pieces, each of which replaces the one before, loses users without anybody seeing it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from affiliates.contributions.contract import Contribution
from affiliates.errors import Code, Refusal
from affiliates.manifests.product import ProductRef
from affiliates.periods import month_of
from affiliates.sketches.plausibility import SURE
from affiliates.sketches.registers import Registers, standard_error
from pipelines import records
from pipelines.records import AcceptedContribution, Period, Restatement, StoredContribution, StoredPart
from pipelines.store.contributions import Cell

MANY = 100
"""Users from which on two products with the very same ones are no chance."""
MISSED = 0.1
"""The share of a version's users whose loss is told."""

SPLIT = "is in another file too, with other users"
GONE = "a part of it is gone"
CLOSED = "its month is closed"
_ONE_FOLDER = "files of one contribution go into one folder"


@dataclass(frozen=True)
class Outline:
    """What a file says of one contribution, without its users."""

    computed_at: datetime
    cells: frozenset[tuple[str, str]]
    """Audiences and namespaces."""


class ContributionId(NamedTuple):
    """What a file says that a contribution is about. Equals the first columns of its rows."""

    affiliate: str
    product: str
    grain: str
    """`day` or `month`."""
    activity_date: date
    """The day, or the month's first day."""
    key_epoch: str


def doubtful(files: Sequence[Mapping[ContributionId, Outline]]) -> dict[ContributionId, list[int]]:
    """Periods that several files hold, and which these are, unless they are plainly versions: the same parts, computed one
    after the other."""
    found = defaultdict[ContributionId, list[int]](list)
    for number, file in enumerate(files):
        for about in file:
            found[about].append(number)
    return {about: numbers for about, numbers in found.items() if not _versions([files[n][about] for n in numbers])}


def _versions(outlines: Sequence[Outline]) -> bool:
    return len({o.cells for o in outlines}) == 1 and len({o.computed_at for o in outlines}) == len(outlines)


def split(name: str, about: Sequence[ContributionId]) -> Refusal:
    """A file that holds periods which another one holds too, with other registers."""
    days = sorted({f"{contribution.activity_date}" for contribution in about})
    more = f" and {len(days) - 3} more" if len(days) > 3 else ""
    return Refusal(
        Code.CONTRIBUTION_AMBIGUOUS,
        name,
        f"what it holds {SPLIT}",
        f"{', '.join(days[:3])}{more}",
        f"{_ONE_FOLDER}; hand versions in one by one",
    )


def refusals(
    accepted: AcceptedContribution,
    before: StoredContribution | None,
    cells: Collection[Cell],
    signed: Collection[date],
    restated: Restatement | None,
) -> Iterator[Refusal]:
    """Why a contribution may not become current: the current version of its period, its cells, and the months that are closed."""
    contribution = accepted.contribution
    found = records.outcome(accepted, before).kind
    month = month_of(contribution.activity_date)
    if found not in ("new", "replaced"):
        return
    if month in signed and restated is None and not accepted.next_epoch:
        yield Refusal(
            Code.CONTRIBUTION_MONTH_CLOSED,
            contribution.subject,
            CLOSED,
            "it would be new" if before is None else "its registers are others",
            "have it approved: mauwatch receive FILE --restates REASON --by NAME; the signed figure stands until somebody "
            f"restates it: mauwatch close {month:%Y-%m}",
        )
    if before is not None and before.definition == contribution.definition:
        gone = sorted(_gone(contribution, cells))
        if gone:
            yield Refusal(
                Code.CONTRIBUTION_INCOMPLETE,
                contribution.subject,
                GONE,
                f"external users of {', '.join(gone)}",
                f"{_ONE_FOLDER}; where there really is nobody any more, write a row with an empty sketch",
            )


def _gone(contribution: Contribution, cells: Collection[Cell]) -> set[str]:
    there = {part.namespace for part in contribution.parts if part.audience == "external"}
    return {c.namespace for c in cells if c.audience == "external" and c.estimate != 0} - there


def twins(received: Sequence[AcceptedContribution], cells: Collection[Cell]) -> Iterator[str]:
    """Warnings of parts whose registers are another product's of the same period."""
    owners = defaultdict[tuple[str, date, str], set[ProductRef]](set)
    for cell in cells:
        owners[cell.grain, cell.activity_date, cell.sketch].add(cell.ref)
    parts = [(c, part) for c, *_ in received for part in c.parts if part.registers.bounds().estimate >= MANY]
    for contribution, part in parts:
        owners[contribution.grain, contribution.activity_date, part.registers.digest()].add(contribution.ref)
    for contribution, part in parts:
        others = owners[contribution.grain, contribution.activity_date, part.registers.digest()] - {contribution.ref}
        for other in sorted(others):
            yield (
                f"{contribution.subject}: its {part.audience} users of {part.namespace} are the very ones of "
                f"{other}: is it another product's file?"
            )


def lost(contribution: Contribution, before: Collection[StoredPart]) -> Iterator[str]:
    """Warnings of parts that lack more than a tenth of the users of the version that they replace, as good as surely.

    Late events only add users; another part of the same export, sent as a file of its own, has few of them.
    """
    stored = {(part.audience, part.namespace): part.registers for part in before}
    for part in contribution.parts:
        registers = stored.get((part.audience, part.namespace))
        if registers is None or registers.bounds().estimate < MANY:
            continue
        united = Registers.union([registers, part.registers])
        both = united.bounds().estimate
        gone = both - part.registers.fold(united.lg_k).bounds().estimate
        if gone > max(registers.bounds().estimate * MISSED, SURE * standard_error(united.lg_k, both)):
            yield (
                f"{contribution.subject}: about {gone:,.0f} {part.audience} users of {part.namespace} that the version before "
                f"had are gone: is it a part of it? {_ONE_FOLDER[0].upper()}{_ONE_FOLDER[1:]}"
            )


def by_period(cells: Collection[Cell]) -> dict[Period, list[Cell]]:
    """Cells by what they are part of."""
    found = defaultdict[Period, list[Cell]](list)
    for cell in cells:
        found[cell.period].append(cell)
    return found


def restated_months(
    received: Sequence[AcceptedContribution], current: Mapping[Period, StoredContribution], signed: Collection[date]
) -> frozenset[date]:
    """The closed months that contributions change; second ones are of no month's figures."""
    own = (a for a in received if not a.next_epoch)
    changed = (a.contribution for a in own if records.outcome(a, current.get(a.period)).kind in ("new", "replaced"))
    return frozenset({month_of(c.activity_date) for c in changed} & set(signed))
