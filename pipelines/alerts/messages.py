"""The text of a message: with figures for the allowed domains, and without. Pure.

A message states facts and results under the reading of record; next steps are the group's own words.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from affiliates.errors import in_plain_sight
from affiliates.manifests.alert_settings import Alerting, LevelName
from affiliates.manifests.model_use import ModelUse
from affiliates.manifests.product import ProductRef
from affiliates.periods import DAY
from pipelines.alerts.state import Event, Level
from pipelines.runbook import Page
from pipelines.store.alert_log import Transition

_MOST = 10
"""Products, uses and subjects that a message names."""

PAGES = {
    "missing_data": Page.ALERT_MISSING,
    "unusual_data": Page.ALERT_UNUSUAL,
    "failed_run": Page.ALERT_FAILED,
    "definition_change": Page.ALERT_COMPARED,
    "jump": Page.ALERT_COMPARED,
    "threshold": Page.ALERT_THRESHOLD,
}
"""By an alert's kind, the section of the runbook about it."""
_KINDS = {
    "missing_data": "data is missing",
    "unusual_data": "data isn't as it was",
    "failed_run": "a run has failed",
    "definition_change": "what is called active has changed",
    "jump": "the figure moved further than it ever does",
}
_ENDED = {
    "missing_data": "the data is there",
    "unusual_data": "the data is as usual again",
    "failed_run": "it runs again",
    "definition_change": "what is called active is as it was",
    "jump": "the figure is back within what is usual",
}
_WAITS = (
    "Until a named person says whether the figures can be compared, no level is lowered, and this month raises none but `over`."
)


@dataclass(frozen=True)
class About:
    """What there is to say of an alert beside its transition."""

    group: str
    of_record: bool
    """Whether the reading is adopted as the one of record, or is merely the first."""
    products: Sequence[tuple[ProductRef, int | None]] = ()
    """Products with their users, the largest first."""
    whose: str | None = None
    """The affiliate, or affiliate/product, that the alert is about; null for the whole group."""
    crossing: date | None = None
    """First day of the month in which the threshold is most likely passed."""
    today: date | None = None
    tested_by: Sequence[str] | None = None
    """Names of the licences whose test is of this month; null where that isn't known any more."""
    uses: Sequence[str] = ()
    """A line for each use of a watched model, as `use_line` writes it."""
    doubted: bool = False
    """Whether the month can't be compared with those before."""
    aside: str | None = None
    """The reading that is shown now, where the alert is of another one."""
    lines: Mapping[str, str] = field(default_factory=dict)
    """By a subject of an alert about data, a line that says more than the subject alone: with figures, or days."""


class Title(NamedTuple):
    """A message's title, and the one for those who may not have figures and names."""

    full: str
    bare: str


def payload(alert: Transition, event: Event, about: About, alerting: Alerting, key: str) -> dict[str, str]:
    """A message as the outbox keeps it: title and text, the same without figures and names, and the fields of a webhook."""
    link = f"{(alerting.link or '').rstrip('/')}/alerts/{alert.opened}" if alerting.link else ""
    foot = [f"Alert {alert.opened}: {f'{link}, or ' if link else ''}mauwatch alerts", f"Key: {key}"]
    foot += ["", alerting.legend] if alerting.legend else []
    title = _title(alert, event, about, alerting)
    lines = _threshold_lines(alert, event, about, alerting) if alert.kind == "threshold" else _data_lines(alert, event, about)
    if event.action in ("raised", "found", "escalated"):
        lines.append(f"It has been seen: mauwatch alerts ack {alert.opened} --by NAME")
    # Names may be older than the rule that no manifest has such signs.
    lines = [in_plain_sight(line) for line in lines]
    foot = [in_plain_sight(line) for line in foot]
    title = Title(*map(in_plain_sight, title))
    return {
        "title": title.full,
        "text": "\n".join([*lines, "", *foot]),
        "bare_title": title.bare,
        "bare_text": "\n".join([f"{title.bare}.", "Figures and names are shown there:", "", *foot]),
        "alert": f"{alert.opened}",
        "kind": alert.kind,
        "action": event.action,
        "level": event.level.word,
        "link": link,
    }


def _title(alert: Transition, event: Event, about: About, alerting: Alerting) -> Title:
    unseen = ", not acknowledged" if event.action == "escalated" else ""
    if alert.kind != "threshold":
        what = _ENDED[alert.kind] if event.action == "ended" else _KINDS[alert.kind]
        outcome = {"closed": ", closed", "set_aside": ": of a reading that isn't shown any more"}.get(event.action, "")
        title = f"[data] {about.group}: {what}{outcome}{unseen}"
        return Title(title, title)  # No figure, and no name but the group's.
    month = f" in {alert.as_of:%Y-%m}" if alert.as_of else ""
    whose = f" by {about.whose}" if about.whose else ""
    family = alert.rule.partition("/")[0]
    name = f"the threshold of {family} ({alert.threshold:,}){whose}" if alert.threshold else f"a threshold{whose}"
    closed = (
        f"no alert any more, since {event.reached.word} was closed: {name}" if event.reached else f"no alert any more: {name}"
    )
    full = {
        "lowered": f"lowered from {event.before.word}: {name}",
        "cleared": closed,
        "closed": f"closed by {alert.closed_by}: {name}",
        "set_aside": f"of a reading that isn't shown any more: {name}",
    }.get(event.action, _position(alert, event, name, month, alerting))
    bare = {
        "lowered": "an alert is lower",
        "cleared": "an alert is over",
        "closed": "an alert is closed",
        "set_aside": "an alert is of a reading that isn't shown any more",
    }.get(event.action, "an alert is open")
    head = f"[{'none' if event.action == 'cleared' else event.level.word}] {about.group}: "
    return Title(f"{head}{full}{unseen}", f"{head}{bare}{unseen}")


def _position(alert: Transition, event: Event, name: str, month: str, alerting: Alerting) -> str:
    """How the figure of an open alert lies to its threshold, in words that hold for its bounds; by the forecast where it is that
    which has raised the alert."""
    above = "at or above" if _is_at_least(alert) else "above"
    if event.level == Level.OVER:
        return f"{above} {name}{month}"
    if _is_over(alert, alert.estimate):
        return f"perhaps {above} {name}{month}"
    if _is_over(alert, alert.upper):
        return f"not certainly below {name}{month}"
    if alert.estimate is not None and alert.threshold and alert.estimate >= alerting.shares.watch * alert.threshold:
        return f"near {name}{month}"
    when = "three months" if event.level == Level.ACT else "twelve months"
    return f"may pass {name} within {when}" if alert.within_year is not None else f"an alert about {name}"


def _is_at_least(alert: Transition) -> bool:
    """Whether a figure that equals the threshold is over it: the rule's name says so (`rules.Rule.name`)."""
    return alert.rule.partition(" ")[0].endswith("+")


def _is_over(alert: Transition, people: int | None) -> bool:
    """Whether so many people are over the threshold."""
    if people is None or not alert.threshold:
        return False
    return people >= alert.threshold if _is_at_least(alert) else people > alert.threshold


def _level_line(alert: Transition, event: Event) -> str:
    """The level from now on, and the one before."""
    now = event.level.word
    if event.action == "cleared":
        now = f"none, since {event.reached.word} was closed by a named person" if event.reached else "none"
    elif event.action == "closed":
        now = f"none, closed by {alert.closed_by}"
    elif event.action == "set_aside":
        now = "none under this reading"
    elif event.action == "escalated":
        return f"Level: {now}, which nobody has acknowledged."
    return f"Level: {now}, before: {event.before.word}."


def _threshold_lines(alert: Transition, event: Event, about: About, alerting: Alerting) -> list[str]:
    """The body of a message about a threshold: level and reading, figure, tests, forecast, uses, products, next step."""
    record = "the reading of record" if about.of_record else "not adopted as the one of record"
    lines = [f"{_level_line(alert, event)} Reading: {alert.reading}, {record}."]
    if about.aside:
        lines.append(f"Shown is {about.aside} now: by that one, alerts are raised anew.")
    if alert.threshold and alert.as_of:
        lines += _figure_lines(alert, about)
    if about.doubted and event.level == Level.OVER:
        lines.append(
            "The month can't be compared with those before, which is an alert of its own; a lower bound needs no other month."
        )
    if alert.as_of and about.tested_by is not None:
        licences = ", ".join(about.tested_by)
        lines.append(f"This month is tested by {licences}." if licences else "No release of a version tests this month.")
    # Of what is over, nobody asks how likely it is; nor of what is over by the estimate.
    if event.level < Level.OVER and not _is_over(alert, alert.estimate):
        lines += _forecast_lines(alert, about, alerting)
    lines += about.uses[:_MOST]
    lines += [f"and {len(about.uses) - _MOST} more uses"] if len(about.uses) > _MOST else []
    lines += _product_lines(about, alerting)
    if event.action == "closed":
        lines.append(f"Closed by {alert.closed_by}, {alert.reason_code}, matter {alert.matter}.")
    elif event.level > Level.NONE and event.action in ("raised", "lowered", "escalated"):
        name: LevelName = event.level.word  # type: ignore[assignment]  # A level's words are those of the model.
        lines.append(f"Next: {getattr(alerting.next_steps, name)}.")
    return lines


def _figure_lines(alert: Transition, about: About) -> list[str]:
    """The figure beside the threshold: a number never stands without its bounds and its month."""
    assert alert.threshold  # For the types: `_threshold_lines` has asked.
    assert alert.as_of
    lower = alert.lower or 0
    bounds = f"{lower:,} to {'no upper bound yet' if alert.upper is None else f'{alert.upper:,}'}"
    high = "no upper bound yet" if alert.upper is None else f"{alert.upper / alert.threshold:.1%}"
    shares = f"{lower / alert.threshold:.1%} to {high}"
    whose = f" of {about.whose}" if about.whose else ""
    if alert.estimate is None:
        return [f"{alert.as_of:%Y-%m}: {bounds} people{whose}, {shares} of {alert.threshold:,}; there is no estimate."]
    share = alert.estimate / alert.threshold
    figure = f"{alert.estimate:,} people{whose} ({bounds}), {share:.1%} of {alert.threshold:,} ({shares})"
    lines = [f"{alert.as_of:%Y-%m}: {figure}.", f"The level goes by the estimate; headroom: {_headroom(alert)}."]
    above = "at or above" if _is_at_least(alert) else "above"
    if _is_over(alert, alert.lower):
        return lines
    if _is_over(alert, alert.estimate):
        lines.append(f"The estimate is {above} the threshold, the lower bound isn't: it can't be told whether it is passed.")
    elif _is_over(alert, alert.upper):
        lines.append(f"The upper bound is {above} the threshold, the estimate isn't: it can't be told whether it is passed.")
    elif alert.upper is None:
        lines.append("Without an upper bound it can't be told whether the threshold is passed.")
    return lines


def _headroom(alert: Transition) -> str:
    """What is left to the threshold, by the bounds: from the least to the most, below zero where the threshold is passed."""
    assert alert.threshold is not None  # Whoever asks has looked.
    most = alert.threshold - (alert.lower or 0)
    return f"at most {most:,}" if alert.upper is None else f"{alert.threshold - alert.upper:,} to {most:,}"


def _forecast_lines(alert: Transition, about: About, alerting: Alerting) -> list[str]:
    """How likely the threshold is passed, and by when to decide: the crossing less each lead time in alerts.yaml."""
    if alert.within_year is None:
        return ["There is no forecast: the level is by the figure alone."]
    # As `mauwatch forecast` says it: by the estimate alone the same threshold may be passed for certain, or never.
    chances = f"{alert.within_quarter or 0:.0%} in three months, {alert.within_year:.0%} in twelve"
    lines = [f"Probability of passing it, by the range (the figure's bounds and growth): {chances}."]
    if about.crossing is not None:
        parts = []
        for name, lead in alerting.lead_times.model_dump().items():
            day = about.crossing - DAY * lead
            parts.append(f"{name.replace('_', ' ')} {day}{' (passed)' if about.today and day < about.today else ''}")
        lines.append(f"Most likely passed in {about.crossing:%Y-%m}. Decide by: {', '.join(parts)}.")
    return lines


def _product_lines(about: About, alerting: Alerting) -> list[str]:
    """The largest products with their users and owners, under a heading."""
    lines = []
    for ref, users in about.products[:_MOST]:
        owner = alerting.owner(ref)
        lines.append(f"  {ref}: {'–' if users is None else f'{users:,}'}" + (f", {owner}" if owner else ", no owner is named"))
    more = len(about.products) - _MOST
    return [*(["Products:"] if lines else []), *lines, *([f"  and {more} more"] if more > 0 else [])]


def _data_lines(alert: Transition, event: Event, about: About) -> list[str]:
    """The body of a message about data: what is wrong or has ended, its subjects, figures, and the section of the runbook."""
    lines = [f"{(_ENDED if event.action == 'ended' else _KINDS)[alert.kind].capitalize()}:"]
    subjects = event.subjects or tuple(alert.subjects.splitlines())
    lines += [f"  {about.lines.get(subject) or subject}" for subject in subjects[:_MOST]]
    lines += [f"  and {len(subjects) - _MOST} more"] if len(subjects) > _MOST else []
    if event.action in ("found", "escalated"):
        lines += [_WAITS] if alert.kind in ("jump", "definition_change") else []
        lines.append(PAGES[alert.kind].line)
    if event.action == "closed":
        lines.append(f"Closed by {alert.closed_by}, {alert.reason_code}, matter {alert.matter}.")
    return lines


def use_line(ref: ProductRef, use: ModelUse) -> str:
    """A product's use of a model, with the revenue that rests on the use and what leaving the model costs."""
    parts = [f"{ref} uses {use.model}"]
    if use.revenue:
        share = f", {float(use.revenue_share * 100):g} % of it by the model" if use.revenue_share else ""
        parts.append(f"revenue {use.revenue.amount:,} {use.revenue.currency} in {use.revenue.year}{share}")
    else:
        parts.append("its revenue isn't said")
    if use.switching_cost:
        parts.append(f"switching costs {use.switching_cost.amount:,} {use.switching_cost.currency}")
    else:
        parts.append("the cost of switching isn't said")
    if use.alternative:
        parts.append(f"alternative: {use.alternative}")
    return "; ".join(parts)
