"""The adoption check's answer: whether a product is cleared to use a version, and who has to do what by when. Pure.

"Cleared" means that each clause finds `under`, `granted` or `exempt` by the readings that decide. It is no legal advice.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from affiliates.manifests.group import Group
from affiliates.manifests.model_use import ModelUse
from affiliates.manifests.product import ProductRef
from affiliates.periods import DAY
from pipelines.licences import grants
from pipelines.licences.entry import LicenceEntry
from pipelines.licences.outcome import STANDS, ClauseFinding, ReadingResult

ALLOWING = ("under", "exempt")
"""Results by which the text itself allows the use, so that no grant is needed."""


class ToDo(NamedTuple):
    """Something that has to be done before, or because, a product uses a version."""

    what: str
    whom: str
    """Whom to write to."""
    by: str
    """By when, in words."""


@dataclass(frozen=True)
class Clearance:
    """Whether a product is cleared to use a version, and what there is to do."""

    cleared: bool | None
    """Null where no clause of the version asks for anything that is tested."""
    answer: str
    """The answer in a sentence or two."""
    to_do: tuple[ToDo, ...]

    def to_dict(self) -> dict[str, Any]:
        """The answer as `licences --adopt --json` writes it."""
        return {"cleared": self.cleared, "answer": self.answer, "to_do": [item._asdict() for item in self.to_do]}


class _Open(NamedTuple):
    """A clause's result that keeps a product from being cleared."""

    finding: ClauseFinding
    reading: str
    outcome: ReadingResult


def deciding_readings(group: Group, today: date) -> set[str]:
    """The names of the readings that decide on a day: the one of record, or where none is, all of them (decision 54)."""
    record = {adopted.reading for adopted in group.readings.of_record if adopted.holds_on(today)}
    return record or {reading.name for reading in group.readings.readings}


def clear(group: Group, entry: LicenceEntry, ref: ProductRef, findings: Sequence[ClauseFinding], today: date) -> Clearance:
    """The answer for a product and a version, from the results of the version's clauses for the product."""
    deciding = deciding_readings(group, today)
    results = [_Open(f, name, o) for f in findings for name, o in f.readings.items() if name in deciding]
    hindering = [result for result in results if result.outcome.result not in STANDS]
    uses = [use for use in group.products[ref].models if use.model == entry.id and (use.to is None or use.to > today)]
    named = " and ".join(sorted(deciding))
    record = any(adopted.holds_on(today) for adopted in group.readings.of_record)
    under = f"the reading of record, {named}" if record else f"all readings ({named}), for none is of record"
    to_do = tuple(_to_do(group, entry, ref, hindering, findings, uses, today))
    if not results:
        return Clearance(None, f"Nothing to clear: no clause of {entry.id} asks for users, revenue or business.", to_do)
    if hindering:
        ways = "; ".join(dict.fromkeys(_way(result, uses, today) for result in hindering))
        return Clearance(False, f"Not cleared under {under}: {ways}.", to_do)
    whys = "; ".join(dict.fromkeys(_why(result) for result in results))
    return Clearance(True, f"Cleared under {under}: {whys}.", to_do)


def _way(result: _Open, uses: Sequence[ModelUse], today: date) -> str:
    """What would clear a clause."""
    finding, _, outcome = result
    if finding.needs:
        return f"{finding.clause} isn't tested here, and needs {finding.needs}"
    used = any(use.holds_on(today) for use in uses)
    ask = f"ask {finding.licensor or 'the licensor'} {'now, for it is used already' if used else 'before use'}"
    most = finding.most_under
    own = outcome.without_grants or outcome.result
    # A grant above its cap leads to `over`, though by the clause's own number nothing may be known.
    if outcome.without_grants is not None:
        return f"no grant covers it for certain ({outcome.why[-1]}): {ask}"
    if own == "not_measured" or most is None:
        return f"{ask}, or measure what {finding.clause} tests: {'; '.join(outcome.settled_by) or 'users'}"
    if own == "over":
        above = (outcome.lower or 0) - most
        return (
            f"{ask}: at least {outcome.lower:,} people in {finding.month:%Y-%m}, {above:,} above the {most:,} of {finding.clause}"
        )
    if outcome.upper is None:
        return f"{ask}, or get the upper bound that is missing, of {most:,} or less ({finding.clause}, {finding.month:%Y-%m})"
    down = outcome.upper - most
    return f"{ask}, or bring the upper bound down by {down:,} to {most:,} ({finding.clause}, {finding.month:%Y-%m})"


def _why(result: _Open) -> str:
    """Why a clause hinders nothing."""
    finding, _, outcome = result
    if outcome.result != "under":
        return f"{finding.clause} is {outcome.result}: {outcome.why[-1]}"
    upper = outcome.upper or 0
    below = (finding.threshold or 0) - upper
    return f"{finding.clause} finds at most {upper:,} people in {finding.month:%Y-%m}, {below:,} below the threshold"


def _to_do(
    group: Group,
    entry: LicenceEntry,
    ref: ProductRef,
    hindering: Sequence[_Open],
    findings: Sequence[ClauseFinding],
    uses: Sequence[ModelUse],
    today: date,
) -> Iterator[ToDo]:
    """What there is to do, the licensor first."""
    by = _by_when(group, uses, today)
    counsel = f"counsel of {ref.affiliate}"
    asking = {finding.licensor: finding for finding, _, _ in hindering if not finding.needs}
    for licensor, finding in asking.items():
        where = entry.requests_to if licensor == entry.licensor else None
        whom = f"{licensor}: {where}" if where else f"{licensor}; no address of it is known here"
        yield ToDo(f"ask for a licence for {ref}, by the clause {finding.clause} (a draft: --letter FILE)", whom, by)
    for need in dict.fromkeys(finding.needs for finding, _, _ in hindering if finding.needs):
        yield ToDo(f"find out: {need}", counsel, by)
    for remedy in dict.fromkeys(r for finding, _, outcome in hindering if not finding.needs for r in _remedies(outcome)):
        yield ToDo(f"or bring {remedy}", _owners(group, remedy), by)
    for days in use_without_grant(group, ref, entry.id, findings, today):
        yield ToDo(f"settle with the licensor: {days}", counsel, "now")
    if ref.affiliate not in [accepted.entity for accepted in grants.accepted_versions(group, entry.id)]:
        yield ToDo(f"have {entry.id} accepted for {ref.affiliate}, and note it in grants.yaml: `accepted`", counsel, by)
    if not uses:
        yield ToDo(f"name {entry.id} in the manifest of {ref}: `models`", _owner(group, ref), "with the first use")
    for grant in grants.grants_in_force(group, entry.id, *ref, today):
        for duty, due in grants.due_reports(grant, today):
            yield ToDo(
                f"report by grant {grant.id}: {duty}", entry.licensor, f"{due}{', which has passed' if due < today else ''}"
            )
    if entry.review_by < today:
        yield ToDo(f"read the text of {entry.id} again, and renew its entry: licences/*.yaml", "counsel", "now")


def _remedies(outcome: ReadingResult) -> Sequence[str]:
    """What would settle a result, without the distance, which nobody can be asked for."""
    return outcome.settling.remedies if outcome.settling else outcome.settled_by


def _by_when(group: Group, uses: Sequence[ModelUse], today: date) -> str:
    """By when a licence has to be asked for: the first day of use less the time that a request takes (alerts.yaml)."""
    lead = group.alerting.lead_times.licence_request
    if not uses:
        return f"{lead} days before the first use"
    first = min(use.from_ for use in uses)
    if first <= today:
        return f"now: used since {first}"
    latest = first - DAY * lead
    return f"{latest}, {lead} days before the first use" if latest > today else f"now: {lead} days before {first} have begun"


def _owners(group: Group, text: str) -> str:
    """Who answers for the products that a text names; headquarters where it names none."""
    named = [ref for ref in group.products if f"{ref}" in text.replace(":", " ").replace(",", " ").split()]
    return "; ".join(dict.fromkeys(_owner(group, ref) for ref in named)) or "headquarters"


def _owner(group: Group, ref: ProductRef) -> str:
    """Who answers for a product, by alerts.yaml, or else its affiliate."""
    return group.alerting.owner(ref) or f"{ref.affiliate}, who answers for {ref}"


def use_without_grant(
    group: Group, ref: ProductRef, licence: str, findings: Sequence[ClauseFinding], today: date
) -> Iterator[str]:
    """The days on which a product used a version without a grant, in words, where the clauses themselves don't allow the use."""
    deciding = deciding_readings(group, today)
    # A host's own clause is no business of the licensor's grants.
    tested = [finding for finding in findings if not finding.needs and not finding.is_of_host]
    own = [o.without_grants or o.result for finding in tested for name, o in finding.readings.items() if name in deciding]
    # Where the text itself allows the use on all readings that decide, nobody needs a grant.
    if all(result in ALLOWING for result in own):
        return
    for first, last in grants.days_without_grant(group, licence, ref, today):
        until = "to this day" if last == today else f"to {last}"
        yield f"{ref} used {licence} from {first} {until} without a grant ({(last - first).days + 1} days)"
