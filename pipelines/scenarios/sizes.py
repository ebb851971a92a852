"""How many people a composition has at the base month, by the figure's own rules. Pure.

Products are united by their sketches, so a composition's size is what its figure would be: nothing is added up that overlaps.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from affiliates.manifests.product import ProductRef
from affiliates.manifests.readings import Reading
from pipelines.counting.convention import Convention
from pipelines.counting.figure import Figure, Share, figure_of
from pipelines.records import summed_bounds
from pipelines.scenarios.membership import Composition

Audiences = tuple[str, ...]
Shares = Mapping[ProductRef, Share]
"""By product, its share in the base month's figures."""


class GroupSize(NamedTuple):
    """The people of a composition at the base month."""

    estimate: float
    lower: int
    upper: int | None
    """Null where something is missing."""
    relative_error: float
    """The sketches' standard error as a part of the estimate."""
    reasons: tuple[str, ...]


_NOBODY = GroupSize(0.0, 0, 0, 0.0, ())


class Sizes:
    """The sizes of compositions, each measured once.

    `shares`: by audiences, each product's share, of every entity of the manifests; `targets`: by audiences, each target's
    products, by the target's name.
    """

    def __init__(
        self,
        convention: Convention,
        shares: Mapping[Audiences, Shares],
        targets: Mapping[Audiences, Mapping[str, Sequence[Share]]],
    ) -> None:
        self.convention = convention
        self._shares = shares
        self._targets = targets
        self._known = dict[tuple[frozenset[ProductRef], frozenset[str], Audiences, str], GroupSize]()

    def knows(self, audiences: Audiences) -> bool:
        """Whether the shares of these audiences were read."""
        return audiences in self._shares

    def limited(self, composition: Composition) -> Composition:
        """The composition without products that weren't due in the base month: nobody knows their people."""
        return composition.without(composition.products - self._shares[tuple(composition.reading.audiences)].keys())

    def shares_of(self, composition: Composition) -> dict[str, Share]:
        """The shares of a composition by name: affiliate/product, and a target's by the target's name and a number."""
        audiences = tuple(composition.reading.audiences)
        of_products = self._shares[audiences]
        named = {str(ref): share for ref, share in of_products.items() if ref in composition.products}
        for name, shares in self._targets.get(audiences, {}).items():
            if name in composition.targets:
                named |= {f"{name} ({place})" if len(shares) > 1 else name: s for place, s in enumerate(shares, 1)}
        return named

    def target_shares(self, name: str, audiences: Audiences) -> Sequence[Share]:
        """The shares of a target's products."""
        return self._targets[audiences][name]

    def of(self, composition: Composition) -> GroupSize:
        """The size of a composition."""
        reading = composition.reading
        # A product that isn't due in the base month has nobody in it.
        key = composition.products, composition.targets, tuple(reading.audiences), reading.counts
        if key not in self._known:
            self._known[key] = self._measured(composition)
        return self._known[key]

    def _measured(self, composition: Composition) -> GroupSize:
        return self.of_shares(list(self.shares_of(composition).values()), composition.reading)

    def of_shares(self, shares: Sequence[Share], reading: Reading) -> GroupSize:
        """The size of products by what a reading counts."""
        if not shares:
            return _NOBODY
        if reading.counts == "unique_people":
            return _size([figure_of(shares, self.convention)])
        return _size([figure_of([share], self.convention) for share in shares])


def lg_ks(shares: Iterable[Share]) -> list[int]:
    """The precisions of the sketches in shares, the lowest first."""
    return sorted({lg_k for share in shares for by_lg_k in share.pool.stated.values() for lg_k in by_lg_k})


def _size(figures: Sequence[Figure]) -> GroupSize:
    """The sum of figures: one, or each product's where a person of two products counts twice."""
    estimate = sum(figure.estimate or 0 for figure in figures)
    lower, upper = summed_bounds((figure.lower, figure.upper) for figure in figures)
    # Products share people and so their sketches' errors: those add up, and not their squares.
    error = sum(figure.standard_error for figure in figures)
    reasons = tuple(reason for figure in figures for reason in figure.reasons)
    return GroupSize(float(estimate), lower, upper, error / estimate if estimate else 0.0, reasons)
