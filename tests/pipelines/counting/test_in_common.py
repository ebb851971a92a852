"""Whom products have in common, beside sets of people that are known."""

from affiliates.manifests.product import ProductRef
from pipelines.counting.bounds import Pool
from pipelines.counting.figure import Coverage, Share
from pipelines.counting.in_common import MOST_ALONE, MOST_PAIRED, TOO_FEW, UNSHARED, measure_alone, measure_pairs
from tests.support.sketches import sketch

People = dict[str, tuple[int, int]]
"""By namespace, the numbers of the people from the first on and below the last."""
GAP = "d/empty: 31 of 31 days missing"
GROUP: dict[str, People] = {
    "a/mail": {"email": (0, 3000)},
    "a/more": {"email": (2000, 5000)},
    "b/other": {"email": (9000, 9500)},
    "c/device": {"device": (0, 700)},
    "d/empty": {},
    "e/both": {"email": (0, 100), "phone": (0, 50)},
}


def share(people: People, *unbounded: str) -> Share:
    pool = Pool.from_sketches({name: {21: sketch(*numbers)} for name, numbers in people.items()})
    return Share(pool, None, Coverage(), unbounded, 0, 0)


def shares(group: dict[str, People]) -> dict[ProductRef, Share]:
    return {ProductRef.parse(name): share(people, *([] if people else [GAP])) for name, people in group.items()}


def test_whom_each_product_alone_brings_is_what_sets_of_people_say() -> None:
    """A share of the group's estimate isn't what leaves with a product: whoever is elsewhere, too, stays."""
    alone = {row.product: row for row in measure_alone(shares(GROUP))}
    emails = {name: set(range(*people["email"])) for name, people in GROUP.items() if "email" in people}
    for name, own in emails.items():
        others = set().union(*(people for other, people in emails.items() if other != name))
        row = alone[name]
        phones = 50 if name == "e/both" else 0
        expected = len(own - others) + phones
        assert row.lower is not None
        assert row.upper is not None
        assert row.lower <= expected <= row.upper
        assert abs((row.estimate or 0) - expected) <= 2
    assert alone["a/mail"].state == "measured"
    assert (alone["c/device"].state, alone["c/device"].estimate) == ("not_measured", None)
    assert (alone["d/empty"].state, alone["d/empty"].what) == ("not_measured", GAP)
    assert (alone["e/both"].what, alone["e/both"].lower) == ("identifiers of phone are in no other product", 0)


def test_whom_two_products_have_in_common_is_measured_or_is_said_not_to_be() -> None:
    """An empty cell of the matrix would pass for nobody in common."""
    pairs = {(row.first, row.second): row for row in measure_pairs(shares(GROUP))}
    assert len(pairs) == 15
    common = pairs["a/mail", "a/more"]
    assert (common.state, common.what) == ("measured", "")
    assert abs((common.estimate or 0) - 1000) <= 2
    assert common.share_of_first is not None
    assert abs(common.share_of_first - 1 / 3) < 0.001
    disjoint = pairs["a/mail", "b/other"]
    assert (disjoint.state, disjoint.what) == ("not_measurable", TOO_FEW)
    assert disjoint.lower == 0
    assert (pairs["a/mail", "c/device"].state, pairs["a/mail", "c/device"].what) == ("not_measured", UNSHARED)
    assert (pairs["c/device", "d/empty"].state, pairs["c/device", "d/empty"].what) == ("not_measured", GAP)
    assert pairs["a/mail", "e/both"].what == "by email alone: there may be more in phone"


def test_many_products_are_compared_as_far_as_a_run_has_time() -> None:
    """The largest ones two by two: 2,000 products would be two million pairs."""
    several: dict[str, People] = {f"a/p{number:03}": {"email": (0, 5 + number)} for number in range(MOST_PAIRED + 2)}
    named = {name for row in measure_pairs(shares(several)) for name in (row.first, row.second)}
    assert named == set(several) - {"a/p000", "a/p001"}
    many: dict[str, People] = {f"a/p{number:03}": {} for number in range(MOST_ALONE + 1)}
    assert measure_alone(shares(many)) == []
