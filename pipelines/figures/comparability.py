"""Whether two months' figures can be compared: what a figure rests on besides the people, and what of that has changed. Pure.

What is no growth: decision 55. A forecast takes the step over such a change for another level, and a page says the change instead
of a percentage.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from operator import attrgetter
from typing import Literal, NamedTuple, Self

from affiliates.manifests.group import affiliate_of
from affiliates.manifests.product import ProductRef
from affiliates.periods import month_end
from pipelines.counting.convention import comparable
from pipelines.counting.inputs import Inputs
from pipelines.counting.measure import Measured
from pipelines.store.publications import RESTATED, Publication

Definitions = frozenset[tuple[str, str | None]]
"""Of a product's contributions: label, and digest of the settings that decide who counts."""


@dataclass(frozen=True)
class Basis:
    """What a month's figure rests on besides the people: a change of it moves the figure, and is no growth."""

    affiliates: frozenset[str]
    """Members of the group that have products."""
    definitions: Mapping[str, Definitions]
    """By product, as affiliate/product."""
    counted: frozenset[str]
    """Products for whose missing sketches a count or a ceiling stands in."""
    joined: bool
    """Whether a crosswalk joined identifiers to people."""
    restated: bool
    """Whether the month was restated after it was closed."""
    method: int
    """The version of counting: `convention.METHOD` when the month was published."""
    grains: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By product, `day` or `month`, of the contributions that are counted."""

    def part_for(self, subject: str) -> Self:
        """The part that the figure of an affiliate, or of a product (affiliate/product), rests on."""

        def belongs(product: str) -> bool:
            return ProductRef.parse(product).belongs_to(subject)

        return replace(
            self,
            affiliates=self.affiliates & {affiliate_of(subject)},
            definitions={product: labels for product, labels in self.definitions.items() if belongs(product)},
            counted=frozenset(filter(belongs, self.counted)),
            grains={product: grains for product, grains in self.grains.items() if belongs(product)},
        )


@dataclass(frozen=True)
class InputsOutline:
    """What two months are compared by, of all that a publication's figures rest on; small enough to be kept for every month."""

    members: tuple[str, ...]
    """The affiliates of the group, by id."""
    definitions: Mapping[str, Definitions]
    """By product, as affiliate/product."""
    grains: Mapping[str, frozenset[str]]
    """By product, `day` or `month`."""
    joined: bool
    """Whether a crosswalk joined identifiers to people."""
    digest: str
    """`Inputs.digest`."""
    unerased: str
    """`Inputs.unerased`."""


def outline(inputs: Inputs) -> InputsOutline:
    """The outline of a month's inputs."""
    definitions: dict[str, set[tuple[str, str | None]]] = {}
    grains: dict[str, set[str]] = {}
    # Another zone's days beside the month belong to the month beside: their definition says nothing of this one.
    first, last = inputs.month, month_end(inputs.month)
    for ref, versions in groupby((v for v in inputs.versions if first <= v.activity_date <= last), key=attrgetter("ref")):
        of_product = list(versions)
        definitions.setdefault(str(ref), set()).update((v.definition, v.definition_digest) for v in of_product)
        grains.setdefault(str(ref), set()).update(v.grain for v in of_product)
    return InputsOutline(
        inputs.members,
        {product: frozenset(labels) for product, labels in definitions.items()},
        {product: frozenset(names) for product, names in grains.items()},
        any(version.crosswalk_digest for version in inputs.versions),
        inputs.digest,
        inputs.unerased,
    )


def basis_of(rests_on: InputsOutline, publication: Publication, measured: Measured, counted_affiliates: set[str]) -> Basis:
    """What a published month's figures rest on; `rests_on`: by what the store held when they were published.

    `counted_affiliates`: those with a figure in any month. A manifest may name others by now, which no figure has.
    """
    return Basis(
        frozenset(counted_affiliates.intersection(rests_on.members)),
        rests_on.definitions,
        frozenset(product for product, figure in measured.products.items() if not figure.complete),
        rests_on.joined,
        publication.state == RESTATED,
        publication.method,
        rests_on.grains,
    )


def breaks(before: Basis, after: Basis) -> Iterator[str]:
    """Why the step from one month's figure to the next one's says nothing of growth, one text each; none where the step does."""
    if changed := _redefined(before, after):
        yield f"another definition of {', '.join(changed)}"
    if arrived := sorted(after.affiliates - before.affiliates):
        yield f"{', '.join(arrived)} joined the group"
    if departed := sorted(before.affiliates - after.affiliates):
        yield f"{', '.join(departed)} left the group"
    if before.counted != after.counted:
        yield f"counts stand in for others than before ({', '.join(sorted(before.counted ^ after.counted))})"
    yield from (what for _, what in _of_everybody(before, after))


Kind = Literal["growth", "joined", "left", "restated", "definition", "grain", "stand_in", "crosswalk", "method", "gap", "first"]
"""Why a month differs from the one before. `gap`: one of the two has no upper bound; `first`: nothing is published before it."""


class StepCause(NamedTuple):
    """One cause of the step from one month's figure to the next one's."""

    kind: Kind
    subject: str
    """An affiliate, or affiliate/product; empty for the whole group."""
    what: str
    """The cause in words."""
    people: int | None = None
    """The subject's own people, in the month or else in the one before; null where that isn't known."""


def step_changes(before: Basis, after: Basis) -> Iterator[StepCause]:
    """What of two months isn't the same besides the people, each cause with whom it is about; nothing where the step is growth.

    All of `breaks`, and a product that is counted by whole months now and was by days, or the other way round.
    """
    for name in sorted(after.affiliates - before.affiliates):
        yield StepCause("joined", name, f"{name} joined the group")
    for name in sorted(before.affiliates - after.affiliates):
        yield StepCause("left", name, f"{name} left the group")
    for product in _redefined(before, after):
        labels = " and ".join(sorted(label for label, _ in after.definitions[product]))
        yield StepCause("definition", product, f"another definition of {product}: {labels}")
    for product in sorted(before.grains.keys() & after.grains.keys()):
        if before.grains[product] != after.grains[product]:
            units = " and ".join(f"{name}s" for name in sorted(after.grains[product]))
            yield StepCause("grain", product, f"{product} is counted by {units} from here on")
    for product in sorted(after.counted - before.counted):
        yield StepCause("stand_in", product, f"a count or a ceiling stands in for {product}, and didn't in the month before")
    for product in sorted(before.counted - after.counted):
        yield StepCause("stand_in", product, f"{product} is there in sketches; in the month before a count or a ceiling stood in")
    yield from (StepCause(kind, "", what) for kind, what in _of_everybody(before, after))


def _of_everybody(before: Basis, after: Basis) -> Iterator[tuple[Kind, str]]:
    """The changes that are about no product or affiliate alone."""
    if before.joined != after.joined:
        yield (
            "crosswalk",
            "from here on a crosswalk joins people" if after.joined else "without the crosswalk of the month before",
        )
    if comparable(before.method) != comparable(after.method):
        yield "method", f"counted by method {after.method}"
    if before.restated != after.restated:
        yield "restated", "restated" if after.restated else "the month before is restated"


def _redefined(before: Basis, after: Basis) -> list[str]:
    """The products of both months that define active users in another way, in order."""
    return sorted(
        product
        for product in before.definitions.keys() & after.definitions.keys()
        if _differ(before.definitions[product], after.definitions[product])
    )


def new_definitions(before: Definitions, after: Definitions) -> list[str]:
    """Labels of the definitions in `after` that aren't in `before`, in order.

    Definitions are compared by their digests where all of them have one, else by their labels: a label may change while the
    same people count, and the other way round.
    """
    known = all(digest for _, digest in before | after)
    earlier = {digest if known else label for label, digest in before}
    return sorted({label for label, digest in after if (digest if known else label) not in earlier})


def _differ(before: Definitions, after: Definitions) -> bool:
    """Whether the definitions of two months are different ones, in either direction."""
    return bool(new_definitions(before, after) or new_definitions(after, before))
