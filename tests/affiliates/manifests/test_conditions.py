"""A condition looks at one event at a time and means what it means in PostgreSQL."""

import duckdb
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affiliates.errors import RefusedError
from affiliates.manifests import conditions

FRAME = pl.DataFrame(
    {
        "n": [1, 2, None, -3, 0, 7],
        "m": [1, None, 3, 4, 0, 7],
        "s": ["x", "Yes", None, "", "a%b", "x y"],
        "b": [True, False, None, True, None, False],
    },
    schema={"n": pl.Int64, "m": pl.Int64, "s": pl.String, "b": pl.Boolean},
)

NUMBER = st.sampled_from(["n", "m", "0", "1", "7", "n + m", "n - m", "coalesce(n, m)", "length(s)", "-n"])
TEXT = st.sampled_from(["s", "'x'", "''", "lower(s)", "upper(s)", "s || 'x'", "coalesce(s, 'x')"])
ATOM = st.one_of(
    st.tuples(NUMBER, st.sampled_from(["=", "<>", "<", "<=", ">", ">="]), NUMBER).map(" ".join),
    st.tuples(TEXT, st.sampled_from(["=", "<>", "<", ">="]), TEXT).map(" ".join),
    st.tuples(
        TEXT, st.sampled_from(["like 'x%'", "like '%s'", "ilike 'y_S'", "not like '%'", "in ('x', '')", "not in ('x', 'Yes')"])
    ).map(" ".join),
    st.tuples(NUMBER, st.sampled_from(["between 0 and 3", "is null", "is not null", "in (1, 7)", "not in (1, 7)"])).map(" ".join),
    st.tuples(NUMBER, st.sampled_from(["is distinct from", "is not distinct from"]), NUMBER).map(" ".join),
    st.sampled_from(
        ["b", "b is true", "b is not true", "b is false", "b is not false", "b is null", "starts_with(s, 'x')", "true", "null"]
    ),
    st.just("case when n > 1 then b when s = 'x' then false else true end"),
)
CONDITION = st.recursive(
    ATOM,
    lambda inner: st.one_of(
        inner.map(lambda condition: f"not ({condition})"),
        # Without parentheses, too: which operator binds tighter is part of the meaning.
        inner.map(lambda condition: f"not {condition}"),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(" ".join),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda parts: f"({parts[0]}) {parts[1]} ({parts[2]})"),
    ),
    max_leaves=5,
)


@given(CONDITION)
def test_a_condition_means_what_it_means_in_sql(condition: str) -> None:
    """Against DuckDB, which follows PostgreSQL here: null stays null until it is taken for false."""
    ours = FRAME.select(conditions.expression(condition, FRAME.schema, "test")).to_series().to_list()
    if len(ours) == 1:  # A constant stands for every row.
        ours *= FRAME.height
    with duckdb.connect() as connection:
        connection.execute("create table f (n bigint, m bigint, s varchar, b boolean)")
        connection.executemany("insert into f values (?, ?, ?, ?)", FRAME.rows())
        theirs = [row[0] for row in connection.execute(f"select ({condition})::boolean from f").fetchall()]
    assert ours == theirs


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("b is true or n = 2", [True, True, None, True, False, False]),
        ("b is not true and n = 1", [False, False, None, False, False, False]),
        ("s is not distinct from 'x' or n = 2", [True, True, None, False, False, False]),
        ("n is distinct from 1 and b", [False, False, None, True, None, False]),
        ("(b is true) is not false", [True, False, False, True, False, False]),
    ],
)
def test_what_comes_after_a_distinction_stands_apart(condition: str, expected: list[bool | None]) -> None:
    """polars takes `b is true or c` for `b is true` or for neither: whoever `c` alone makes a robot would count as a person."""
    assert FRAME.select(conditions.expression(condition, FRAME.schema, "test")).to_series().to_list() == expected


@pytest.mark.parametrize(
    ("condition", "rule"),
    [
        ("max(n) > 5", "aggregate"),
        ("count(*) > 1", "aggregate"),
        ("n > avg(m)", "aggregate"),
        ("bool_or(b)", "aggregate"),
        ("sum(n) over () > 1", "window function"),
        ("row_number() over (order by n) = 1", "window function"),
        ("lag(n) over (order by m) = 1", "window function"),
        ("n > (select 1)", "subquery"),
        ("n in (select m from f)", "not supported"),
        ("exists (select 1)", "not supported"),
        ("n / 2 = 1", "not supported"),
        ("n * 2 = 1", "not supported"),
        ("cast(n as text) = '1'", "not supported"),
        ("cast(s as date) is null", "not supported"),
        ("s between symmetric 'planted' and 'b'", "not supported"),
        ("(n, m) = (1, 2)", "not supported"),
        ("s ~ 'x'", "not supported"),
        ("random() > 0", "not supported"),
        ("now() > '2020-01-01'", "not supported"),
        ("f.n = 1", "not supported"),
        ("s like 'a\\_b'", "not supported"),
        ("s like m", "not supported"),
        ("n = any(array[1])", "not supported"),
        ("pg_sleep(1) is null", "not supported"),
        ("n = 1; drop table f", "not one SQL expression"),
        ("n =", "not one SQL expression"),
        ("", "not one SQL expression"),
        ("z = 1", "column that isn't there"),
        ("n = 'x'", "don't fit"),
        ("s > 1", "don't fit"),
        ("n", "true or false"),
        ("s", "true or false"),
    ],
)
def test_what_is_refused(condition: str, rule: str) -> None:
    """polars would take many of these, and count everybody or nobody."""
    with pytest.raises(RefusedError, match=rule):
        conditions.expression(condition, FRAME.schema, "affiliates/a.yaml:1")


def test_names_are_matched_as_they_are_written() -> None:
    """A quoted name may be a word of SQL, or differ from another column by its case alone."""
    schema = pl.Schema({"Kind": pl.String, "order": pl.Int64})
    frame = pl.DataFrame({"Kind": ["a"], "order": [1]}, schema=schema)
    assert frame.select(conditions.expression('"Kind" = \'a\' and "order" = 1', schema, "x")).item() is True


@pytest.mark.parametrize("dtype", [pl.UInt8, pl.Int8, pl.UInt32, pl.Int16])
def test_small_whole_numbers_do_not_wrap_around(dtype: pl.DataType) -> None:
    """10 - 20 in eight bits is 246, and `n - 20 < 0` would be false."""
    frame = pl.DataFrame({"n": [10]}, schema={"n": dtype})
    for condition in ("n - 20 < 0", "-n < 0", "n + n + n + n + n + n + n + n + n + n + n + n + n > 127"):
        assert frame.select(conditions.expression(condition, frame.schema, "x")).item() is True
    day = pl.DataFrame({"d": [None, 20_000]}, schema={"d": pl.Date})
    assert day.select(conditions.expression("d >= date '2020-01-01'", day.schema, "x")).to_series().to_list() == [None, True]


@pytest.mark.parametrize(
    "condition",
    [
        " or ".join(f"a = '{number}'" for number in range(300)), "(" * 300 + "a = 1" + ")" * 300, "not " * 300 + "a is null",
        "+".join(["a"] * 300) + " > 1", "(" * 20_000, "case when " * 300 + "a = 1" + " then 1 end" * 300,
    ],
)  # fmt: skip
def test_a_condition_without_end_is_refused(condition: str) -> None:
    """polars takes time by the square of the depth, and Python's recursion ends with a traceback."""
    with pytest.raises(RefusedError, match="is nested too deeply"):
        conditions.check(condition, "a condition")


def test_many_values_are_no_depth() -> None:
    many = ", ".join(f"'{number}'" for number in range(3000))
    assert conditions.check(f"a in ({many})", "a condition") == {"a"}
