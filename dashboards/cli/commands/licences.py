"""`mauwatch licences`: what the clauses find, the adoption check, and dependencies.

As in `cli.py`, what a command needs is imported inside it. Over 300 lines: a third of them are one command's options.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group as Stack
from rich.text import Text

from affiliates.errors import Code, did_you_mean, refused
from affiliates.periods import local_day, month_of
from dashboards.cli import console
from dashboards.cli.options import HERE, GroupDir, Json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import RenderableType

    from affiliates.manifests.product import ProductRef
    from pipelines.figures.months import Months
    from pipelines.licences.clause_tests import ClauseTest
    from pipelines.licences.entry import Clause, LicenceEntry
    from pipelines.licences.registry import Registry
    from pipelines.licences.release_tests import Licence, LicenceTest

    Test = LicenceTest | ClauseTest


_FILTERS = "Which of them"


class Kind(StrEnum):
    """Of an entry of the registry."""

    model = "model_licence"
    software = "software_licence"
    service = "closed_service"
    regulation = "regulation"


class Result(StrEnum):
    """Of a test."""

    under = "under"
    over = "over"
    undetermined = "undetermined"
    not_measured = "not_measured"
    granted = "granted"
    exempt = "exempt"


@dataclass(frozen=True)
class LicenceFilters:
    """Which tests are shown, and how much of their entries."""

    product: "ProductRef | None"
    result: Result | None
    every: bool
    """Also clauses that count no users."""
    full: bool
    """With the entries' sources and notes."""
    long: bool
    """With a row for each reading, and what the clauses ask."""

    def wants(self, months: "Months", test: "Test", today: date) -> bool:
        """Whether a test is asked for: by its result under any reading, and by the product that it is about or whose model."""
        from pipelines.licences import grants
        from pipelines.licences.release_tests import LicenceTest

        if self.result is not None and self.result not in {outcome.result for outcome in test.readings.values()}:
            return False
        entry = test.licence.entry if isinstance(test, LicenceTest) else test.entry
        # Most clauses count revenue or seats; shown by default, they would bury the few that count users.
        if not isinstance(test, LicenceTest) and not (self.every or test.clause.counts_users):
            return False
        if self.product is None:
            return True
        about = None if isinstance(test, LicenceTest) else test.subject.product
        used = [use.ref for use in grants.uses(months.group, today, entry.id)]
        return about == self.product or (about is None and self.product in used)


def licences(
    group: GroupDir = HERE,
    released: Annotated[
        str | None,
        typer.Option(
            help="Instead, or beside --adopt: what a version released on this day would find, by the newest clause.",
            metavar="YYYY-MM-DD",
        ),
    ] = None,
    adopt: Annotated[
        str | None, typer.Option(help="Instead, the adoption check: what this version's test found.", metavar="VERSION")
    ] = None,
    product: Annotated[
        str | None, typer.Option(help="Of --adopt; or only clauses about this product.", metavar="AFFILIATE/PRODUCT")
    ] = None,
    letter: Annotated[
        Path | None, typer.Option(help="Of --adopt: write a draft of the letter that asks for a licence.", metavar="FILE")
    ] = None,
    dependencies: Annotated[
        bool, typer.Option("--dependencies", help="Instead: what stands on a result other than under, granted or exempt.")
    ] = False,
    licence: Annotated[str | None, typer.Option(help="Its id.", metavar="ID", rich_help_panel=_FILTERS)] = None,
    licensor: Annotated[str | None, typer.Option(help="Part of its name.", metavar="TEXT", rich_help_panel=_FILTERS)] = None,
    kind: Annotated[Kind | None, typer.Option(help="Of the entry.", rich_help_panel=_FILTERS)] = None,
    result: Annotated[Result | None, typer.Option(help="Under any reading.", rich_help_panel=_FILTERS)] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Also what counts no users, with what it would need, and each entry's digest.")
    ] = False,
    long: Annotated[
        bool,
        typer.Option("--long", help="Each reading in a row of its own, and what the clauses ask; so do --all and --licence."),
    ] = False,
    month: Annotated[
        str | None, typer.Option(help="Of clauses tested month by month; else the last one that is over.", metavar="YYYY-MM")
    ] = None,
    as_json: Json = False,
) -> None:
    """What each licence's test finds for the group, under each reading; no legal advice."""
    from affiliates.manifests.loader import read_group
    from dashboards.cli import licence_tables
    from pipelines.figures.figure_cache import FigureCache
    from pipelines.figures.months import Months
    from pipelines.licences import adoption, registry
    from pipelines.store import contributions

    if dependencies and (released is not None or adopt is not None):
        raise typer.BadParameter("--dependencies goes with neither --released nor --adopt")
    if adopt is not None and product is None:
        raise typer.BadParameter("--adopt goes with --product AFFILIATE/PRODUCT")
    if letter is not None and adopt is None:
        raise typer.BadParameter("--letter goes with --adopt")
    elsewhere = (
        ("--licence", licence),
        ("--licensor", licensor),
        ("--kind", kind),
        ("--result", result),
        ("--all", every or None),
        ("--long", long or None),
        ("--month", month),
        ("--product", product if adopt is None else None),
    )
    if given := [name for name, value in elsewhere if value is not None and (released or adopt or dependencies)]:
        raise typer.BadParameter(f"{given[0]} goes with none of --released, --adopt and --dependencies")
    settings = read_group(group)
    known = registry.from_directory(group)
    # An empty answer would look like nothing being over, so an unknown product is refused.
    ref = adoption.find_product(settings, product) if product is not None else None
    day = console.day_of(released)
    about = console.month_of(month) if month else None
    today = local_day(datetime.now(UTC), settings.settings.time_zone)
    # People who come later in the month would be missing from its test.
    if about and about >= month_of(today):
        raise typer.BadParameter(f"--month {month} isn't over")
    with contributions.open_store(settings.settings.store, group) as store, store.snapshot() as fixed:
        months = Months(fixed, settings, kept=FigureCache(group, settings))
        if adopt is not None or dependencies:
            answer, shown = _of_products(months, known, adopt, product, today, day, letter)
        elif day is not None:
            answer, shown = _released(months, known, day)
        else:
            filters = LicenceFilters(
                ref, result, every or licence is not None, licence is not None, long or every or licence is not None
            )
            answer, shown = _listed(months, known, _picked(known, licence, licensor, kind), today, about, filters)
        changed = months.changed_since_published()
    if as_json:
        console.print_json(_with_changes(answer, changed))
    else:
        console.output().print(Stack(shown, *licence_tables.changes(changed)))


def _with_changes(answer: Any, changed: "Mapping[date, Sequence[str]]") -> Any:
    """The answer with what has changed since its months were published: of each test by its month, else of all months."""
    if isinstance(answer, list):
        by_month = {f"{month:%Y-%m}": list(texts) for month, texts in changed.items()}
        return [test | {"changed_since_published": by_month.get(test["measured_month"], [])} for test in answer]
    return answer | {"changed_since_published": [text for texts in changed.values() for text in texts]}


def _of_products(
    months: "Months",
    known: "Registry",
    adopt: str | None,
    product: str | None,
    today: date,
    released: date | None,
    letter: Path | None,
) -> "tuple[Any, RenderableType]":
    from dashboards.cli import licence_tables
    from pipelines.licences import adoption, request_letter
    from pipelines.licences.dependencies import find_dependencies

    if adopt is not None:
        check = adoption.check(months, known, adopt, product or "", today, released)
        shown = licence_tables.adoption(check)
        if letter is not None:
            text = request_letter.draft(check, next(entry for entry in known.entries if entry.id == adopt), months.group)
            shown = Stack(shown, _write_letter(letter, text))
        return check.to_dict(), shown
    open_dependencies = find_dependencies(months, known, today)
    return open_dependencies.to_dict(), licence_tables.dependencies(open_dependencies)


def _write_letter(path: Path, text: str) -> Text:
    """Write the draft of a letter; what was written, in words. Raises `RefusedError` where the file is there already."""
    from affiliates import concurrency

    # Somebody may have worked on the draft that is there.
    if path.exists():
        raise refused(Code.FILE_EXISTS, str(path), "is there already", "", "name another file")
    with concurrency.atomic_write(path, 0o600) as unfinished:
        unfinished.write_text(text, encoding="utf-8")
    return Text(f"{path}: a draft, to be read by counsel before it is sent.")


def _released(months: "Months", known: "Registry", day: date) -> "tuple[Any, RenderableType]":
    from dashboards.cli import licence_tables
    from pipelines.licences import release_tests

    tests = list(
        release_tests.run_tests_in(months, release_tests.if_released(day, known), [months.group.settings.ultimate_parent])
    )
    return [test.to_dict() for test in tests], licence_tables.of_family(tests)


def _picked(known: "Registry", licence: str | None, licensor: str | None, kind: Kind | None) -> "list[LicenceEntry]":
    """The registry's entries that are asked for; raises `RefusedError` where there is none of an id."""
    if licence is not None and known.get(licence) is None:
        suggestion = did_you_mean(licence, [entry.id for entry in known.entries], several=True)
        raise refused(Code.LICENCE_UNKNOWN, licence, "no such licence in the registry", suggestion, "see mauwatch licences --all")
    return [
        entry
        for entry in known.entries
        if licence in (None, entry.id)
        and (licensor is None or licensor.lower() in entry.licensor.lower())
        and (kind is None or kind == entry.kind)
    ]


def _listed(
    months: "Months", known: "Registry", picked: "list[LicenceEntry]", today: date, about: date | None, filters: LicenceFilters
) -> "tuple[Any, RenderableType]":
    from dashboards.cli import brief_licences, licence_tables
    from pipelines.licences import clause_tests, grants, registry, release_tests

    ids = {entry.id for entry in picked}
    # Tests at a release come first: they are the reason why this product exists.
    versions = release_tests.releases(known)
    parent = months.group.settings.ultimate_parent
    accepted_versions = months.group.grants.accepted
    snapshots = [
        test
        for version in versions
        if version.id in ids
        for licensee in dict.fromkeys([parent, *(a.entity for a in accepted_versions if a.licence == version.id)])
        for test in release_tests.run_tests_in(months, version, [licensee], today)
    ]
    others = list(clause_tests.run_clauses(months, picked, today, about))
    snapshots = [t for t in snapshots if filters.wants(months, t, today)]
    others = [t for t in others if filters.wants(months, t, today)]
    untested = _untested(months, versions) if any(_is_first(t) for t in snapshots) else {}
    first = [t for t in snapshots if _is_first(t)]
    rest = [t for t in snapshots if not _is_first(t)]
    answer = [_said(test, test.licence.entry, test.licence.clause, today) for test in [*first, *rest]]
    answer += [_said(test, test.entry, test.clause, today) for test in others]
    newest = release_tests.llama_releases(known)[-1].id
    for test_answer in answer:
        if test_answer["licence"] == newest:
            test_answer["above_and_untested"] = {
                name: [f"{m:%Y-%m}" for m in months_above] for name, months_above in untested.items()
            }
    # What can't be measured is listed apart, with what it would need, and never left out.
    tested = [t for t in others if t.clause.tested]
    needing = [t for t in others if not t.clause.tested]
    shown: list[RenderableType]
    shown = (
        licence_tables.by_reading(first, [*rest, *tested]) if filters.long else [brief_licences.brief([*first, *rest, *tested])]
    )
    shown += [licence_tables.not_tested(needing)] if needing else []
    shown += [licence_tables.entries(known, picked)] if filters.every else []
    shown += [licence_tables.sources(known, picked)] if filters.full else []
    notes = [
        f"{name}: {release_tests.describe_untested(months_above)}." for name, months_above in untested.items() if months_above
    ]
    notes += [
        f"By {grant.kind.replace('_', ' ')} {grant.id}: {duty}, {'was due' if due < today else 'due'} {due}."
        for grant in months.group.grants.grants
        if grant.holds_on(today)
        for duty, due in grants.due_reports(grant, today)
    ]
    about_them = [test.licence.entry for test in [*first, *rest]] + [test.entry for test in others]
    shown += licence_tables.standing(known, about_them, known.due_for_review(today), notes, registry.replacements(known))
    return answer, Stack(*shown, licence_tables.NO_ADVICE)


def _is_first(test: "LicenceTest") -> bool:
    from pipelines.licences.release_tests import LLAMA

    return test.licence.entry.family == LLAMA


def _untested(months: "Months", versions: "Sequence[Licence]") -> dict[str, list[date]]:
    """By reading, months above Llama's threshold that no release of it tests."""
    from pipelines.licences import release_tests

    # No release tests a month that no version followed; the reader shall know that such a month was above the
    # threshold.
    llama = [v for v in versions if v.entry.family == release_tests.LLAMA]
    threshold = llama[-1].clause.threshold or 0
    return {r.name: release_tests.untested_months(months, r, llama, threshold) for r in months.group.readings.readings}


def _said(test: "Test", entry: "LicenceEntry", clause: "Clause", today: date) -> dict[str, Any]:
    """A test with what its entry says of where it is from."""
    return test.to_dict() | {
        "clause": clause.id,
        "metric": clause.metric,
        "comparator": clause.comparator,
        "effect_over": clause.effect_over,
        "name": entry.name,
        "licensor": entry.licensor,
        "kind": entry.kind,
        "evidence": entry.evidence,
        "sources": list(entry.sources),
        "digest": entry.digest,
        "reviewed": entry.reviewed.isoformat(),
        "review_by": entry.review_by.isoformat(),
        "review_due": entry.review_by < today,
    }
