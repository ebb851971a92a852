"""What a message says: with figures for the allowed domains, and without. Pure.

It states facts and results under the reading of record; next steps are the group's own words.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from affiliates.manifests.alert_settings import Alerting, LevelName
from affiliates.manifests.product import ProductRef
from affiliates.periods import DAY
from pipelines.alerts.state import Event, Level
from pipelines.runbook import Page
from pipelines.store.alert_log import Transition

_MOST = 10
"""Products and subjects that are named."""

PAGES = {
    "missing_data": Page.ALERT_MISSING,
    "failed_run": Page.ALERT_FAILED,
    "definition_change": Page.ALERT_COMPARED,
    "jump": Page.ALERT_COMPARED,
    "threshold": Page.ALERT_THRESHOLD,
}
_KINDS = {
    "missing_data": "data is missing",
    "failed_run": "a run has failed",
    "definition_change": "what is called active has changed",
    "jump": "the figure moved further than it ever does",
}
_ENDED = {
    "missing_data": "the data is there",
    "failed_run": "it runs again",
    "definition_change": "what is called active is as it was",
    "jump": "the figure is back within what is usual",
}
_UNREAD = "Until a named person says whether the figures can be compared, no level is lowered, and this month raises none."


@dataclass(frozen=True)
class About:
    """What is said of an alert beside its transition."""

    group: str
    of_record: bool
    """Whether the reading is adopted as the one of record, or is merely the first."""
    products: Sequence[tuple[ProductRef, int | None]] = ()
    """Each with its users, the largest first."""
    whose: str | None = None
    """The affiliate, or affiliate/product, that it is about; null for the whole group."""
    crossing: date | None = None
    """First day of the month in which the threshold is most likely passed."""
    today: date | None = None
    tested_by: Sequence[str] | None = None
    """Names of the licences whose test is of this month; null where that isn't known any more."""
    uses: Sequence[str] = ()
    """Of the watched models: what rests on each, and what leaving it costs."""
    aside: str | None = None
    """The reading that is shown now, where the alert is of another one."""
    lines: Sequence[str] = ()
    """Of an alert about data: what there is to say in figures."""


def payload(of: Transition, event: Event, about: About, rules: Alerting, key: str) -> dict[str, str]:
    """Title and text of a message, with figures and names and without, and the fields of a webhook."""
    link = f"{(rules.link or '').rstrip('/')}/alerts/{of.opened}" if rules.link else ""
    foot = [f"Alert {of.opened}: {f'{link}, or ' if link else ''}mauwatch alerts", f"Key: {key}"]
    foot += ["", rules.legend] if rules.legend else []
    title, bare = _title(of, event, about)
    said = _threshold(of, event, about, rules) if of.kind == "threshold" else _data(of, event, about)
    if event.action in ("raised", "found", "escalated"):
        said.append(f"It has been seen: mauwatch alerts ack {of.opened} --by NAME")
    return {
        "title": title,
        "text": "\n".join([*said, "", *foot]),
        "bare_title": bare,
        "bare_text": "\n".join([f"{bare}.", "Figures and names are shown there:", "", *foot]),
        "alert": f"{of.opened}",
        "kind": of.kind,
        "action": event.action,
        "level": event.level.word,
        "link": link,
    }


def _title(of: Transition, event: Event, about: About) -> tuple[str, str]:
    unseen = ", not acknowledged" if event.action == "escalated" else ""
    if of.kind != "threshold":
        what = _ENDED[of.kind] if event.action == "ended" else _KINDS[of.kind]
        done = {"closed": ", closed", "set_aside": ": of a reading that isn't shown any more"}.get(event.action, "")
        title = f"[data] {about.group}: {what}{done}{unseen}"
        return title, title
    month = f" in {of.as_of:%Y-%m}" if of.as_of else ""
    whose = f" by {about.whose}" if about.whose else ""
    name = f"the threshold of {of.rule.partition('/')[0]} ({of.threshold:,}){whose}" if of.threshold else f"a threshold{whose}"
    said = {
        "raised": f"above {name}{month}" if event.level == Level.OVER else f"near {name}",
        "lowered": f"further from {name} than before",
        "cleared": f"no longer near {name}",
        "closed": f"closed by {of.closed_by}: {name}",
        "set_aside": f"of a reading that isn't shown any more: {name}",
    }.get(event.action, f"above {name}" if event.level == Level.OVER else f"near {name}")
    head = f"[{event.level.word}] {about.group}: "
    bare = {
        "lowered": "an alert is lower",
        "cleared": "an alert is over",
        "closed": "an alert is closed",
        "set_aside": "an alert is of a reading that isn't shown any more",
    }
    return f"{head}{said}{unseen}", f"{head}{bare.get(event.action, 'an alert is open')}{unseen}"


def _threshold(of: Transition, event: Event, about: About, rules: Alerting) -> list[str]:
    record = "the reading of record" if about.of_record else "not adopted as the one of record"
    said = [f"Level: {event.level.word}, before: {event.before.word}. Reading: {of.reading}, {record}."]
    if about.aside:
        said.append(f"Shown is {about.aside} now: by that one, alerts are raised anew.")
    if of.estimate is not None and of.threshold and of.as_of:
        bounds = f"{of.lower:,} to {'no upper bound yet' if of.upper is None else f'{of.upper:,}'}"
        share = of.estimate / of.threshold
        whose = f" of {about.whose}" if about.whose else ""
        said.append(f"{of.as_of:%Y-%m}: {of.estimate:,} people{whose} ({bounds}), {share:.1%} of {of.threshold:,}.")
    if of.as_of and about.tested_by is not None:
        named = ", ".join(about.tested_by)
        said.append(f"This month is tested by {named}." if named else "No release of a version tests this month.")
    if event.level < Level.OVER:  # Of what is over, nobody asks how likely it is.
        said += _expected(of, about, rules)
    said += about.uses[:_MOST]
    said += [f"and {len(about.uses) - _MOST} more uses"] if len(about.uses) > _MOST else []
    said += _products(about, rules)
    if event.action == "closed":
        said.append(f"Closed by {of.closed_by}, {of.reason_code}, matter {of.matter}.")
    elif event.level > Level.NONE and event.action in ("raised", "lowered", "escalated"):
        name: LevelName = event.level.word  # type: ignore[assignment]  # A level's words are those of the model.
        said.append(f"Next: {getattr(rules.next_steps, name)}.")
    return said


def _expected(of: Transition, about: About, rules: Alerting) -> list[str]:
    """How likely the threshold is passed, and by when to decide."""
    if of.within_year is None:
        return ["There is no forecast: the level is by the figure alone."]
    said = [f"Probability of passing it: {of.within_quarter or 0:.0%} in three months, {of.within_year:.0%} in twelve."]
    if about.crossing is not None:
        parts = []
        for name, lead in rules.lead_times.model_dump().items():
            day = about.crossing - DAY * lead
            parts.append(f"{name.replace('_', ' ')} {day}{' (passed)' if about.today and day < about.today else ''}")
        said.append(f"Most likely passed in {about.crossing:%Y-%m}. Decide by: {', '.join(parts)}.")
    return said


def _products(about: About, rules: Alerting) -> list[str]:
    lines = []
    for ref, users in about.products[:_MOST]:
        owner = rules.owner(ref)
        lines.append(f"  {ref}: {'–' if users is None else f'{users:,}'}" + (f", {owner}" if owner else ", no owner is named"))
    more = len(about.products) - _MOST
    return [*(["Products:"] if lines else []), *lines, *([f"  and {more} more"] if more > 0 else [])]


def _data(of: Transition, event: Event, about: About) -> list[str]:
    said = [f"{(_ENDED if event.action == 'ended' else _KINDS)[of.kind].capitalize()}:"]
    subjects = event.subjects or tuple(of.subjects.splitlines())
    said += [f"  {subject}" for subject in subjects[:_MOST]]
    said += [f"  and {len(subjects) - _MOST} more"] if len(subjects) > _MOST else []
    said += about.lines
    if event.action in ("found", "escalated"):
        said += [_UNREAD] if of.kind in ("jump", "definition_change") else []
        said.append(PAGES[of.kind].line)
    if event.action == "closed":
        said.append(f"Closed by {of.closed_by}, {of.reason_code}, matter {of.matter}.")
    return said
