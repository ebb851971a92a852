"""Tables of licence tests for a terminal. Pure: values in, renderables out.

Over 300 lines: the tables of one command, which share their cells and their words.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Group as Stack
from rich.console import RenderableType
from rich.text import Text

from dashboards.cli.tables import coverage, headroom, interval, people, reasons, table

if TYPE_CHECKING:
    from datetime import date

    from affiliates.manifests.product import ProductRef
    from pipelines.licences.adoption import AdoptionCheck
    from pipelines.licences.clause_tests import ClauseTest
    from pipelines.licences.dependencies import Dependencies
    from pipelines.licences.entry import Clause, LicenceEntry
    from pipelines.licences.outcome import ClauseFinding, ReadingResult
    from pipelines.licences.registry import Registry
    from pipelines.licences.release_tests import LicenceTest


RESULT_STYLE = {
    "under": "green",
    "granted": "green",
    "exempt": "green",
    "undetermined": "yellow",
    "not_measured": "yellow",
    "over": "bold red",
}
NO_ADVICE = Text("Results of the stated readings; no legal advice.", style="dim")
_OF = " of "
"""Stands between a licence and whose users are meant; neither of the two has blanks."""
_BY = " by "
"""Stands before a reading."""
RECORD = "* the group's reading of record on the release date"


def by_reading(first: "Sequence[LicenceTest]", others: "Sequence[LicenceTest | ClauseTest]") -> list[RenderableType]:
    """A row for each reading: the versions of one family by what they ask, then all others."""
    asked = dict.fromkeys((test.licence.clause.threshold, test.licence.clause.comparator) for test in first)
    shown = [
        of_family([t for t in first if (t.licence.clause.threshold, t.licence.clause.comparator) == asks], alone=False)
        for asks in asked
    ]
    return [*shown, *([clauses(others)] if others else [])]


def of_family(tests: "Sequence[LicenceTest]", alone: bool = True) -> RenderableType:
    """Of one family: one row a licence and reading, and what the clause asks; `alone`: nothing else follows."""
    rows: list[Sequence[str | Text]] = []
    for test in tests:
        head = [test.licence.id, f"{test.licence.released}", f"{test.licence.measured_month:%Y-%m}"]
        for name, o in test.readings.items():
            rows.append([*head, *cells(name, o)])
            head = [f"  {test.licensee}" if len({t.licensee for t in tests}) > 1 else "", "", ""]
    clause = tests[0].licence.clause
    supposed = tests[0].licence.supposed
    more = "More than" if clause.comparator == "gt" else "At least"
    title = f"{more} {clause.threshold:,} monthly active users{', if a version were released then' if supposed else ''}?"
    columns = ("licence", "released", "tests", "reading", "result", "headroom", "95 % interval")
    parts: list[RenderableType] = [
        table(title, columns, rows, (5, 6), (0, 1, 2, 4)),
        Text("By the clause of the newest version: nobody knows the next one's.") if supposed else Text(_asks(clause)),
    ]
    if any(o.of_record for t in tests for o in t.readings.values()):
        parts.append(Text(RECORD))
    parts += below(list(zip(named(tests), (t.readings for t in tests), strict=True)))
    return Stack(*parts, NO_ADVICE) if alone else Stack(*parts)


def changes(changed: "Mapping[date, Sequence[str]]") -> list[Text]:
    """What has changed since the months were published, a line each."""
    return [Text(f"{text}.", "yellow") for texts in changed.values() for text in texts]


def _asks(clause: "Clause") -> str:
    """What a clause asks, and what it leaves open, in a few sentences."""
    section = (clause.section or "").partition(" ")[0]
    return (
        f"Section {section} of each text asks for the calendar month before the release, of the {clause.whose_users}, in "
        f"products: {clause.products_in_scope}. "
        f"{'It tests again later' if clause.tested_again_later_in_text else 'Nothing in it tests again'}. "
        f"Over the threshold: {clause.effect_over}. It doesn't define {', '.join(clause.undefined)}: hence the readings."
    )


def cells(name: str, o: "ReadingResult") -> list[str | Text]:
    """Reading, result, headroom and interval."""
    bounds = "–" if o.lower is None else f"{people(o.lower)} to {'no upper bound' if o.upper is None else people(o.upper)}"
    room = headroom(o.least_headroom, o.most_headroom)
    return [f"{name}{' *' if o.of_record else ''}", Text(o.result, RESULT_STYLE[o.result]), room, bounds]


def named(tests: "Sequence[LicenceTest | ClauseTest]") -> list[str]:
    """What to call each test in a sentence: the licence, and whose users where several tests have the name, or a product's."""
    parts = [parts_of(test) for test in tests]
    clauses_of = {entry.id: {p[1].id for p in parts if p[0].id == entry.id} for entry, *_ in parts}
    names = []
    for test, (entry, clause, *_) in zip(tests, parts, strict=True):
        licence = getattr(test, "licence", None)
        # A supposed release has a name of its own, and the newest version's clause.
        name = f"{licence.id} on {licence.released}" if licence and licence.supposed else entry.id
        names.append(f"{name} ({clause.id})" if len(clauses_of[entry.id]) > 1 else name)
    return [
        f"{name}{_OF}{product or licensee}" if product or names.count(name) > 1 else name
        for name, (_, _, licensee, product, _) in zip(names, parts, strict=True)
    ]


def below(named_readings: "Sequence[tuple[str, Mapping[str, ReadingResult]]]") -> Iterator[Text]:
    """What stands below a table: coverage, why it is so, what would settle it; each once, with whom it is of."""
    every = [(name, o) for name, readings in named_readings for o in readings.values()]
    covered = _of_whom((coverage(o.coverage), name) for name, o in every if o.coverage is not None and not o.complete)
    if covered:
        shares = "; ".join(f"{share} ({names})" for share, names in covered.items())
        yield Text(f"Covered of what was due: {shares}.")
    for title, reasons_by_names in (
        ("Why", _of_whom((why, name) for name, o in every for why in o.why)),
        ("What would settle the rest", _of_whom(_settling(named_readings))),
    ):
        if reasons_by_names:
            yield reasons(title, [f"{names}: {why}" for why, names in reasons_by_names.items()])


def _settling(named_readings: "Sequence[tuple[str, Mapping[str, ReadingResult]]]") -> Iterator[tuple[str, str]]:
    """What would settle each test, with the test's name; with the reading's as well where the readings differ in it."""
    from pipelines.licences.outcome import STANDS

    for name, readings in named_readings:
        # Of a test that is granted or exempt nothing has to be settled.
        settled = {reading: o.settled_by for reading, o in readings.items() if o.settled_by and o.result not in STANDS}
        differ = len(set(settled.values())) > 1
        for reading, remedies in settled.items():
            yield from ((remedy, f"{name}{_BY}{reading}" if differ else name) for remedy in remedies)


def _of_whom(statements: Iterable[tuple[str, str]]) -> dict[str, str]:
    """What is said, each once, with the names of all of whom it is said."""
    names: dict[str, dict[tuple[str, str], list[str]]] = {}
    for what, name in statements:
        whose, by, reading = name.partition(_BY)
        licence, _, subject = whose.partition(_OF)
        subjects = names.setdefault(what, {}).setdefault((licence, f"{by}{reading}"), [])
        subjects += [subject] if subject and subject not in subjects else []
    return {what: ", ".join(_whose(*licence, subjects) for licence, subjects in whom.items()) for what, whom in names.items()}


def _whose(licence: str, by: str, subjects: Sequence[str]) -> str:
    """A licence with all whose users are meant."""
    listed = " and ".join(filter(None, [", ".join(subjects[:-1]), *subjects[-1:]]))
    return f"{licence}{_OF if listed else ''}{listed}{by}"


def clauses(tests: "Sequence[LicenceTest | ClauseTest]") -> RenderableType:
    """Of all other licences: one block a clause and subject, with a row for each reading."""
    rows: list[Sequence[str | Text]] = []
    noted: list[tuple[str, Mapping[str, ReadingResult]]] = []
    first_over = list[str]()
    for test, name in zip(tests, named(tests), strict=True):
        entry, clause, _, _, month = parts_of(test)
        noted.append((name, test.readings))
        more = "more than" if clause.comparator == "gt" else "at least"
        unit = "users a day" if clause.metric == "daily_active_users" else "users"
        head = [entry.id, f"  {more} {clause.threshold:,} {unit}", f"  of {whom(test)}"]
        shown = [cells(reading, o) for reading, o in test.readings.items()]
        # Clause, threshold and subject stand beneath each other beside the readings, to fit 120 columns.
        for i in range(max(len(head), len(shown))):
            about = month if i == 0 else ""
            rows.append([head[i] if i < len(head) else "", about, *(shown[i] if i < len(shown) else [""] * 4)])
        first_over += [f"{name}, {reading}: since {over:%Y-%m}" for reading, over in getattr(test, "first_over", {}).items()]
    columns = ("other licences", "tests", "reading", "result", "headroom", "95 % interval")
    parts: list[RenderableType] = [table("Other licences that count users", columns, rows, (4, 5), (1, 3))]
    if first_over:
        parts.append(reasons("Over, by the published figures", first_over))
    parts += below(noted)
    return Stack(*parts)


def parts_of(test: "LicenceTest | ClauseTest") -> "tuple[LicenceEntry, Clause, str, ProductRef | None, str]":
    """A test's entry, clause, licensee, product (null for a licensee's test) and month."""
    from pipelines.licences.release_tests import LicenceTest

    if isinstance(test, LicenceTest):
        return test.licence.entry, test.licence.clause, test.licensee, None, f"{test.licence.measured_month:%Y-%m}"
    month = f"{test.month:%Y-%m}" if test.month else "–"
    return test.entry, test.clause, test.subject.licensee, test.subject.product, month


def whom(test: "LicenceTest | ClauseTest") -> str:
    """Whose users a test is of, in words."""
    _, clause, licensee, product, _ = parts_of(test)
    unknown = getattr(getattr(test, "subject", None), "unknown", None)
    if unknown:
        return "a product that uses it" if clause.scope == "using" else "its licensee"
    return str(product or (f"{licensee} and its affiliates" if clause.with_affiliates else licensee))


def not_tested(tests: "Sequence[ClauseTest]") -> RenderableType:
    """Clauses that can't be tested: what they ask, and what that would need."""
    rows = []
    for test in tests:
        clause = test.clause
        what = (clause.metric or clause.rule or clause.id).replace("_", " ")
        bound = "" if clause.threshold is None else f", {clause.threshold:,}{f' {clause.unit}' if clause.unit else ''}"
        rows.append(
            (test.entry.id, f"{what}{bound}{f' per {clause.per}' if clause.per else ''}".replace("_", " "), clause.needs or "")
        )
    return table("Shown, not measured", ("licence", "asks for", "would need"), rows)


def entries(registry: "Registry", shown: "Sequence[LicenceEntry]") -> RenderableType:
    """Of each entry: how it was read and when, where, and its digest."""
    rows: list[Sequence[str | Text]] = []
    for entry in shown:
        mark = " (replaced)" if entry.id in registry.replaced else " (added)" if entry.id in registry.added else ""
        rows.append(
            (
                f"{entry.id}{mark}",
                f"{entry.name}\n{entry.licensor}",
                entry.evidence.replace("_", " "),
                entry.version_date.date or "–",
                f"{entry.reviewed}\nto {entry.review_by}",
                entry.digest[:12],
            )
        )
    return table("The registry", ("id", "licence", "read as", "version", "reviewed", "digest"), rows, fixed=(3, 4, 5))


def sources(registry: "Registry", shown: "Sequence[LicenceEntry]") -> RenderableType:
    """Of few entries: sources, notes, whom the text leaves out, and what it leaves open."""
    lines = [
        f"{entry.id}, {what}: {text}"
        for entry in shown
        for what, each in (
            ("source", entry.sources),
            ("note", entry.notes),
            ("history", entry.history),
            ("leaves out", [x.what for c in entry.clauses for x in c.exemptions] + [x.what for x in entry.exemptions]),
        )
        for text in each
    ]
    for point in registry.interpretations:
        if point.family in {entry.family for entry in shown}:
            text = "; ".join(text for text in (point.textual, point.reading, point.vendor_answer) if text)
            read = ", ".join(f"{len(by)} {how.replace('_', ' ')}" for how, by in point.readings.items())
            lines.append(f"left open, {point.point.replace('_', ' ')}: {text} ({read})")
    return Text("\n".join(lines), style="dim")


def standing(
    registry: "Registry",
    shown: "Sequence[LicenceEntry]",
    due: "Sequence[LicenceEntry]",
    notes: Sequence[str],
    replacements: Sequence[str],
) -> Iterator[Text]:
    """How what is shown was read, how new the registry is, what is due for review, after `notes`.

    `replacements`: as `pipelines.licences.registry.replacements`.
    """
    yield from (Text(note) for note in notes)
    read = _of_whom((entry.evidence.replace("_", " "), entry.id) for entry in shown)
    if read:
        yield Text(f"Read as {'; '.join(f'{how} ({ids})' for how, ids in read.items())}. Sources: --licence ID.")
    newest = registry.family("Llama")[-1]
    reviewed = max(entry.reviewed for entry in registry.entries)
    yield Text(f"No newer version of Llama known since {newest.released} ({newest.id}; registry of {reviewed}).")
    if registry.replaced:
        yield Text(f"Replaced by this group's licences/*.yaml: {'. '.join(replacements)}.")
    if registry.added:
        yield Text(f"Added by this group's licences/*.yaml: {', '.join(registry.added)}.")
    if due:
        yield Text(f"Review date has passed: {', '.join(f'{entry.id} ({entry.review_by})' for entry in due)}.", style="yellow")


def adoption(check: "AdoptionCheck") -> RenderableType:
    """The answer in a sentence, what there is to do; what the clauses found, what one released today would, and what is known."""
    clearance = check.clearance
    title = f"Adoption check: {check.version} in {check.product}, on {check.on}"
    rows = list(_findings("", check.findings))
    if check.if_released:
        rows += _findings(f"if released {check.released}: ", [check.if_released])
    columns = ("clause", "licensee", "tests", "reading", "result", "headroom", "95 % interval")
    parts: list[RenderableType] = [Text(clearance.answer, "bold green" if clearance.cleared else "bold yellow"), Text()]
    parts.append(table(title, columns, rows, (5, 6), (2, 4)) if rows else Text(title, "bold"))
    parts += below([(f.clause, f.readings) for f in check.findings])
    if clearance.to_do:
        parts.append(table("To do", ("what", "whom", "by"), clearance.to_do))
    parts += [Text("\n".join(["What is known:", *(f"  {reason}" for reason in check.reasons)])), NO_ADVICE]
    return Stack(*parts)


def _findings(before: str, findings: "Sequence[ClauseFinding]") -> Iterator[Sequence[str | Text]]:
    for finding in findings:
        head = [f"{before}{finding.clause}", finding.licensee, f"{finding.month:%Y-%m}" if finding.month else "–"]
        for name, outcome in finding.readings.items():
            yield [*head, *cells(name, outcome)]
            head = ["", "", ""]


def dependencies(answer: "Dependencies") -> RenderableType:
    """Every use of a model, what it stands on, and what stands on open results together."""
    rows: list[Sequence[str | Text]] = []
    for d in answer.uses:
        use = d.use
        revenue = f"{use.revenue.amount:,} {use.revenue.currency} ({use.revenue.year})" if use.revenue else "–"
        share = f" x {float(use.revenue_share * 100):g} %" if use.revenue_share else ""
        cost = [f"{use.switching_cost.amount:,} {use.switching_cost.currency}"] if use.switching_cost else []
        stands = Text("\n".join(d.open), "yellow") if d.open else Text(", ".join(d.results), "green")
        stands = stands if stands.plain else Text("no threshold in its text")
        stands = Text("\n").join([stands, *(Text(days, "yellow") for days in d.without_grant)])
        hosted = use.hosted_by.replace("_", " ") + (f", {use.host}" if use.host else "")
        rows.append(
            (
                str(d.ref),
                use.model,
                hosted,
                stands,
                people(d.users.estimate if d.users else None),
                f"{revenue}{share}",
                "; ".join([use.alternative or "–", *cost]),
            )
        )
    columns = ("product", "uses", "hosted by", "stands on", "users", "revenue", "alternative, cost")
    parts: list[RenderableType] = [table(f"Dependencies on {answer.on}, users of {answer.month:%Y-%m}", columns, rows, (4,))]
    if not answer.uses:
        parts = [Text("No product is said to use a model: add `models` to a product in affiliates/*.yaml.")]
    elif answer.open:
        parts.append(Text(_together(answer), "yellow"))
    else:
        parts.append(Text("Nothing stands on another result than under, granted or exempt.", "green"))
    return Stack(*parts, NO_ADVICE)


def _together(dependencies: "Dependencies") -> str:
    number = len({d.ref for d in dependencies.open})
    users = "unknown" if dependencies.users is None else interval(dependencies.users)
    money = ", ".join(f"{amount:,.0f} {currency} ({year})" for (currency, year), amount in sorted(dependencies.revenue.items()))
    unknown = f"; revenue not said of {', '.join(dependencies.without_revenue)}" if dependencies.without_revenue else ""
    return (
        f"On a result other than under, granted or exempt: {number} product{'s' * (number != 1)}, users {users}, "
        f"revenue {money or 'unknown'}{unknown}."
    )
