"""Whether a contribution that was handed in may become the current one. Pure: no store is read here.

A sender that delivers one contribution in pieces, each of which replaces the piece before, loses users without anybody seeing
it. Most rules here keep that from happening (decision 43).
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from affiliates.contributions.contract import Contribution
from affiliates.errors import Code, Refusal
from affiliates.manifests.product import ProductRef
from affiliates.periods import last_day, month_of
from affiliates.sketches import plausibility
from pipelines import records
from pipelines.records import AcceptedContribution, Period, Restatement, StoredContribution, StoredPart
from pipelines.store.contributions import Cell

MANY = 100
"""Users of a part from which on a match is no chance of a few people."""

# Rules of refusals.
SPLIT = "is in another file too, with other users"
GONE = "a part of it is gone"
CLOSED = "its month is closed"
_ONE_FOLDER = "files of one contribution go into one folder"


@dataclass(frozen=True)
class Outline:
    """What a file says of one contribution, without its users."""

    computed_at: datetime
    cells: frozenset[tuple[str, str]]
    """The audience and the namespace of each part."""


class ContributionId(NamedTuple):
    """What a file says that a contribution is about. Equals the first columns of its rows."""

    affiliate: str
    product: str
    grain: str
    """`day` or `month`."""
    activity_date: date
    """The day, or the month's first day."""
    key_epoch: str


def shared_periods(files: Sequence[Mapping[ContributionId, Outline]]) -> dict[ContributionId, list[int]]:
    """Periods that several files hold, each with the files' places in the list.

    Left out are plain versions of each other: the same parts, computed one after the other. Half of the parts in each of two
    files, or two files of the same moment, are perhaps pieces of one export.
    """
    places = defaultdict[ContributionId, list[int]](list)
    for number, file in enumerate(files):
        for period in file:
            places[period].append(number)
    return {
        period: numbers for period, numbers in places.items() if not _are_versions([files[number][period] for number in numbers])
    }


def _are_versions(outlines: Sequence[Outline]) -> bool:
    """Whether all have the same parts, and no two were computed at the same moment; so has a single one."""
    have_same_parts = len({outline.cells for outline in outlines}) == 1
    return have_same_parts and len({outline.computed_at for outline in outlines}) == len(outlines)


def ambiguity(name: str, periods: Sequence[ContributionId]) -> Refusal:
    """The refusal of a file with periods that another file holds, too, with other users."""
    days = sorted({f"{period.activity_date}" for period in periods})
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
    """Why a contribution may not become the current version of its period.

    `before`: the current version, `cells`: the parts of that version, `signed`: first days of the closed months. A contribution
    that would change nothing is never refused.
    """
    contribution = accepted.contribution
    month = month_of(contribution.activity_date)
    if records.outcome(accepted, before).kind not in ("new", "replaced"):
        return
    # No month's figures rest on a second contribution, so a closed month takes it (decision 51).
    if month in signed and restated is None and not accepted.next_epoch:
        yield Refusal(
            Code.CONTRIBUTION_MONTH_CLOSED,
            contribution.subject,
            CLOSED,
            "it would be new" if before is None else "its registers are others",
            "have it approved: mauwatch receive FILE --restates REASON --by NAME; the signed figure stands until somebody "
            f"restates it: mauwatch close {month:%Y-%m}",
        )
    # Under another definition of active, other namespaces may have users.
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
    """Namespaces of external users that the version before has somebody in, and the contribution has no row of."""
    present = {part.namespace for part in contribution.parts if part.audience == "external"}
    return {cell.namespace for cell in cells if cell.audience == "external" and cell.estimate != 0} - present


def same_users(received: Sequence[AcceptedContribution], cells: Collection[Cell]) -> Iterator[str]:
    """Warnings of parts whose registers are those of another product's part in the same period.

    `cells`: the parts that the store has of these periods. Equal registers are as good as equal users: perhaps somebody sent
    one product's file under another's name. It is no refusal, since two products of one sign-on may share all users.
    """
    owners = defaultdict[tuple[str, date, str], set[ProductRef]](set)
    for cell in cells:
        owners[cell.grain, cell.activity_date, cell.sketch].add(cell.ref)
    parts = [(accepted.contribution, part) for accepted in received for part in accepted.contribution.parts]
    for contribution, part in parts:
        owners[contribution.grain, contribution.activity_date, part.registers.digest()].add(contribution.ref)
    for contribution, part in parts:
        others = owners[contribution.grain, contribution.activity_date, part.registers.digest()] - {contribution.ref}
        # Estimated last: nearly no part has the users of another one.
        is_chance = not others or part.registers.bounds().estimate < MANY
        for other in () if is_chance else sorted(others):
            yield (
                f"{contribution.subject}: its {part.audience} users of {part.namespace} are the very ones of "
                f"{other}: is it another product's file?"
            )


def lost_users(contribution: Contribution, before: Collection[StoredPart]) -> Iterator[str]:
    """Warnings of parts that lack more than a tenth of the users of the version that they replace.

    Late events only add users; another part of the same export, sent as a file of its own, has few of them. `before`: the parts
    of the version that is replaced.
    """
    stored = {(part.audience, part.namespace): part.registers for part in before}
    for part in contribution.parts:
        registers = stored.get((part.audience, part.namespace))
        gone = plausibility.gone(registers, part.registers) if registers is not None else 0
        if gone:
            yield (
                f"{contribution.subject}: about {gone:,.0f} {part.audience} users of {part.namespace} that the version before "
                f"had are gone: is it a part of it? {_ONE_FOLDER[0].upper()}{_ONE_FOLDER[1:]}"
            )


def many_events(contribution: Contribution) -> Iterator[str]:
    """Warnings of parts with more events than their few users can hardly make."""
    first = contribution.activity_date
    days = (last_day(contribution.grain, first) - first).days + 1
    for part in contribution.parts:
        # Events that aren't even many for one user need no estimate.
        if part.audience == "automated" or not plausibility.are_many(part.events, 1, days):
            continue
        users = round(part.registers.bounds().estimate)
        if plausibility.are_many(part.events, users, days):
            yield (
                f"{contribution.subject}: {part.events:,} events of {users:,} {part.audience} users of {part.namespace}: have "
                "keys been lost, or become one?"
            )


def by_period(cells: Collection[Cell]) -> dict[Period, list[Cell]]:
    """Parts of stored contributions, by their contributions' periods."""
    grouped = defaultdict[Period, list[Cell]](list)
    for cell in cells:
        grouped[cell.period].append(cell)
    return grouped


def restated_months(
    received: Sequence[AcceptedContribution], current: Mapping[Period, StoredContribution], signed: Collection[date]
) -> frozenset[date]:
    """First days of the closed months that contributions change. Second contributions are of no month's figures."""
    own = (accepted for accepted in received if not accepted.next_epoch)
    changed = {
        month_of(accepted.contribution.activity_date)
        for accepted in own
        if records.outcome(accepted, current.get(accepted.period)).kind in ("new", "replaced")
    }
    return frozenset(changed & set(signed))
