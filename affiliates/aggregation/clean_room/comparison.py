"""What the sketches of both sides of a deal say: people, overlap, shares, union, and who only one side has. Pure.

Identifiers of one namespace are compared, where both sides have it and agreed that it means the same. What isn't compared is
said: an overlap of some identifiers would else pass for the overlap of all people.

Over 300 lines: the shapes of the report are half of them, beside what fills each.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from affiliates.aggregation.clean_room import reveals
from affiliates.aggregation.clean_room.deal import Terms
from affiliates.contributions.contract import Contribution
from affiliates.errors import Code, printable, refused
from affiliates.sketches.overlap import overlap
from affiliates.sketches.registers import Registers


@dataclass(frozen=True)
class Number:
    """A number of people, or a share of them, with its 95 % interval."""

    estimate: float
    lower: float
    upper: float

    def to_dict(self) -> dict[str, float]:
        """The number by name, not rounded."""
        return {"estimate": self.estimate, "lower": self.lower, "upper": self.upper}

    def around(self, estimate: float) -> "Number":
        """Another estimate of the same number, inside of the same interval, or of one that reaches to the estimate."""
        return Number(estimate, min(self.lower, estimate), max(self.upper, estimate))

    def share_of(self, whole: "Number") -> "Number":
        """The number as a share of a whole that contains it, at most 1. The whole's own error is left out."""
        size = max(whole.estimate, 1.0)
        return Number(*(min(value / size, 1.0) for value in (self.estimate, self.lower, self.upper)))


NOBODY = Number(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Pair:
    """What two sketches of one namespace have in common."""

    common: Number
    only_ours: Number
    only_theirs: Number
    union: Number
    share_of_ours: Number
    share_of_theirs: Number
    measurable: bool
    """Whether the overlap is three standard errors from none; else only its interval says something."""


@dataclass(frozen=True)
class IdentifierKind:
    """One kind of identifiers (a namespace) on both sides."""

    namespace: str
    ours: Number | None
    """Null where the side has none of this kind."""
    theirs: Number | None
    pair: Pair | None
    why_not: str
    """Why nothing was compared; empty where it was."""


@dataclass(frozen=True)
class DealSide:
    """One side's users of the month."""

    people: Number
    """By all kinds of identifiers; a person with two of them counts twice."""
    compared: Number
    """Of them, by those kinds that both sides have."""
    unidentified: float | None
    """The share of events that named nobody; null where it isn't known."""
    definitions: tuple[str, ...]
    zones: tuple[str, ...]
    made_by: tuple[str, ...]
    reveals: tuple[str, ...]
    """What this side's sketches reveal to whoever has them and the key."""
    false_yes: Mapping[str, float]
    """By compared namespace, the chance that somebody who isn't in the sketch seems to be."""


@dataclass(frozen=True)
class DealReport:
    """The report of a deal."""

    terms: Terms
    ours: DealSide
    theirs: DealSide
    kinds: tuple[IdentifierKind, ...]
    common: Number | None
    """Null where no kind of identifiers was compared."""
    share_of_ours: Number | None
    """Of the people of ours that were compared."""
    share_of_theirs: Number | None
    only_ours: Number | None
    only_theirs: Number | None
    union: Number | None
    measurable: bool
    more_in_common: float
    """How many people more may be on both sides, known to them by kinds of identifiers that weren't compared with each other."""

    @property
    def union_at_least(self) -> float:
        """People of both sides together at the least, whoever of those that weren't compared is the same."""
        both = self.ours.people.lower + self.theirs.people.lower
        common = self.common.upper if self.common else 0.0
        return max(self.ours.people.lower, self.theirs.people.lower, both - common - self.more_in_common)

    @property
    def union_at_most(self) -> float:
        """The people of both sides together at the most: nobody is the same but those who were seen to be."""
        return self.union.upper if self.union else self.ours.people.upper + self.theirs.people.upper

    def to_dict(self) -> dict[str, object]:
        """The report as JSON has it. The deal's name isn't in it."""
        numbers = {
            "common": self.common, "share_of_ours": self.share_of_ours, "share_of_theirs": self.share_of_theirs,
            "union": self.union, "only_ours": self.only_ours, "only_theirs": self.only_theirs,
        }  # fmt: skip
        return {
            "month": f"{self.terms.month:%Y-%m}",
            "fingerprint": self.terms.fingerprint,
            "lg_k": self.terms.lg_k,
            "normalisation": self.terms.normalisation,
            "ours": _side(self.ours),
            "theirs": _side(self.theirs),
            **{name: number.to_dict() if number else None for name, number in numbers.items()},
            "measurable": self.measurable,
            "more_in_common": self.more_in_common,
            "union_bounds": [self.union_at_least, self.union_at_most],
            "kinds": [_kind(kind) for kind in self.kinds],
        }


def compare(ours: Sequence[Contribution], theirs: Sequence[Contribution], terms: Terms) -> DealReport:
    """The report on two sides' contributions, each checked by `checks` before. Raises `RefusedError` for the same users twice."""
    users = [_users(contribution) for contribution in (*ours, *theirs)]
    if len(set(users)) < len(users):
        raise refused(
            Code.DEAL_FILE_OTHER,
            "a file",
            "is there twice, on one side or on both",
            "the same users in two contributions",
            "put each file once into the folder of the side that made it",
        )
    our_sketches = _by_namespace(ours, terms)
    their_sketches = _by_namespace(theirs, terms)
    names = sorted({*our_sketches, *their_sketches})
    kinds = tuple(_kind_of(name, our_sketches.get(name), their_sketches.get(name), terms) for name in names)
    our_side = _side_of(ours, our_sketches, [(kind.ours, kind.pair) for kind in kinds], terms)
    their_side = _side_of(theirs, their_sketches, [(kind.theirs, kind.pair) for kind in kinds], terms)
    pairs = [kind.pair for kind in kinds if kind.pair]
    # People by identifiers that weren't compared belong to their side alone, as far as anybody can see.
    ours_else = _sum(kind.ours for kind in kinds if kind.ours and not kind.pair)
    theirs_else = _sum(kind.theirs for kind in kinds if kind.theirs and not kind.pair)
    common = _sum(pair.common for pair in pairs)
    return DealReport(
        terms=terms,
        ours=our_side,
        theirs=their_side,
        kinds=kinds,
        common=common if pairs else None,
        share_of_ours=_share(pairs, common, our_side.compared, "share_of_ours"),
        share_of_theirs=_share(pairs, common, their_side.compared, "share_of_theirs"),
        only_ours=_sum([ours_else, *(pair.only_ours for pair in pairs)]) if pairs else None,
        only_theirs=_sum([theirs_else, *(pair.only_theirs for pair in pairs)]) if pairs else None,
        union=_sum([ours_else, theirs_else, *(pair.union for pair in pairs)]) if pairs else None,
        measurable=any(pair.measurable for pair in pairs),
        more_in_common=_more_in_common(kinds),
    )


def _share(pairs: Sequence[Pair], common: Number, compared: Number, name: str) -> Number | None:
    """The common people as a share of a side's; by the pair itself where there is one, which knows its error best."""
    if len(pairs) == 1:
        share: Number = getattr(pairs[0], name)
        return share
    return common.share_of(compared) if pairs else None


def _sum(numbers: Iterable[Number]) -> Number:
    """The sum of numbers of different people. Limits are added as they are: an interval too wide rather than too narrow."""
    listed = list(numbers)
    return Number(
        sum(number.estimate for number in listed), sum(number.lower for number in listed), sum(number.upper for number in listed)
    )


def _users(contribution: Contribution) -> tuple[tuple[str, str], ...]:
    """Which users a contribution holds; nothing where it holds nobody."""
    return tuple((part.namespace, part.registers.digest()) for part in contribution.parts if not part.registers.is_empty) or (
        ("nobody of", contribution.affiliate),
    )


def _pair(ours: Registers, theirs: Registers) -> Pair:
    """What two sketches have in common, by their joint likelihood."""
    measured = overlap(ours, theirs)
    whole = measured.common.estimate + measured.only_first.estimate + measured.only_second.estimate
    united = Number(*Registers.union([ours, theirs]).bounds())
    return Pair(
        common=Number(*measured.common),
        only_ours=Number(*measured.only_first),
        only_theirs=Number(*measured.only_second),
        union=united.around(whole),
        share_of_ours=Number(*(measured.share_of_first or (0.0, 0.0, 0.0))),
        share_of_theirs=Number(*(measured.share_of_second or (0.0, 0.0, 0.0))),
        measurable=measured.measurable,
    )


def _by_namespace(side: Sequence[Contribution], terms: Terms) -> dict[str, list[Registers]]:
    """A side's sketches: one of everybody in an agreed namespace; of any other each file's own, which can't be united."""
    sketches: dict[str, list[Registers]] = {}
    for contribution in side:
        for part in contribution.parts:
            sketches.setdefault(part.namespace, []).append(part.registers)
    return {name: [Registers.union(parts)] if name in terms.namespaces else parts for name, parts in sketches.items()}


def _number(sketches: Sequence[Registers]) -> Number:
    """How many people there are in sketches; in several that can't be united, their sum."""
    return _sum(Number(*sketch.bounds()) for sketch in sketches)


def _kind_of(name: str, ours: list[Registers] | None, theirs: list[Registers] | None, terms: Terms) -> IdentifierKind:
    why_not = ""
    if name not in terms.namespaces:
        why_not = "not agreed on: its size alone was handed over"
    elif not ours or not theirs:
        why_not = f"only {'theirs' if theirs else 'ours'} have it"
    pair = _pair(ours[0], theirs[0]) if ours and theirs and not why_not else None
    of_ours = _number(ours) if ours else None
    of_theirs = _number(theirs) if theirs else None
    if pair and of_ours and of_theirs:
        # By the fit that the overlap is of, so that the parts add up to the whole.
        of_ours = of_ours.around(pair.common.estimate + pair.only_ours.estimate)
        of_theirs = of_theirs.around(pair.common.estimate + pair.only_theirs.estimate)
    return IdentifierKind(name, of_ours, of_theirs, pair, why_not)


def _side_of(
    side: Sequence[Contribution],
    sketches: Mapping[str, list[Registers]],
    numbers: Sequence[tuple[Number | None, Pair | None]],
    terms: Terms,
) -> DealSide:
    """One side. `numbers`: of each kind of identifiers the side's people, and what was compared."""
    parts = [part for contribution in side for part in contribution.parts]
    unidentified = [contribution.unidentified_events for contribution in side]
    known = [number for number in unidentified if number is not None]
    identified = [part.events for part in parts if part.events is not None]
    events = sum(known) + sum(identified)
    all_known = len(known) == len(unidentified) and len(identified) == len(parts)
    agreed = {name: united for name, (united, *_) in sketches.items() if name in terms.namespaces and not united.is_empty}
    return DealSide(
        people=_sum(number for number, _ in numbers if number),
        compared=_sum(number for number, pair in numbers if number and pair),
        unidentified=sum(known) / events if all_known and events else None,
        definitions=tuple(sorted({contribution.definition for contribution in side})),
        zones=tuple(sorted({contribution.day_zone for contribution in side})),
        made_by=tuple(sorted(f"{printable(contribution.affiliate)}: {contribution.producer}" for contribution in side)),
        reveals=tuple(reveals.in_words(name, sketch) for name, sketch in sorted(agreed.items())),
        false_yes={name: reveals.false_yes(sketch) for name, sketch in sorted(agreed.items())},
    )


def _more_in_common(kinds: Sequence[IdentifierKind]) -> float:
    """How many more may be on both sides: ours by one kind of identifiers, theirs by another that it wasn't compared with.

    The most pairs of a person of ours and one of theirs, neither in common yet, whose kinds weren't compared: all of the smaller
    side, or all but those of one compared kind (the least cover of a bipartite graph, by König's theorem).
    """
    ours = [max((kind.pair.only_ours if kind.pair else kind.ours or NOBODY).upper, 0.0) for kind in kinds]
    theirs = [max((kind.pair.only_theirs if kind.pair else kind.theirs or NOBODY).upper, 0.0) for kind in kinds]
    but_one = [sum(ours) - a + sum(theirs) - b for kind, a, b in zip(kinds, ours, theirs, strict=True) if kind.pair]
    return min([sum(ours), sum(theirs), *but_one])


def _side(side: DealSide) -> dict[str, object]:
    return {
        "people": side.people.to_dict(),
        "compared": side.compared.to_dict(),
        "unidentified_share": side.unidentified,
        "definitions": list(side.definitions),
        "day_zones": list(side.zones),
        "made_by": list(side.made_by),
        "false_yes": dict(side.false_yes),
        "reveals": [*reveals.GENERAL, *side.reveals],
    }


def _kind(kind: IdentifierKind) -> dict[str, object]:
    pair = kind.pair
    return {
        "namespace": kind.namespace,
        "ours": kind.ours.to_dict() if kind.ours else None,
        "theirs": kind.theirs.to_dict() if kind.theirs else None,
        "common": pair.common.to_dict() if pair else None,
        "share_of_ours": pair.share_of_ours.to_dict() if pair else None,
        "share_of_theirs": pair.share_of_theirs.to_dict() if pair else None,
        "union": pair.union.to_dict() if pair else None,
        "only_ours": pair.only_ours.to_dict() if pair else None,
        "only_theirs": pair.only_theirs.to_dict() if pair else None,
        "measurable": pair.measurable if pair else False,
        "why_not": kind.why_not,
    }
