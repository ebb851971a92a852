"""The counter of `tests.tools.count_house`: a count that misses what it is for would let the house decay unseen."""

from pathlib import Path

from tests.tools import count_house

MODULE = '''\
"""A module."""

a, b = 1, 2
(c, d), e = (1, 2), 3
f, g = divmod(7, 2)
h = i = 5


class Public:
    """Documented."""

    kind = 1  # fmt: skip
    """A field's text is no code."""

    def bare(self, found):
        # Why it is so.
        said = found  # noqa: F841

        def inner():
            told = said
            return told

        return lambda made: made

    def _private(self):
        return self.bare(1)


class Later(Public):
    """Overrides a method that is bare already."""

    def bare(self, found):
        return found


class _Hidden:
    def open(self):
        found = [made for made in ()]
        return found


def bare():
    return 1
'''


def counts() -> count_house.Counts:
    return count_house.of_text(MODULE, "taking/module.py")


def test_packed_assignments_are_tuples_from_tuples() -> None:
    assert (counts().packed, counts().assignments) == (2, 8)
    assert counts().where_packed == ["taking/module.py:3", "taking/module.py:4"]


def test_vague_names_count_once_for_each_function_that_binds_them() -> None:
    assert counts().bound == 7  # bare: found, said; inner: told; lambda: made; Later.bare: found; open: found, made.
    assert counts().occurrences == 14


def test_comments_are_without_what_steers_a_tool() -> None:
    assert (counts().comments, counts().skips) == (1, 1)
    assert counts().code == 23


def test_public_definitions_without_a_docstring() -> None:
    assert [line.split()[1] for line in counts().bare] == ["Public.bare", "bare"]
    assert count_house.of_text("a = 1\n", "module.py").bare == ["module.py:1 (module)"]


def test_names_of_classes_and_modules() -> None:
    twice = counts() + count_house.of_text('"""One more."""\nclass Public: ...\n', "held.py")
    assert twice.ambiguous == ["Public"]
    assert twice.participles == ["held.py", "taking"]
    assert sorted(twice.lengths) == [("held.py", 2), ("taking/module.py", len(MODULE.splitlines()))]


def test_a_missed_bar_is_told(tmp_path: Path) -> None:
    for folder in count_house.PRODUCT:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "module.py").write_text(MODULE)
    (tmp_path / "README.md").write_text("short\n")
    (tmp_path / "pyproject.toml").write_text("[project]\n" * 300)
    assert not count_house.show(tmp_path, details=False)
    product = sum((count_house.of_folder(tmp_path, folder) for folder in count_house.PRODUCT), count_house.Counts())
    missed = {text.split(" ")[0] for held, text in count_house.bars(tmp_path, product) if not held}
    assert missed == {"packed", "public", "class", "pyproject.toml"}
