"""The report's figures: the answer, the number against the threshold, what moved it, 24 months, what is expected, products."""

from collections.abc import Iterator, Sequence

from dashboards import formats
from dashboards.charts import paper, trend
from dashboards.charts.scenario import INK, LINE, OVER, SOFT
from dashboards.charts.trend import ExpectedMonth, MonthTrend
from dashboards.report.document import Bullets, Fact, FactList, Grid, Heading, Key, Paragraph, Part, Picture
from dashboards.web.pages import expectations, product_table, trend_chart
from dashboards.web.pages.expectations import BASIS
from dashboards.web.pages.figures_in_words import headline
from dashboards.web.queries import MonthFigures, PageRows, VisibleGroup, product_name
from dashboards.web.router import Parameters
from pipelines.figures import page_month
from pipelines.figures.comparability import StepCause
from pipelines.figures.page_month import NOT_YET
from pipelines.records import PublishedMonth, summed_bounds
from pipelines.store.outlooks import PublishedOutlook
from pipelines.store.publications import PRELIMINARY


def answer(rows: PageRows, figures: MonthFigures) -> Iterator[Part]:
    """The sentence first, whether it can change, the number line, and the facts."""
    words = headline(rows, figures)
    yield Paragraph(words.answer, "answer")
    yield Paragraph(words.sentence, "lead")
    month = formats.month_name(figures.month)
    if figures.publication.state == PRELIMINARY:
        yield Paragraph(f"Preliminary: nobody has signed {month}. The figures can still change.", "notice")
    elif figures.publication.reason:
        by = figures.publication.signed_by or "somebody"
        yield Paragraph(f"Restated by {by}, because: {figures.publication.reason}.", "notice")
    whole, threshold = figures.whole, rows.threshold
    if whole is not None and threshold is not None:
        span = formats.between(whole.lower, whole.upper, threshold)
        summed = whole.figure.summed_products
        keys = [
            Key(f"range: {span}", paper.RANGE, "area"),
            Key(f"best estimate: {formats.people(whole.estimate, threshold)}", INK, "mark"),
            Key(f"threshold: {formats.exact(threshold)}", OVER, "line"),
        ]
        keys += [Key(f"sum of products: {formats.people(summed, threshold)}", SOFT, "circle")] if summed is not None else []
        drawing = paper.number_line(whole.lower, whole.upper, whole.estimate, threshold, summed)
        yield Picture(f"People in {month} against the threshold", f"The axis begins at 0. The range is {span}.", drawing, keys)
    yield FactList(list(_facts(rows, figures)))


def _facts(rows: PageRows, figures: MonthFigures) -> Iterator[Fact]:
    whole, threshold = figures.whole, rows.threshold
    if whole is None or threshold is None or whole.estimate is None:
        yield Fact("Headroom", "not measured")
    else:
        least = None if whole.upper is None else threshold - whole.upper
        room = formats.headroom(least, threshold - whole.lower)
        yield Fact("Headroom", room, f"{formats.exact(threshold)} less the range; below zero the threshold is passed")
    yield from _expected_facts(rows, figures)
    if whole is None:
        return
    low, high = summed_bounds((figure.lower, figure.upper) for figure in figures.products.values())
    added = formats.people(whole.figure.summed_products, threshold)
    yield Fact("Sum of products", added, f"range {formats.between(low, high, threshold)}; a person of two counts twice")
    coverage = whole.coverage
    due = coverage.days_expected + coverage.months_expected
    there = coverage.days_present + coverage.months_present
    if due:
        detail = "all of it is there" if whole.complete else "not complete: see the state of the data"
        yield Fact("Of what was due", f"{formats.share(there, due)} is there", detail)


def _expected_facts(rows: PageRows, figures: MonthFigures) -> Iterator[Fact]:
    outlook = rows.outlook(figures.month, figures.reading)
    if outlook is None:
        why = rows.why_no_outlook(figures.month, figures.reading)
        yield Fact("Chance of being over", "no outlook", why)
        yield Fact("Decide by", "no outlook", why)
        return
    chance = f"{formats.percent(outlook.over_now)} now, {formats.percent(outlook.within_year)} within a year"
    yield Fact("Chance of being over", chance, BASIS)
    earliest = expectations.earliest_decision(outlook)
    # A day that has passed when the figures were published is said to have: on paper nobody counts days.
    if earliest is None:
        yield Fact("Decide by", "no day", expectations.NO_DAY)
    else:
        passed = " (passed)" if earliest.day < outlook.known_at.date() else ""
        yield Fact("Decide by", f"{earliest.day}{passed}", earliest.why)


def step(rows: PageRows, figures: MonthFigures) -> Iterator[Part]:
    """What moved the group's figure from the month before."""
    changes = rows.changes(figures.publication)
    yield Heading("What moved the figure from the month before")
    past = rows.trend(figures.month, figures.reading, 2)
    if len(past) < 2:
        yield Paragraph("The month before isn't published: there is nothing to compare with.")
        return
    if not changes:
        yield Paragraph(f"The causes are {NOT_YET}.")
        return
    noted = tuple(StepCause(cause["kind"], cause["subject"], cause["what"], cause["people"]) for cause in changes)
    of_group = page_month.step(past[-1].estimate, past[-2].estimate, noted)
    change = product_table.change(of_group, past[-1].estimate)
    before = formats.month_name(past[-2].month)
    if of_group.comparable:
        yield Paragraph(f"{change} from {before}, which is growth: members, definitions and stand-ins are the same.")
        return
    why = "The step says nothing of growth; it has these causes:"
    yield Paragraph(f"{formats.month_name(figures.month)} and {before} can't be compared. {why}")
    # By kind: each product's own cause stands with the products.
    yield Bullets(trend_chart.summarised([cause for cause in changes if cause["kind"] != "growth"]))


def trend_of_months(rows: PageRows, parameters: Parameters, figures: MonthFigures) -> Iterator[Part]:
    """24 months with what is expected, drawn and in numbers."""
    yield Heading("24 months, and what is expected")
    drawn = trend_chart.trend_of(rows, parameters)
    if len(drawn.past) < 2:
        yield Paragraph("One month is published: there is no trend yet.")
    else:
        yield _picture(drawn)
    published = rows.trend(figures.month, figures.reading)
    marks = {mark.month: mark.words for mark in drawn.marks}
    yield Grid(
        "Published months",
        ("Month", "Best estimate", "Range", "State", "Besides growth"),
        [_published(rows, month, figures.reading.name, marks.get(month.month, ""), drawn.threshold) for month in published],
        (30, 24, 30, 24, 66),
        (1, 2),
    )
    outlook = rows.outlook(figures.month, figures.reading)
    if outlook is None:
        why = rows.why_no_outlook(figures.month, figures.reading)
        yield Paragraph(f"There is no forecast for this month: {why}.")
        return
    yield from _forecast(outlook, drawn.ahead, drawn.threshold)


def _published(rows: PageRows, month: PublishedMonth, reading: str, mark: str, threshold: int | None) -> tuple[str, ...]:
    publication = rows.in_force.get((month.month, reading))
    return (
        formats.month_name(month.month),
        formats.people(month.estimate, threshold),
        formats.between(month.lower, month.upper, threshold),
        publication.state if publication else "–",
        mark or "–",
    )


def _picture(drawn: MonthTrend) -> Picture:
    first, last = drawn.past[0], drawn.past[-1]
    summary = (
        f"From {formats.people(first.estimate)} in {formats.month_name(first.month)} to {formats.people(last.estimate)} in "
        f"{formats.month_name(last.month)}. The axis begins at 0."
    )
    keys = [Key("best estimate", INK, "line"), Key("range of the past", trend.BOUNDS, "area")]
    if drawn.ahead:
        keys += [Key("middle of what is expected", LINE, "dashes"), Key("expected of the estimate", trend.FAN, "area")]
        keys.append(Key("expected with the measuring error", trend.RANGE_FAN, "area"))
    if drawn.shows_threshold and drawn.threshold is not None:
        keys.append(Key(f"threshold: {formats.exact(drawn.threshold)}", OVER, "line"))
    elif drawn.threshold is not None:
        summary += f" The threshold of {formats.exact(drawn.threshold)} lies far above the picture."
    if drawn.marks:
        keys.append(Key("not growth alone: see the table", SOFT, "dots"))
    return Picture("People by month, with what is expected", summary, trend.svg(drawn, is_labelled=True), keys)


def _forecast(outlook: PublishedOutlook, ahead: Sequence[ExpectedMonth], line: int | None) -> Iterator[Part]:
    """The chances by month, drawn and in numbers."""
    months = expectations.chances_of(outlook)[: expectations.AHEAD]
    keys = [
        Key("by the range: growth and identity in doubt", OVER, "line"),
        Key("by the estimate: growth alone in doubt", LINE, "dashes"),
    ]
    summary = expectations.months_in_words(months)
    yield Picture("Chance of being over, by month", summary, paper.chances(months), keys)
    rows = [
        (
            formats.month_name(month.month),
            formats.people(month.median, line),
            formats.between(round(month.low_by_estimate), round(month.high_by_estimate), line),
            formats.between(round(month.low), round(month.high), line),
            formats.percent(chance.over),
            formats.percent(chance.over_by_estimate),
        )
        for month, chance in zip(ahead[1:], months, strict=True)
    ]
    head = ("Month", "Expected", "of the estimate", "with the measuring error", "Over, by the range", "by the estimate")
    yield Grid("Months to come: 95 % of the paths lie in each interval", head, rows, (29, 25, 32, 34, 30, 24), (1, 2, 3, 4, 5))
    decided = [
        f"{formats.percent(decision.probability)} by the {decision.doubt}: crossed by {formats.month_name(decision.crossing)}; "
        + "; ".join(f"{expectations.LEAD_TIMES.get(name, name)}, begin by {day}" for name, day in decision.days.items())
        for decision in outlook.decisions
        if decision.crossing
    ]
    yield Paragraph("The last day to begin, if the threshold is passed with the stated chance:" if decided else NO_CROSSING)
    yield Bullets(decided)
    notes = [*outlook.notes, *(f"left out: {text}" for text in outlook.left_out)]
    yield Paragraph("What the forecast rests on:")
    yield Bullets([*notes, formats.STANDING])


NO_CROSSING = "No day to decide by: the threshold isn't crossed with any of the stated chances within the horizon."


def products(rows: PageRows, visible: VisibleGroup | None) -> Iterator[Part]:
    """The products: people, share, whom each alone brings, change and its cause."""
    yield Heading("Products")
    lines = [
        (
            product_name(rows.group, row.product),
            formats.people(row.shown.figure.estimate),
            formats.between(row.shown.figure.lower, row.shown.figure.upper),
            "–" if row.share is None else formats.share(round(row.share * 1_000_000), 1_000_000),
            product_table.addition_in_words(row.addition),
            product_table.change(row.step, row.shown.figure.estimate),
            product_table.cause(row.step),
        )
        for row in (visible.products if visible else ())
    ]
    if not lines:
        yield Paragraph("No product has a figure in this month.")
        return
    head = ("Product", "People", "Range", "Share of the group", "Nobody else has", "Change", "Cause")
    caption = "Each person once in a product; shares add up to more than the whole where people use several"
    yield Grid(caption, head, lines, (26, 22, 27, 20, 22, 26, 35), (1, 2, 3, 4, 5))
