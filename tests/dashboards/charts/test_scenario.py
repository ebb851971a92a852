"""What a scenario's charts say beside their lines."""

import re
from dataclasses import replace

import pytest
from matplotlib.text import Text

from dashboards.charts import scenario, scenario_slide
from pipelines.scenarios.answer_parts import RestsOn
from tests.support.scenarios import ANSWER


@pytest.mark.parametrize(
    ("number", "is_after", "before", "after", "basis"),
    [
        (0, False, "measured", "stated", "measured"),
        (0, True, "measured", "stated", "stated"),
        (0, True, "stated", "measured", "stated"),
        (0, True, "measured", "assumed", "assumed"),
        (1, False, "measured", "measured", "assumed"),
        (1, True, "measured", "measured", "assumed"),
    ],
)
def test_what_a_month_rests_on(number: int, is_after: bool, before: str, after: str, basis: str) -> None:
    """A month to come is never measured, and a change is as weak as its weakest word."""
    first = replace(ANSWER.months[0], in_force=("acquire Example Social",))
    answer = replace(
        ANSWER, months=(first, *ANSWER.months[1:]), before=replace(ANSWER.before, basis=RestsOn(before)),
        after=replace(ANSWER.after, basis=RestsOn(after)),
    )  # fmt: skip
    assert scenario.rests_on(answer, number, is_after) == basis


def test_an_axis_that_does_not_begin_at_0_says_so() -> None:
    axis = scenario.axis_of(ANSWER)
    assert 0 < axis.low < 598_000_000
    assert axis.high > 700_000_000
    assert axis.title == f"people, million (the axis begins at {axis.low / 1e6:.0f})"
    # Of a small group in thousands: in millions the axis would say that it begins at 0.
    thousandth = [
        replace(month, after=replace(month.after, p2_5=599_000, p50=600_000, p97_5=601_000), before=month.after)
        for month in ANSWER.months[:1]
    ]
    of_small = replace(ANSWER, threshold_after=700_000, months=tuple(replace(m, before=m.after) for m in thousandth))
    assert re.fullmatch(r"people, thousand \(the axis begins at 5\d\d\)", scenario.axis_of(of_small).title)
    assert axis.shows_threshold
    far = scenario.axis_of(replace(ANSWER, threshold_after=10_000_000_000))
    assert not far.shows_threshold
    few = [replace(month, after=replace(month.after, p2_5=10, p50=20, p97_5=90)) for month in ANSWER.months]
    small = scenario.axis_of(replace(ANSWER, months=tuple(few), threshold_after=60))
    assert small.low == 0
    assert "begins" not in small.title


@pytest.mark.parametrize(
    ("count", "most", "places"), [(3, 6, [0, 1, 2]), (11, 6, [0, 2, 4, 6, 8, 10]), (1, 6, [0]), (7, 2, [0, 6])]
)
def test_both_ends_stay_in_a_thinned_frontier(count: int, most: int, places: list[int]) -> None:
    assert scenario.spread(count, most) == places


@pytest.mark.parametrize(
    ("probability", "text"), [(0, "< 1 %"), (0.0049, "< 1 %"), (0.12, "12 %"), (0.994, "99 %"), (0.996, "> 99 %"), (1, "> 99 %")]
)
def test_never_and_always_are_not_written(probability: float, text: str) -> None:
    assert scenario.percent(probability) == text


@pytest.mark.parametrize("headline", [ANSWER.headline, "W" * 300, "Buying " + "a company with a long name " * 20])
def test_everything_lies_in_the_slide_and_is_large_enough(headline: str) -> None:
    """A headline that is cut off can say the opposite."""
    assert ANSWER.frontier is not None
    frontier = replace(ANSWER.frontier, target=headline)
    figure = scenario_slide.picture(replace(ANSWER, headline=headline, frontier=frontier))
    figure.canvas.draw()
    width, height = figure.bbox.width, figure.bbox.height
    texts = [text for text in figure.findobj(Text) if isinstance(text, Text) and text.get_text() and text.get_visible()]
    assert len(texts) > 30
    for text in texts:
        box = text.get_window_extent()
        assert box.x0 >= -1, text.get_text()
        assert box.x1 <= width + 1, text.get_text()
        assert -1 <= box.y0 <= box.y1 <= height + 1, text.get_text()
        # At 1,280 pixels of width 10 points have 14.
        assert float(text.get_fontsize()) >= 10


def test_a_long_headline_is_smaller_and_whole() -> None:
    """Its chance of being over stands at the end."""
    headline = "Buying a company of a very long name, " * 10 + "chance of over 700 M: 12 %."
    figure = scenario_slide.picture(replace(ANSWER, headline=headline))
    assert headline in " ".join(text.get_text() for text in figure.texts)


def test_another_line_after_the_changes_has_no_licences_name() -> None:
    """Llama's line is no 650 million."""
    assert scenario.threshold_text(ANSWER) == "over 700.0 M (Llama 4)"
    assert scenario.threshold_text(replace(ANSWER, threshold_after=650_000_000)) == "over 650.0 M (after the changes)"


@pytest.mark.parametrize(
    ("before", "after", "corner"),
    [
        ((600, 600, 600, 600), (600, 600, 600, 600), (True, True)),
        ((600, 600, 600, 600), (600, 705, 705, 705), (False, False)),
        ((695, 695, 695, 695), (702, 705, 780, 780), (True, False)),
    ],
)
def test_a_thresholds_name_lies_where_no_line_goes(
    before: tuple[int, ...], after: tuple[int, ...], corner: tuple[bool, bool]
) -> None:
    """A line behind a text isn't seen, or the text isn't read. Sizes in millions, the threshold is 700."""
    sides = zip(ANSWER.months, before, after, strict=False)
    months = tuple(
        replace(
            month,
            before=replace(month.before, p50=low * 1_000_000),
            after=replace(month.after, p2_5=550_000_000, p50=high * 1_000_000, p97_5=800_000_000),
        )
        for month, low, high in sides
    )
    assert scenario.quiet_corner(replace(ANSWER, months=months)) == corner


def test_a_number_of_the_headline_keeps_its_unit() -> None:
    """A line that begins with a per cent sign is read as one of the number before."""
    lines = [text.get_text() for text in scenario_slide.picture(ANSWER).texts]
    assert not [line for line in lines if line.startswith(("%", "M "))]
