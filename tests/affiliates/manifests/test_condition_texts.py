"""Printed SQL compares texts by their bytes, as the condition is evaluated here; numbers and days stay what they are."""

import pytest

from affiliates.errors import RefusedError
from affiliates.manifests import conditions


def printed(condition: str, dialect: str = "spark") -> str:
    """The condition with `text_` before each column that is taken as a plain text, and `ordered` around each text in an order."""
    return conditions.sql(condition, dialect, str, lambda name: f"text_{name}", "ordered({})".format).replace(
        "ORDERED", "ordered"
    )


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("agent = 'bot'", "text_agent = 'bot'"),
        ("'bot' = agent", "'bot' = text_agent"),
        ("agent <> 'bot'", "text_agent <> 'bot'"),
        ("agent in ('bot', 'spider')", "text_agent IN ('bot', 'spider')"),
        ("(agent) = 'bot'", "(text_agent) = 'bot'"),
        ("coalesce(agent, other, 'x') = name", "COALESCE(text_agent, text_other, 'x') = text_name"),
        ("coalesce(agent, other) = 'x'", "COALESCE(text_agent, text_other) = 'x'"),
        ("a = b and b = 'x'", "text_a = text_b AND text_b = 'x'"),
        ("agent is null or agent = 'x'", "text_agent IS NULL OR text_agent = 'x'"),
        ("lower(agent) = other", "LOWER(text_agent) = text_other"),
        ("agent || '' = other || ''", "text_agent || '' = text_other || ''"),
        ("case when n > 3 then agent else other end = 'x'", "CASE WHEN n > 3 THEN text_agent ELSE text_other END = 'x'"),
        ("case agent when 'x' then ok else fine end", "CASE text_agent WHEN 'x' THEN ok ELSE fine END"),
        ("agent like '%bot%'", "text_agent LIKE '%bot%'"),
        ("not agent ilike 'bot%'", "NOT text_agent ILIKE 'bot%'"),
        ("starts_with(agent, other)", "STARTSWITH(text_agent, text_other)"),
        ("length(agent) > 3", "LENGTH(text_agent) > 3"),
        ("agent < 'b'", "ordered(text_agent) < ordered('b')"),
        ("agent between 'a' and lower(b)", "ordered(text_agent) BETWEEN ordered('a') AND ordered(LOWER(text_b))"),
        ("agent is null", "agent IS NULL"),
        ("n = 3", "n = 3"),
        ("n > 3 and m - n < 2", "n > 3 AND m - n < 2"),
        ("n + 0 = m + 0", "n + 0 = m + 0"),
        ("seen < gone", "seen < gone"),
        ("ok and not fine", "ok AND NOT fine"),
        ("n between 1 and 3", "n BETWEEN 1 AND 3"),
        ("n in (1, 2)", "n IN (1, 2)"),
    ],
)
def test_only_texts_are_made_plain(condition: str, expected: str) -> None:
    assert printed(condition) == expected


@pytest.mark.parametrize("condition", ["a = b", "a <> (b)", "a is distinct from b", "a in (b, c)", "x = 'y' or not a = b"])
def test_columns_alone_are_refused_with_what_to_write(condition: str) -> None:
    """By their collation two texts may be equal there and not here, and nothing tells whether they are texts."""
    with pytest.raises(RefusedError) as refused:
        printed(condition)
    assert "a || '' = b || ''" in str(refused.value)
    conditions.check(condition, "a condition")


def test_a_day_stays_a_day() -> None:
    assert "text_day" not in printed("day >= date '2025-01-01'")
