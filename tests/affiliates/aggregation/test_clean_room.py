"""What a deal's sketches say, and what they still reveal, against counts and draws of our own."""

import re
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affiliates.aggregation.clean_room import comparison, deletion, reveals
from affiliates.aggregation.clean_room.comparison import IdentifierKind, Number, Pair
from affiliates.aggregation.clean_room.contribution import shuffled
from affiliates.aggregation.clean_room.deal import Terms
from affiliates.contributions.contract import Contribution, Part
from affiliates.sketches.arrays import Keys
from affiliates.sketches.registers import Registers, coupons_of

TERMS = Terms(fingerprint="a" * 12, month=date(2025, 1, 1), namespaces={"email": None, "phone": None})


def contribution(affiliate: str, **keys: Keys) -> Contribution:
    parts = tuple(Part("external", name, Registers.from_keys(14, of), len(of), None, b"") for name, of in keys.items())
    return Contribution(
        affiliate=affiliate, product="all", grain="month", activity_date=TERMS.month, key_epoch=TERMS.epoch, crosswalk_digest="",
        normalisation="v1 unicode", unidentified_events=0, undecided_events=None, definition="seen/1", definition_digest=None,
        day_zone="UTC", computed_at=datetime(2025, 3, 1, tzinfo=UTC), producer="mauwatch 1", parts=parts, audiences="external",
    )  # fmt: skip


def people(first: int, count: int) -> Keys:
    """The keys of so many people, numbered from `first`."""
    return np.random.default_rng(1).integers(0, 2**64, first + count, dtype=np.uint64)[first:]


@pytest.mark.parametrize(("ours", "theirs", "both"), [(300, 200, 40), (300, 200, 0), (300, 200, 200), (60_000, 40_000, 9_000)])
def test_two_sides_of_two_affiliates_each(ours: int, theirs: int, both: int) -> None:
    """A side of several affiliates counts each person once, and the interval holds the true overlap."""
    of_ours, of_theirs = people(0, ours), people(ours - both, theirs)
    first = contribution("a", email=of_ours[: ours * 2 // 3]), contribution("b", email=of_ours[ours // 3 :])
    second = contribution("c", email=of_theirs[: theirs // 2]), contribution("d", email=of_theirs[theirs // 2 :])
    compared = comparison.compare(first, second, TERMS)
    assert compared.common is not None
    assert compared.common.lower <= both <= compared.common.upper
    for number, truth in (
        (compared.only_ours, ours - both), (compared.only_theirs, theirs - both), (compared.union, ours + theirs - both),
        (compared.ours.people, ours), (compared.theirs.people, theirs),
    ):  # fmt: skip
        assert number is not None
        assert number.lower - 0.5 <= truth <= number.upper + 0.5
    assert compared.more_in_common == 0
    assert compared.measurable == (both > 0)


def test_a_person_by_mail_here_and_by_telephone_there() -> None:
    """Compared kind by kind, nobody sees that they are one: the bounds must leave room for it."""
    compared = comparison.compare(
        [contribution("a", email=people(0, 100), phone=people(500, 10))],
        [contribution("b", email=people(90, 30), phone=people(700, 50))],
        TERMS,
    )
    # 90 of ours are known by mail alone, 50 of theirs by telephone alone; and 10 and 20 the other way round.
    assert compared.more_in_common == pytest.approx(60, abs=1.5)
    assert compared.union_at_least <= 180 - 60 + 1
    assert compared.union_at_most >= 180


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.booleans()), min_size=1, max_size=3))
def test_how_many_more_can_be_the_same(kinds: list[tuple[int, int, bool]]) -> None:
    """The formula against trying: the most pairs of unlike kinds, by every way to hand out ours."""
    nobody = Number(0, 0, 0)
    made_up = []
    for n, (a, b, is_compared) in enumerate(kinds):
        of_ours, of_theirs = Number(a, a, a), Number(b, b, b)
        pair = Pair(nobody, of_ours, of_theirs, nobody, nobody, nobody, False) if is_compared else None
        made_up.append(IdentifierKind(f"n{n}", of_ours, of_theirs, pair, ""))
    ours = [n for n, (a, _, _) in enumerate(kinds) for _ in range(a)]

    def most(place: int, left: tuple[int, ...]) -> int:
        if place == len(ours):
            return 0
        best = most(place + 1, left)
        for n, (_, _, compared) in enumerate(kinds):
            if left[n] and not (compared and n == ours[place]):
                best = max(best, 1 + most(place + 1, (*left[:n], left[n] - 1, *left[n + 1 :])))
        return best

    if len(ours) <= 6:
        assert comparison._more_in_common(made_up) == most(0, tuple(b for _, b, _ in kinds))


@pytest.mark.parametrize(("lg_k", "members"), [(12, 50), (12, 3_000), (12, 400_000), (8, 100), (21, 150_000)])
def test_the_chance_of_a_false_yes(lg_k: int, members: int) -> None:
    """Drawn: strangers who seem to be in the sketch. Said too low, a guess would pass for knowledge, too high for harmless."""
    rng = np.random.default_rng(members)
    sketch = Registers.from_keys(lg_k, rng.integers(0, 2**64, members, dtype=np.uint64))
    strangers = coupons_of(rng.integers(0, 2**64, 200_000, dtype=np.uint64))
    if sketch.coupons is not None:
        seem = np.isin(strangers, sketch.coupons)
    else:
        seem = sketch.dense()[strangers & np.uint32((1 << lg_k) - 1)] >= strangers >> np.uint32(26)
    chance = reveals.false_yes(sketch)
    assert seem.mean() == pytest.approx(chance, abs=4 * np.sqrt(chance * (1 - chance) / len(strangers)) + 1e-5)
    assert 0 < reveals.worth_of_yes(chance) <= 1
    # By Bayes, by counting: of a hundred guesses one is right.
    assert reveals.worth_of_yes(chance) == pytest.approx(1 / (1 + 99 * chance))


def test_a_false_yes_at_the_ends() -> None:
    """Of nobody no yes comes; of a register at its greatest value, always one."""
    assert reveals.false_yes(Registers.from_keys(12, np.empty(0, np.uint64))) == 0
    assert reveals.false_yes(Registers(4, None, np.full(16, 63, np.uint8))) == 1
    assert "of others over 99.9 %" in reveals.in_words("email", Registers(12, None, np.full(4096, 30, np.uint8)))
    few = reveals.in_words("email", Registers.from_keys(21, people(0, 90)))
    assert re.search(r"of others 1 in [12],\d00,000 \(", few)
    assert "over 99.9 % of the time" in few
    assert "of others nobody" in reveals.in_words("email", Registers.from_keys(12, people(0, 0)))


@pytest.mark.parametrize("members", [20, 90_000])
def test_a_shuffled_sketch_has_the_size_and_nobody(members: int) -> None:
    """Its places would otherwise be a test of who is in it."""
    sketch = Registers.from_keys(14, people(0, members))
    other = shuffled(sketch)
    assert other.bounds() == sketch.bounds()
    assert other.digest() != sketch.digest()
    assert shuffled(sketch).digest() != other.digest()
    if sketch.coupons is not None and other.coupons is not None:
        assert len(other.coupons) == len(sketch.coupons)
        # By chance one in a million coupons of lgK 14 comes back.
        assert len(set(sketch.coupons.tolist()) & set(other.coupons.tolist())) <= 1


@pytest.mark.parametrize(("lg_k", "members"), [(14, 500), (21, 60_000)])
def test_two_of_one_register_stay_two_of_one(lg_k: int, members: int) -> None:
    """They count as one: at places of their own, the shuffled sketch would have more people than its original."""
    sketch = Registers.from_keys(lg_k, people(0, members))
    assert sketch.coupons is not None
    assert len(np.unique(sketch.coupons & np.uint32((1 << lg_k) - 1))) < len(sketch.coupons)
    for _ in range(5):
        other = shuffled(sketch)
        assert other.coupons is not None
        assert len(other.coupons) == len(sketch.coupons)
        assert np.array_equal(other.counts, sketch.counts)


def test_nobody_shuffled_is_nobody() -> None:
    """A kind of identifiers that a side has none of is in its file all the same."""
    assert shuffled(Registers.from_keys(14, people(0, 0))).is_empty


def test_the_file_system_is_the_innermost_mount(tmp_path: Path) -> None:
    """A word about another disk would be false comfort; a space in a path is written as an octal number there."""
    mounts = tmp_path / "mountinfo"
    here = str(tmp_path.resolve()).replace(" ", "\\040")
    lines = [
        "1 0 8:1 / / rw - ext4 /dev/sda rw", f"2 1 0:9 / {here} rw shared:1 - tmpfs tmpfs rw",
        f"3 2 0:8 / {here} rw - zfs pool rw",
        f"4 1 0:7 / {here}-beside rw - nfs4 host:/x rw", "damaged",
    ]  # fmt: skip
    mounts.write_text("\n".join(lines))
    (tmp_path / "deal").mkdir()
    assert deletion.file_system(tmp_path / "deal", mounts) == "zfs"
    assert deletion.file_system(Path("/"), mounts) == "ext4"
    assert deletion.file_system(tmp_path, tmp_path / "none") in ("", "apfs")


def test_what_deletion_means_is_said_of_each_kind() -> None:
    """Nowhere is it promised that bytes are overwritten."""
    texts = {kind: deletion.meaning(kind) for kind in ("ext4", "btrfs", "tmpfs", "nfs4", "fuse.sshfs", "overlay", "")}
    assert len(set(texts.values())) == len(texts)
    assert "snapshots" in texts["btrfs"]
    assert "another machine" in texts["fuse.sshfs"]
    assert "kind can't be told" in texts[""]
    assert not [text for text in texts.values() if "overwritten" in text]
    assert all(kind in text for kind, text in texts.items())
