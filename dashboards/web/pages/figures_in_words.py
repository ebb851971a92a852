"""Figures in words, as several pages have them: the result and its range, what a page is about, and what is missing. Pure."""

from datetime import date
from typing import NamedTuple

from dash import html
from dash.development.base_component import Component

from affiliates.periods import month_end
from dashboards import formats
from dashboards.web import components
from dashboards.web.queries import MonthFigures, PageRows, names
from pipelines.licences.outcome import Result, decide


class Headline(NamedTuple):
    """What the published figure says of the threshold."""

    result: Result
    answer: str
    """The result in one line."""
    sentence: str
    """The range in a sentence."""


def headline(rows: PageRows, figures: MonthFigures) -> Headline:
    """The result of a month's figure against the newest threshold, and its range."""
    whole = figures.whole
    licence = rows.licence
    month = formats.month_name(figures.month)
    counted = "different people" if figures.reading.counts == "unique_people" else "people, added over products,"
    if whole is None or licence is None or licence.clause.threshold is None or whole.estimate is None:
        return Headline("not_measured", "Not measured: there is no figure.", f"Nothing was contributed for {month}.")
    # The clause as the registry has it: whether the threshold itself is over it differs by licence.
    threshold = licence.clause.threshold
    line = formats.exact(threshold)
    result = decide(threshold, whole.lower, whole.upper, licence.clause.comparator or "gt")
    least = formats.at_least(whole.lower, threshold)
    best = f"Best estimate {formats.people(whole.estimate, threshold)}"
    # Without an upper bound the figure may be any larger number: that comes before every other word.
    if whole.upper is None:
        reasons = names(list(whole.figure.reasons), 2) or "something that is due is missing"
        over = result == "over"
        answer = f"Over: more than {line}." if over else "Can't tell yet: there is no upper bound."
        return Headline(result, answer, f"{best}, at least {least} {counted} in {month}; no upper bound: {reasons}.")
    most = formats.at_most(whole.upper, threshold)
    sentence = f"{best}, at least {least}, at most {most} {counted} in {month}."
    answers = {
        "undetermined": f"Can't tell yet: {line} lies inside the range.",
        "over": f"Over: the whole range lies above {line}.",
        "under": f"Under: the whole range lies below {line}.",
    }
    return Headline(result, answers[result], sentence)


def about(rows: PageRows, figures: MonthFigures) -> Component:
    """The line under a title: group, month, state, reading, and since when the figures are what they are."""
    parts = about_parts(rows, figures)
    # The last part is the moment: a page that is looked at now says how long ago that was.
    return html.P(f"{' · '.join(parts)}, {formats.age(figures.publication.known_at, rows.now)}", className="about")


def about_parts(rows: PageRows, figures: MonthFigures) -> list[str]:
    """Month, state, reading, and as of when, in words that hold whenever they are read."""
    publication = figures.publication
    state = publication.state
    signed = f" by {publication.signed_by}" if publication.signed_by else ""
    last = month_end(figures.month)
    record = [of for of in rows.group.readings.of_record if of.holds_on(last)]
    is_of_record = any(of.reading == figures.reading.name for of in record)
    # A reading that nobody stands by is one among others, whatever its figure says.
    standing = "of record" if is_of_record else "not of record" if record else "no reading is of record"
    return [
        formats.month_name(figures.month) + ("" if last < rows.today else ", not over yet"),
        f"{state}{signed}",
        f"reading {figures.reading.name.replace('_', ' ')} ({standing})",
        f"as of {formats.moment(publication.known_at)}",
    ]


def unpublished_reading(title: str, rows: PageRows, month: date) -> Component:
    """A page of a month that isn't published under the chosen reading."""
    known = ", ".join(name for published, name in rows.in_force if published == month)
    headline_text = f"{formats.month_name(month)} isn't published under this reading."
    return html.Div(
        [html.H1(title), components.notice(headline_text, f"It is published under {known}.", "choose another reading")]
    )


def nothing_published(title: str, rows: PageRows) -> Component:
    """A page of a group that has no published month."""
    if rows.has_store:
        detail = "There is a store, and no month is published: data are there for no whole month yet, or no run has ended."
    else:
        detail = "There is no store yet: nothing was counted."
    told = components.notice("There are no figures yet.", detail, "run it: mauwatch run, and look at what it says")
    return html.Div([html.H1(title), told])
