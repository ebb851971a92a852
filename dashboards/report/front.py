"""The front of the page of evidence: for whom it is, what the test finds, the clause, and what was granted."""

import re
from collections.abc import Iterator, Sequence

from dashboards.report.sheets import Sheets
from dashboards.report.wording import Content, entity_name, group_name, interval, month_name, more_than, people, with_sign
from pipelines.licences.outcome import STANDS


def cover(sheets: Sheets, files: Content) -> None:
    """What the document is, for whom and what for, and whether its figures can still change."""
    licence = files["licence"]
    about = files["about"]
    month = month_name(about["month"])
    name = group_name(files["group"])
    sheets.title_line(f"Monthly users of {name} in {month}")
    if about["kind"] == "privileged":
        sheets.banner(
            "PRIVILEGED: for counsel alone. All readings of the clause are shown, also those that the group doesn't take."
        )
    sheets.banner(_state(files["figures"]["published"], month))
    sheets.pairs(
        [
            ("To", about["addressee"]),
            ("For", f"{name}, by its ultimate parent {entity_name(files['group'], files['group']['ultimate_parent'])}"),
            ("Purpose", about["purpose"]),
            (
                "What is tested",
                f"{licence['name']}, released {licence['released']}: {more_than(licence)} monthly active users in the calendar "
                f"month before the release, {month}. Licensee: {entity_name(files['group'], licence['licensee'])}, with its "
                "affiliates",
            ),
            ("Readings shown", ", ".join(reading["name"] for reading in licence["read"])),
            ("Made", f"{about['made_at'][:16].replace('T', ' ')} UTC by {about['made_by']}, a program that counts users"),
        ]
    )


def _state(published: Sequence[Content], month: str) -> str:
    """Whether anybody has signed the month, in a sentence that stands on the first page."""
    first = published[0]["publication"]
    known = first["known_at"][:10]
    if not first["signed_by"]:
        return f"PRELIMINARY: nobody has signed the figures of {month}, known on {known}. They can still change."
    parts = [f"{first['state'].upper()}: {first['signed_by']} has signed the figures of {month} on {known}."]
    parts += [f"Signed although something was open: {first['despite']}."] if first["despite"] else []
    parts += [f"They take the place of figures that were signed before, because: {first['reason']}."] if first["reason"] else []
    return " ".join(parts)


def result(sheets: Sheets, files: Content) -> None:
    """What the test finds by each reading: in a sentence, in numbers, and what would settle what is open."""
    licence = files["licence"]
    sheets.heading("What the test finds")
    outcomes = [(reading["name"], licence["readings"][reading["name"]]) for reading in licence["read"]]
    for name, outcome in outcomes:
        sheets.text_line(f"By {name}: {_sentence(outcome, licence)}", bold=True)
    sheets.ln(1)
    rows = [
        (
            f"{name}{' (of record)' if o['of_record'] else ''}",
            o["result"].replace("_", " "),
            people(o["estimate"]),
            interval(o["lower"], o["upper"]),
            _distance(licence["threshold"], o),
        )
        for name, o in outcomes
    ]
    heads = ("reading", "result", "estimate", "at least to at most", "threshold less these")
    sheets.rows(heads, rows, (36, 24, 25, 45, 44), (2, 3, 4))
    why = [f"{name}: {reason}" for name, o in outcomes for reason in o["why"]]
    settling = list(_settling(outcomes))
    if why:
        sheets.text_line("Why:")
        sheets.lines(why)
    if settling:
        sheets.text_line("What would settle what is open:")
        sheets.lines(settling)


def _settling(outcomes: Sequence[tuple[str, Content]]) -> Iterator[str]:
    """What would settle each reading's test; nothing has to be settled where a grant or an exemption covers the use."""
    for name, outcome in outcomes:
        if outcome["result"] not in STANDS:
            yield from (f"{name}: {_quoted(reason)}" for reason in outcome["settled_by"])


def _quoted(text: str) -> str:
    """A text for a terminal, with quotation marks in the place of its backticks."""
    return re.sub(r"`([^`]*)`", r"“\1”", text)


def _sentence(outcome: Content, licence: Content) -> str:
    """A result in words."""
    threshold = licence["threshold"]
    lower = outcome["lower"]
    upper = outcome["upper"]
    if outcome["result"] == "not_measured":
        return "not measured. Nothing is known of the month by this reading."
    if outcome["result"] in ("granted", "exempt"):
        by_numbers = (outcome["found"] or "not measured").replace("_", " ")
        covers = "A grant covers it" if outcome["result"] == "granted" else "The text leaves this use out"
        return f"{outcome['result']}. {covers}, see below; by the numbers alone the test is {by_numbers}."
    if outcome["result"] == "under":
        return f"under the threshold. At most {upper:,} users; the threshold is {threshold:,}."
    if outcome["result"] == "over":
        return f"over the threshold. At least {lower:,} users; the threshold is {threshold:,}."
    if upper is None:
        return f"undetermined. At least {lower:,} users, and no most can be given; the threshold is {threshold:,}."
    return f"undetermined. The threshold of {threshold:,} lies between the least number, {lower:,}, and the most, {upper:,}."


def _distance(threshold: int, outcome: Content) -> str:
    """How far the threshold lies above the most and the least: a range, as the figure is one."""
    if outcome["lower"] is None:
        return "–"
    least = "unknown" if outcome["upper"] is None else with_sign(threshold - outcome["upper"])
    return f"{least} to {with_sign(threshold - outcome['lower'])}"


def clause(sheets: Sheets, licence: Content) -> None:
    """The clause's words and their place, what they leave open, and what the readings make of it."""
    asked = licence["clause"]
    entry = licence["entry"]
    section = asked["section"] or asked["id"]
    sheets.heading("The clause, and how it was read")
    place = f"section {section} of the {licence['name']} (© {licence['licensor']})"
    if asked["words"]:
        sheets.text_line(f"The words of {place}:")
        sheets.quotation(asked["words"])
    else:
        sheets.text_line(f"The words of {place} aren't quoted here: they stand in the text that is named below.")
    sheets.text_line(
        f"In short: {more_than(licence)} monthly active users in the calendar month before the release. Whose: "
        f"{', '.join(asked['whose']).replace('_', ' ')}. Products: {asked['products_in_scope'] or 'all'}. "
        f"Over it: {asked['effect_over'] or 'see the text'}. The text doesn't define: "
        f"{', '.join(asked['undefined']) or 'nothing of this'}. So the group has written down how it reads them:"
    )
    for reading in licence["read"]:
        counts = "each person once" if reading["counts"] == "unique_people" else "each person once in each product, added up"
        member = "on the release date" if reading["membership"] == "release_date" else "on the month's last day"
        sheets.text_line(
            f"· {reading['name']}: {counts}; {' and '.join(reading['audiences'])} users; control by more than "
            f"{float(reading['control_share']) * 100:g} % of the shares or by contract; the group as it is {member}."
        )
    record = licence["of_record"]
    sheets.text_line(
        f"Reading of record on the release date: {record['reading']}, adopted by {record['adopted_by']} from {record['from']}."
        if record
        else "No reading of record was adopted for the release date."
    )
    sheets.text_line(f"The text was read as {entry['evidence'].replace('_', ' ')}, last on {entry['reviewed']}, from:", grey=True)
    sheets.lines(entry["sources"], grey=True)


def grants(sheets: Sheets, files: Content) -> None:
    """What was granted and accepted of this licence."""
    licence = files["licence"]
    sheets.heading("Grants, side letters and acceptances")
    rows = [
        (
            f"{grant['kind'].replace('_', ' ')} {grant['id']}",
            entity_name(files["group"], grant["licensee"]),
            f"{grant['from']} to {grant['to'] or 'no end'}{'' if grant['in_force'] else ' (not in force)'}",
            _covers(grant["covers"]),
            _cap(grant["cap"]),
            "; ".join(_duty(duty) for duty in grant["reporting"]) or "none",
            _document(grant["document"]),
        )
        for grant in licence["grants"]
    ]
    if rows:
        heads = ("grant", "licensee", "days", "covers", "cap", "reports due", "document")
        sheets.rows(heads, rows, (22, 22, 24, 26, 26, 24, 30))
        sheets.text_line(f"Whether they are in force is as of {licence['grants_on']}.", grey=True)
    else:
        sheets.text_line("No grant or side letter for this licence is known to the group's records.")
    accepted = [
        f"Accepted for {entity_name(files['group'], a['entity'])} by {a['by']} on {a['on']}"
        f"{', text ' + a['text'] if a['text'] else ''}{', revision ' + a['revision'] if a['revision'] else ''}."
        for a in licence["accepted"]
    ]
    sheets.lines(accepted or ["Nobody is recorded as having accepted this licence."])


def _covers(covers: Content | None) -> str:
    """What a grant covers."""
    return ", ".join([*covers["entities"], *covers["products"]]) if covers else "all that the licensee and its affiliates offer"


def _cap(cap: Content | None) -> str:
    """A grant's own threshold."""
    if cap is None:
        return "none"
    whose = "the group" if cap["of"] == "group" else "what it covers"
    return f"{cap['users']:,} users of {whose}, by {cap['reading']}"


def _duty(duty: Content) -> str:
    """A reporting duty."""
    again = f", then every {duty['every_months']} months" if duty["every_months"] else ""
    return f"{duty['duty']} by {duty['due']}{again}"


def _document(document: Content) -> str:
    """A document by its name, with the beginning of its digest."""
    return f"{document['name']} ({document['digest'][:23]}…)" if document["digest"] else document["name"]
