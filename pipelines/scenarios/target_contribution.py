"""A target's contribution as a scenario takes it: checked as an affiliate's would be, united with nothing, stored nowhere."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path

from affiliates.contributions import contract
from affiliates.contributions.contract import Contribution
from affiliates.errors import Code, Refusal, RefusedError, refused
from affiliates.identity.canaries import Canaries
from affiliates.manifests.group import Entity, Group
from affiliates.manifests.product import AUDIENCES, Active, Product, ProductRef
from affiliates.manifests.readings import Reading
from affiliates.periods import month_end, month_of
from pipelines.counting import measure
from pipelines.counting.figure import Share
from pipelines.counting.inputs import gather
from pipelines.ingestion import acceptance
from pipelines.records import AcceptedContribution, Position, StatedCount, StoredContribution, StoredPart
from pipelines.scenarios.changes import Acquire


@dataclass(frozen=True)
class Checks:
    """What a contribution of a month is checked by."""

    canaries: Callable[[date], Canaries]
    crosswalk_digest: Callable[[date], str]
    now: datetime


@dataclass(frozen=True)
class TargetContribution:
    """A target's contribution that has passed all checks."""

    digest: str
    """SHA-256 in hex of the file."""
    accepted: tuple[AcceptedContribution, ...]
    group: Group
    """The group with the target in it as one more affiliate, whom nobody holds."""

    def shares(self, month: date, reading: Reading) -> list[Share]:
        """The shares of the target's products in a month's figures, by the same rules as an affiliate's."""
        alone = self.group.model_copy(update={"entities": {n: self.group.entities[n] for n in self._affiliates}})
        settings = alone.settings.model_copy(update={"ultimate_parent": self._affiliates[0]})
        # Several entities of one file are all the target's.
        entities = {name: entity.model_copy(update={"controlled_by": ()}) for name, entity in alone.entities.items()}
        alone = alone.model_copy(update={"settings": settings, "entities": entities})
        reader = _Reader(self.accepted)
        inputs = gather(reader, alone, month, reading)
        return list(measure.shares_of(reader, alone, inputs).values())

    @property
    def _affiliates(self) -> list[str]:
        return sorted({accepted.contribution.affiliate for accepted in self.accepted})


def read_target(change: Acquire, folder: Path, group: Group, month: date, checks: Checks) -> TargetContribution:
    """Read a target's file. Raises `RefusedError` where it can't be united with the group's month; nothing is stored."""
    assert change.contribution is not None
    path = folder / change.contribution
    subject = change.label
    if not path.is_file():
        raise refused(Code.SCENARIO_CONTRIBUTION_WRONG, subject, "there is no such file", change.contribution, "correct the path")
    content = path.read_bytes()
    try:
        contributions = contract.read(path)
        if mistakes := list(_mistakes(subject, contributions, group, month)):
            raise RefusedError(*mistakes)
        with_target = _with_target(group, contributions, month)
        accepted, refusals = acceptance.check(contributions, with_target, checks.canaries, checks.crosswalk_digest, checks.now)
        if refusals:
            raise RefusedError(*refusals)
    except RefusedError as error:
        raise RefusedError(*(_as_targets(refusal, subject) for refusal in error.refusals)) from None
    return TargetContribution(hashlib.sha256(content).hexdigest(), tuple(accepted), with_target)


def _as_targets(refusal: Refusal, subject: str) -> Refusal:
    """A refusal of a contribution as that of a change: an affiliate's next step isn't a target's."""
    next_step = "let the target compute it with the month's key and crosswalk: mauwatch contribute"
    about = refusal.subject if refusal.subject == subject else f"{subject}, {refusal.subject}"
    return replace(refusal, code=Code.SCENARIO_CONTRIBUTION_WRONG, subject=about, next_step=next_step)


def _mistakes(subject: str, contributions: Sequence[Contribution], group: Group, month: date) -> Iterator[Refusal]:
    """Why contributions are no target's of the month, before their keys are looked at."""

    def refusal(rule: str, values: str) -> Refusal:
        return Refusal(Code.SCENARIO_CONTRIBUTION_WRONG, subject, rule, values, "")

    if not contributions:
        yield refusal("the file holds no contribution", "")
    months = sorted({month_of(c.activity_date) for c in contributions} - {month})
    if months:
        yield refusal("holds other months than the base month", f"{months[0]:%Y-%m}, the base is {month:%Y-%m}")
    members = sorted({c.affiliate for c in contributions} & set(group.affiliates(month_end(month))))
    if members:
        yield refusal("is of a member of the group already", ", ".join(members))
    affiliates = {c.affiliate for c in contributions}
    if len(affiliates) > 1:
        yield refusal("is of several affiliates", f"{len(affiliates)}; write one change for each")


def _with_target(group: Group, contributions: Sequence[Contribution], month: date) -> Group:
    """The group with the target's products: as a manifest has them where there is one, else as the contributions name them."""
    name = contributions[0].affiliate
    known = group.entities.get(name, Entity(entity=name))
    products = {product.product: product for product in known.products}
    for c in contributions:
        audiences = tuple(name for name in AUDIENCES if c.audiences is None or name in c.audiences.split())
        values = {"product": c.product, "from": month, "grain": c.grain, "audiences": audiences, "settles_after": 0}
        active = Active(id="as-the-target-says", meaning=c.definition)
        products.setdefault(c.product, Product.model_validate({**values, "active": active}))
    entity = known.model_copy(update={"products": tuple(products.values())})
    return group.model_copy(update={"entities": {**group.entities, name: entity}})


class _Reader:
    """The contributions of a file: a `ContributionReader`."""

    def __init__(self, accepted: Sequence[AcceptedContribution]) -> None:
        self._by_id = dict(enumerate((a.contribution for a in accepted), 1))
        self._versions = [_stored(number, one) for number, one in enumerate(accepted, 1)]

    def read_around(
        self, first: date, last: date, up_to: Position | None = None, next_epoch: bool = False
    ) -> list[StoredContribution]:
        """All contributions: they are of one month."""
        return sorted(self._versions, key=lambda v: (v.ref, v.activity_date))

    def read_parts(self, ids: Sequence[int]) -> Iterator[tuple[int, StoredPart]]:
        """Each part of the contributions with these numbers."""
        for number in ids:
            for part in self._by_id[number].parts:
                yield number, StoredPart(part.audience, part.namespace, part.registers, None, part.events)

    def read_events(self, ref: ProductRef, next_epoch: bool = False) -> Mapping[date, int]:
        """Nothing: a file has no second contributions."""
        return {}

    def read_counts(self, first: date, last: date, up_to: Position | None = None) -> list[StatedCount]:
        """Nothing: a number is stated in the scenario."""
        return []


def _stored(number: int, accepted: AcceptedContribution) -> StoredContribution:
    """A contribution of a file as counting reads one of the store."""
    c = accepted.contribution
    return StoredContribution(
        id=number,
        affiliate=c.affiliate,
        product=c.product,
        grain=c.grain,
        activity_date=c.activity_date,
        digest=c.digest,
        key_epoch=c.key_epoch,
        key_fingerprint=accepted.key_fingerprint,
        crosswalk_digest=c.crosswalk_digest,
        definition=c.definition,
        definition_digest=c.definition_digest,
        day_zone=c.day_zone,
        unidentified_events=c.unidentified_events,
        undecided_events=c.undecided_events,
        next_epoch=False,
        computed_at=c.computed_at,
        audiences=c.audiences,
        excluded_events=c.excluded_events,
    )
