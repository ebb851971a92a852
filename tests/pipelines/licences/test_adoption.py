"""The adoption check and dependencies: a product missing from them would be used without a licence, and nobody would know."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml
from rich.console import Console
from typer.testing import CliRunner

from affiliates.errors import RefusedError
from affiliates.manifests.loader import read_group
from affiliates.manifests.product import Product, definition_digest
from dashboards.cli import doctor, licence_tables, main
from pipelines.counting import inputs
from pipelines.figures.months import Months
from pipelines.licences import adoption, dependencies
from pipelines.licences.adoption import AdoptionCheck
from pipelines.licences.dependencies import Dependencies
from pipelines.licences.grants import due_reports
from pipelines.licences.registry import from_directory, unknown
from pipelines.store import contributions
from pipelines.workflows.run import run
from tests.support.databases import rows_of
from tests.support.groups import Manifests, entity, product

LINE = 700_000_000
NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
TODAY = date(2025, 6, 1)
MONTHS = ("2025-03", "2025-05")

Make = Callable[..., Path]


def counted(name: str, *users: int, **more: Any) -> Manifests:
    """A product with these users in March and May 2025."""
    counts = [
        {"month": m, "users": n, "unit": "people", "document": "report", "attested_by": "CFO"}
        for m, n in zip(MONTHS, users, strict=True)
    ]
    return product(name, sources=[], counts=counts, **{"from": "2023-01-01"}, **more)


def uses(model: str = "llama-4", **changes: Any) -> Manifests:
    return {"model": model, "from": "2025-04-10", "hosted_by": "self", **changes}


def euros(amount: int) -> Manifests:
    return {"amount": amount, "currency": "EUR", "year": 2024}


SHIFTED: Manifests = {"basis": "Acme's phone, section 1.b.ii", "document": "contract 3"}
PRODUCTS = [
    counted("search", 400_000_000, 30, models=[uses(
        hosted_by="cloud_host", host="Cloud", revenue=euros(1000), revenue_share="25 %", alternative="qwen-2024")]),
    counted("maps", 400_000_000, 20, models=[uses(hosted_by="vendor", host="Vendor", revenue=euros(600))]),
    counted("mail", 5, 10, models=[uses(integrated_end_user_product=SHIFTED)]),
    counted("news", 5, 7, models=[uses("kimi-k2")]),
    counted("old", 5, 9, models=[uses(to="2025-05-01")]),
    counted("plain", 5, 8),
]  # fmt: skip
GRANT = {
    "id": "meta-1", "kind": "side_letter", "licences": ["llama-4"], "licensee": "a", "from": "2025-04-20",
    "covers": {"products": ["a/maps"]}, "document": {"name": "letter 9"},
    "reporting": [{"duty": "users of maps", "due": "2025-04-30", "every_months": 3}],
}  # fmt: skip
ACCEPTED = {"licence": "llama-4", "entity": "a", "by": "Counsel of A", "on": "2025-04-11", "text": f"git-blob:{'0' * 40}"}
RECORD = "of_record: [{reading: people, adopted_by: Counsel, from: 2025-01-01}]\n"


def prepared(make: Make, products: list[Manifests], record: bool = True, **grants: Any) -> Path:
    directory = make([entity("a", products)], lg_k=14)
    readings = "readings: [{name: people, counts: unique_people}, {name: sum, counts: summed_products}]\n"
    (directory / "readings.yaml").write_text(readings + RECORD * record)
    if grants:
        (directory / "grants.yaml").write_text(yaml.safe_dump(grants))
    run(directory, read_group(directory), NOW)
    return directory


def checked(directory: Path, version: str, name: str, today: date = TODAY) -> AdoptionCheck:
    group = read_group(directory)
    with contributions.open_store(group.settings.store, directory) as store:
        return adoption.check(Months(store, group), from_directory(directory), version, name, today)


def depending(directory: Path, today: date = TODAY) -> Dependencies:
    group = read_group(directory)
    with contributions.open_store(group.settings.store, directory) as store:
        return dependencies.find_dependencies(Months(store, group), from_directory(directory), today)


def results(check: AdoptionCheck) -> dict[str, dict[str, str]]:
    return {f.clause: {name: o.result for name, o in f.readings.items()} for f in check.findings}


def test_what_a_version_found_for_a_product(make: Make) -> None:
    """By unique people nobody knows, by the sum it is over; today's month is another number; each with its reasons."""
    directory = prepared(make, PRODUCTS, grants=[GRANT], accepted=[ACCEPTED])
    check = checked(directory, "llama-4", "a/search")
    assert results(check) == {"mau": {"people": "undetermined", "sum": "over"}}
    (finding,) = check.findings
    assert (finding.licensee, finding.month, finding.threshold) == ("a", date(2025, 3, 1), LINE)
    assert check.if_released is not None
    assert check.if_released.month == date(2025, 5, 1)
    assert {o.result for o in check.if_released.readings.values()} == {"under"}
    reasons = "\n".join(check.reasons)
    for reason in (
        "Llama 4 Community License, read as primary text: github:meta-llama/llama-models@",
        "over mau: no rights under the licence until Meta expressly grants them",
        "accepted for a by Counsel of A on 2025-04-11",
        "accepted for a under another text than the registry's (git-blob:ce807287",
        "used since 2025-04-10, hosted by cloud host (Cloud)",
        "alternative: qwen-2024",
    ):
        assert reason in reasons
    assert finding.readings["sum"].why == ("the affiliates of a are those of this group: its figures are the group's",)
    assert any("sketches of a/search in the place of its count" in way for way in finding.readings["people"].settled_by)


def test_a_side_letter_covers_its_product_alone(make: Make) -> None:
    directory = prepared(make, PRODUCTS, grants=[GRANT])
    check = checked(directory, "llama-4", "a/maps")
    assert results(check) == {"mau": {"people": "granted", "sum": "granted"}}
    assert [o.without_grants for o in check.findings[0].readings.values()] == ["undetermined", "over"]
    assert "side letter meta-1 of 2025-04-20 (letter 9), without a cap" in check.findings[0].readings["people"].why
    assert "grant meta-1: users of maps, due 2025-07-30" in check.reasons
    assert "nobody is said to have accepted it for a: `accepted` in grants.yaml" in check.reasons
    assert results(checked(directory, "llama-4", "a/search"))["mau"]["sum"] == "over"
    assert results(checked(directory, "llama-4", "a/maps", date(2025, 4, 19)))["mau"]["sum"] == "over"


def test_a_cap_may_count_what_it_covers_alone(make: Make) -> None:
    """By the group's users the grant would be over its cap; by those of the product that it covers it isn't, until they grow."""
    cap = {"users": 20, "reading": "people", "of": "covered"}
    directory = prepared(make, PRODUCTS, grants=[GRANT | {"from": "2025-05-01", "cap": cap}])
    assert results(checked(directory, "llama-4", "a/maps"))["mau"]["sum"] == "granted"
    grown = [counted("maps", 400_000_000, 21, models=[uses()]), counted("search", 400_000_000, 5)]
    directory = prepared(make, grown, grants=[GRANT | {"from": "2025-05-01", "cap": cap}])
    assert results(checked(directory, "llama-4", "a/maps"))["mau"]["sum"] == "over"
    whole = cap | {"of": "group", "users": 26}
    directory = prepared(make, grown, grants=[GRANT | {"from": "2025-05-01", "cap": whole}])
    assert results(checked(directory, "llama-4", "a/maps"))["mau"]["sum"] == "granted"


def test_a_grant_stays_with_a_licensee_that_left(make: Make) -> None:
    """What was granted to a company that has been sold since would cover the products of those who sold it."""
    sold = entity("b", [], owned_by=[{"owner": "parent", "share": 1, "to": "2025-05-15"}])
    directory = make([entity("a", [counted("x", LINE + 1, 5)]), sold], lg_k=14)
    grant = GRANT | {"licensee": "b", "covers": {"entities": ["a"]}}
    (directory / "grants.yaml").write_text(yaml.safe_dump({"grants": [grant]}))
    run(directory, read_group(directory), NOW)
    for day, result in ((date(2025, 5, 14), "granted"), (date(2025, 5, 15), "over")):
        assert results(checked(directory, "llama-4", "a/x", day))["mau"]["unique_people"] == result


def test_exempt_is_the_use_and_not_the_product(make: Make) -> None:
    """What came inside somebody's end-user product is left out of the clause; by an acceptance of one's own it isn't."""
    directory = prepared(make, PRODUCTS)
    assert results(checked(directory, "llama-4", "a/mail")) == {"mau": {"people": "exempt", "sum": "exempt"}}
    assert results(checked(directory, "llama-4", "a/plain"))["mau"]["sum"] == "over"
    taken = prepared(make, PRODUCTS, accepted=[ACCEPTED])
    assert results(checked(taken, "llama-4", "a/mail"))["mau"]["sum"] == "over"
    other = prepared(make, [counted("mail", LINE + 1, 1, models=[uses("hunyuan-video", integrated_end_user_product=SHIFTED)])])
    check = checked(other, "hunyuan-video", "a/mail")
    assert "its text exempts nobody for having it inside an integrated end-user product" in check.reasons
    assert results(check) == {"mau": {"people": "not_measured", "sum": "not_measured"}}  # It tests November.


def test_a_hosts_own_clause(make: Make) -> None:
    """A vendor's lower threshold comes with the model, though the licence itself isn't over."""
    flow = {"threshold": 20, "document": "terms of Vendor"}
    vendor = uses(hosted_by="vendor", host="Vendor", flow_down=flow)
    directory = prepared(make, [counted("maps", 5, 21, models=[vendor]), counted("mail", 5, 20, models=[vendor])])
    assert results(checked(directory, "llama-4", "a/maps")) == {
        "mau": {"people": "under", "sum": "under"},
        "flow_down of Vendor (terms of Vendor)": {"people": "over", "sum": "over"},
    }
    assert set(results(checked(directory, "llama-4", "a/mail"))["flow_down of Vendor (terms of Vendor)"].values()) == {"under"}
    assert [d.ref.product for d in depending(directory).open] == ["maps"]


def test_a_revision_before_the_clause_is_said(make: Make) -> None:
    """MiniMax-M2 had three licences in 18 days: which one holds is decided by the revision."""
    old = uses("minimax-m2", revision="e27aac4")
    check = checked(prepared(make, [counted("maps", 5, 20, models=[old])]), "minimax-m2", "a/maps")
    assert "revision e27aac4 is older than the clause: e27aac4 2025-10-27 plain MIT" in check.reasons
    assert results(check)["display_mau"] == {"people": "under", "sum": "under"}
    assert results(check)["display_arr"] == {"people": "not_measured", "sum": "not_measured"}
    assert check.findings[1].readings["people"].settled_by[0].startswith("revenue")


def test_what_stands_on_open_results(make: Make) -> None:
    """Search stands on a test that nobody can settle, news on a clause of revenue; maps on a side letter; mail is exempt."""
    directory = prepared(make, PRODUCTS, grants=[GRANT])
    open_results = depending(directory)
    assert [(d.ref.product, d.results, d.open) for d in open_results.uses] == [
        ("search", ("undetermined",), ("mau, people: undetermined",)),
        ("maps", ("granted",), ()),
        ("mail", ("exempt",), ()),
        ("news", ("under", "not_measured"), ("display_revenue, people: not_measured",)),  # Nobody knows its revenue here.
    ]
    assert open_results.month == date(2025, 5, 1)
    assert open_results.users is not None
    assert (open_results.users.lower, open_results.users.upper) == (30, 37)
    assert open_results.revenue == {("EUR", 2024): Decimal(250)}
    assert open_results.without_revenue == ("a/news",)


def test_without_a_reading_of_record_every_reading_counts(make: Make) -> None:
    """Else a product would stand on whichever reading is the kindest."""
    products = [
        counted("search", 400_000_000, 30, models=[uses(revenue=euros(1000), revenue_share="25 %"), uses("llama-3.3")]),
        counted("maps", 200_000_000, 20, models=[uses()]),
        counted("tv", 200_000_000, 11),
    ]
    directory = prepared(make, products, record=False)
    open_results = depending(directory)
    assert open_results.uses[0].open == ("mau, people: undetermined", "mau, sum: over")
    assert open_results.uses[1].open == ("mau, people: not_measured", "mau, sum: not_measured")  # llama-3.3 tests November.
    assert open_results.users is not None
    assert (open_results.users.lower, open_results.users.upper) == (30, 50)
    assert open_results.revenue == {("EUR", 2024): Decimal(250)}
    assert open_results.without_revenue == ("a/maps",)
    shown = json.loads(json.dumps(open_results.to_dict()))
    assert shown["open"]["products"] == ["a/maps", "a/search"]
    assert shown["open"]["revenue"] == [{"currency": "EUR", "year": 2024, "amount": "250.00"}]


def test_a_model_that_nobody_knows_stands_on_nothing(make: Make) -> None:
    """A typo in a licence's id must not make a product look as if nothing were asked of it."""
    directory = prepared(make, [counted("maps", 5, 20, models=[uses("lama-4")])])
    (use,) = depending(directory).uses
    assert use.open == ("no such licence in the registry: lama-4; did you mean llama-4 or llama-3 or llama-2?",)
    group = read_group(directory)
    assert [str(r.subject) for r in unknown(group, from_directory(directory))] == ["a/maps, models"]
    checks = {what: (fine, explanation) for what, fine, explanation in doctor.examine(directory, group, NOW)}
    assert checks["licence of a/maps, models"][0] is False


@pytest.mark.parametrize(
    ("version", "name", "message"),
    [
        ("llama4", "a/maps", "no such version in the registry (llama4; did you mean llama-4"),
        ("llama-4", "a/map", "no such product in the manifests (a/map; did you mean a/maps"),
        ("llama-4", "maps", "no such product in the manifests (maps"),
    ],
)
def test_what_nobody_knows_is_refused_with_what_is_near(make: Make, version: str, name: str, message: str) -> None:
    with pytest.raises(RefusedError) as refused:
        checked(prepared(make, PRODUCTS), version, name)
    assert message in str(refused.value)


def test_an_acquired_affiliate_was_a_licensee_of_its_own(make: Make) -> None:
    bought = entity("b", [counted("y", 5, 5)], owned_by=[{"owner": "parent", "share": 1, "from": "2025-05-01"}])
    directory = make([entity("a", PRODUCTS), bought], lg_k=14)
    run(directory, read_group(directory), NOW)
    assert "b was outside this group on 2025-04-05" in "\n".join(checked(directory, "llama-4", "b/y").reasons)


def test_who_is_outside_the_group_is_no_part_of_its_test(make: Make) -> None:
    """At 50 % exactly it is a licensee with affiliates of its own: the group's `under` is none of its."""
    half = entity("b", [counted("y", 5, 5, models=[uses()])], owned_by=[{"owner": "parent", "share": "50 %"}])
    directory = make([entity("a", [counted("x", 5, 5)]), half], lg_k=14)
    run(directory, read_group(directory), NOW)
    for version in ("llama-4", "kimi-k2", "bilibili-indextts2"):
        check = checked(directory, version, "b/y")
        assert {outcome.result for f in check.findings for outcome in f.readings.values()} == {"not_measured"}, version
    assert results(checked(directory, "llama-4", "a/x"))["mau"]["unique_people"] == "under"


def test_what_it_says_of_models_moves_no_figure(make: Make) -> None:
    """Else naming a model would make every day be computed again, and every figure be published anew."""
    plain, named = product(), product(models=[uses(revenue=euros(5))])
    directory = make([entity("a", [plain])])
    before = read_group(directory)
    products = [Product.model_validate(manifest) for manifest in (plain, named)]
    assert len({definition_digest(p, before.settings) for p in products}) == 1
    counts = [counted("x", 5, 6), counted("x", 5, 6, models=[uses()])]
    digests = set()
    for manifest in counts:
        directory = make([entity("a", [manifest])])
        group = read_group(directory)
        run(directory, group, NOW)
        with contributions.open_store(group.settings.store, directory) as store:
            digests.add(inputs.gather(store, group, date(2025, 3, 1), group.readings.readings[0]).digest)
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("grants", "message"),
    [
        ({"grants": [GRANT | {"colour": 1}]}, "unknown key `colour`"),
        ({"grants": [GRANT | {"licensee": "aa"}]}, "no such entity (aa"),
        ({"grants": [GRANT | {"covers": {"products": ["a/map"]}}]}, "no such product (a/map; did you mean a/maps?)"),
        ({"grants": [GRANT | {"covers": {}}]}, "covers nothing"),
        ({"grants": [GRANT, GRANT]}, "two grants have one id"),
        ({"grants": [GRANT | {"cap": {"users": 5, "reading": "mine"}}]}, "no such reading (mine"),
        ({"grants": [GRANT | {"to": "2025-01-01"}]}, "must lie after `from`"),
        ({"grants": [{k: v for k, v in GRANT.items() if k != "document"}]}, "`document` is missing"),
        ({"accepted": [ACCEPTED | {"entity": "c"}]}, "no such entity (c"),
        ({"accepted": [ACCEPTED | {"text": "abc"}]}, "`text`"),
    ],
)
def test_mistakes_in_grants_are_named_with_their_line(make: Make, grants: Manifests, message: str) -> None:
    """A grant that covers another product than meant would turn `over` into `granted`."""
    directory = make([entity("a", PRODUCTS)])
    (directory / "grants.yaml").write_text(yaml.safe_dump(grants, sort_keys=False))
    with pytest.raises(RefusedError) as refused:
        read_group(directory)
    assert message in str(refused.value)
    assert str(refused.value).startswith("grants.yaml:")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hosted_by": "vendor"}, "needs `host`"),
        ({"flow_down": {"threshold": 5, "document": "x"}}, "`flow_down` is a clause of a cloud host's or vendor's own"),
        ({"revenue": {"amount": 5, "currency": "euro", "year": 2024}}, "`currency`"),
        ({"hosted_by": "nobody"}, "`hosted_by`"),
        ({"modell": "x"}, "unknown key `modell` (did you mean `model`?)"),
    ],
)
def test_mistakes_in_models_are_named_with_their_line(make: Make, change: Manifests, message: str) -> None:
    with pytest.raises(RefusedError) as refused:
        read_group(make([entity("a", [counted("x", 1, 1, models=[uses(**change)])])]))
    assert message in str(refused.value)
    assert str(refused.value).startswith("affiliates/a.yaml:")


def test_reports_are_due_again(make: Make) -> None:
    """A duty whose day has passed comes again after so many months; one that doesn't, was due."""
    duty: Manifests = {"duty": "users", "due": "2025-01-31"}
    grant = GRANT | {"reporting": [duty | {"every_months": 1}, duty]}
    group = read_group(prepared(make, PRODUCTS, grants=[grant]))
    for day, then in ((date(2025, 2, 20), date(2025, 2, 28)), (date(2025, 3, 1), date(2025, 3, 31))):
        due = list(due_reports(group.grants.grants[0], day))
        assert due == [("users", then), ("users", date(2025, 1, 31))], "by the first day: not the 28th from then on"


def mauwatch(*arguments: str | Path) -> Any:
    return CliRunner().invoke(main.app, [*map(str, arguments)])


def test_the_command(make: Make) -> None:
    """Each option once, as a person gives it; an adoption check is an answer and no finding, so it ends with 0."""
    directory = prepared(make, PRODUCTS, grants=[GRANT])
    asked = "licences", "--group", directory
    check = mauwatch(*asked, "--adopt", "llama-4", "--product", "a/search")
    assert check.exit_code == 0
    assert "Adoption check: llama-4 in a/search" in check.stdout
    assert "no legal advice" in check.stdout
    deps = json.loads(mauwatch(*asked, "--dependencies", "--json").stdout)
    assert "a/search" in deps["open"]["products"]
    answer = json.loads(mauwatch(*asked, "--licence", "llama-4", "--json").stdout)
    assert [t["licence"] for t in answer] == ["llama-4"]
    assert answer[0]["evidence"] == "primary_text"
    assert len(answer[0]["digest"]) == 64
    assert "By side letter meta-1: users of maps, due 20" in mauwatch(*asked).stdout
    nobody = mauwatch(*asked, "--licence", "lama-4")
    assert isinstance(nobody.exception, RefusedError)
    assert "did you mean llama-4" in str(nobody.exception)
    assert mauwatch(*asked, "--adopt", "llama-4").exit_code == 2
    adopting = *asked, "--adopt", "llama-4", "--product", "a/search"
    later = json.loads(mauwatch(*adopting, "--released", "2025-06-05", "--json").stdout)
    assert (later["if_released"]["released"], later["if_released"]["month"]) == ("2025-06-05", "2025-05")
    assert mauwatch(*asked, "--dependencies", "--released", "2025-05-01").exit_code == 2
    for other in (("--released", "2025-05-01"), ("--dependencies",), ("--adopt", "llama-4", "--product", "a/search")):
        refused = mauwatch(*asked, *other, "--result", "over")
        assert refused.exit_code == 2, "a filter that is silently ignored shows what nobody asked for"
    unknown = mauwatch(*asked, "--product", "a/serch")
    assert "a/serch; did you mean a/search?" in str(unknown.exception)
    assert mauwatch(*asked, "--month", "2999-01").exit_code == 2


def added(directory: Path, **changes: Any) -> None:
    """A newer version in the group's own registry, with the clause of the one before."""
    clause = {"id": "mau", "inherits": "llama-4#mau", "test_date": date(2025, 6, 1), "measured_period": "2025-05"}
    entry = {
        "id": "llama-5", "name": "Llama 5 Community License", "licensor": "Meta Platforms, Inc.", "family": "Llama",
        "kind": "model_licence", "evidence": "primary_text", "reviewed": date(2025, 6, 2), "review_by": date(2025, 12, 2),
        "version_date": {"date": "2025-06-01"}, "sources": ["its text"], "clauses": [clause], **changes,
    }  # fmt: skip
    (directory / "licences").mkdir(exist_ok=True)
    (directory / "licences" / "newer.yaml").write_text(yaml.safe_dump({"licences": [entry]}))


def test_a_groups_own_entries_are_tested_and_kept(make: Make) -> None:
    """A new version is tested on the day on which somebody writes it down, without a new program; an old entry is said."""
    directory = prepared(make, PRODUCTS)
    added(directory)
    report = run(directory, read_group(directory), NOW)
    assert {t.licence.id: t.readings["people"].result for t in report.tests}["llama-5"] == "under"
    with contributions.open_store(read_group(directory).settings.store, directory) as store, store.reading() as connection:
        kept = connection.execute(sa.text("select estimate, upper from licence_results where licence = 'llama-5'")).all()
    assert [tuple(row) for row in kept] == [(84, 84), (84, 84)]
    shown = mauwatch("licences", "--group", directory).stdout
    assert "No newer version of Llama known since 2025-06-01 (llama-5; registry of 2026-11-21)." in shown
    assert "Added by this group's licences/*.yaml: llama-5." in shown
    assert "Review date has passed: llama-5 (2025-12-02)" in shown
    supposed = json.loads(mauwatch("licences", "--group", directory, "--released", "2025-06-05", "--json").stdout)
    assert supposed[0]["licence"] == "as llama-5"
    checks = {what: explanation for what, _, explanation in doctor.examine(directory, read_group(directory), datetime.now(UTC))}
    assert "review date has passed: llama-5 (2025-12-02)" in checks["registry"]


def test_each_threshold_has_a_table_of_its_own(make: Make) -> None:
    """A version that asks for fewer users, under the title of the others, would look as if it asked for 700 million."""
    directory = prepared(make, PRODUCTS)
    clause = {
        "id": "mau",
        "inherits": "llama-4#mau",
        "test_date": date(2025, 6, 1),
        "measured_period": "2025-05",
        "threshold": 50,
    }
    added(directory, clauses=[clause])
    shown = mauwatch("licences", "--long", "--group", directory).stdout
    tables = shown.split("More than ")
    assert ["llama-5" in part for part in tables if part.startswith(("700,000,000", "50 monthly"))] == [False, True]


@pytest.mark.parametrize(("file", "text"), [("newer.yaml", "licences: [{id: x}]"), ("newer.yaml.txt", "")])
def test_a_broken_registry_is_said_before_anything_is_counted(make: Make, file: str, text: str) -> None:
    """A file that isn't read would add nothing, and its version would look as if nothing tested it."""
    directory = make([entity("a", PRODUCTS)], lg_k=14)
    (directory / "licences").mkdir()
    (directory / "licences" / file).write_text(text)
    assert isinstance(mauwatch("run", "--group", directory).exception, RefusedError)
    rows = rows_of(read_group(directory).settings.store, directory)
    assert not rows["contributions"] + rows["publications"], "it is an alert, and nothing else"
    assert [row["subjects"] for row in rows["incidents"]] == ["mauwatch run"]
    check = mauwatch("validate", "--group", directory, "--json")
    assert check.exit_code == 1
    assert json.loads(check.stdout)["mistakes"][0]["subject"] == f"licences/{file}:1"


def listed(directory: Path, *options: str) -> list[dict[str, Any]]:
    return list(json.loads(mauwatch("licences", "--group", directory, *options, "--json").stdout))


def test_filters(make: Make) -> None:
    """A filter that kept too much would hide what is asked for, one that kept too little would leave it out."""
    directory = prepared(make, PRODUCTS, grants=[GRANT])
    users, every = listed(directory), listed(directory, "--all")
    assert {t["metric"] for t in every} - {t["metric"] for t in users} >= {"annual_revenue", "business_type", "gmv"}
    assert all("_active_" in t["metric"] for t in users)
    assert {t["licence"] for t in users if t["kind"] == "regulation"} == {"eu-dma", "eu-dsa"}
    needs = [t for t in every if t.get("needs")]
    assert {r["result"] for t in needs for r in t["readings"].values()} == {"not_measured"}
    assert len(every) == len(needs) + 21
    assert {t["licence"] for t in listed(directory, "--licensor", "tencent")} == {
        "hunyuan-dit", "hunyuan-video", "hunyuan-3d-2.0", "hunyuan-a13b"
    }  # fmt: skip
    assert {t["kind"] for t in listed(directory, "--all", "--kind", "software_licence")} == {"software_licence"}
    over = listed(directory, "--result", "over")
    assert "llama-4" in {t["licence"] for t in over}
    assert all("over" in {r["result"] for r in t["readings"].values()} for t in over)
    news = listed(directory, "--product", "a/news")
    assert [(t["licence"], t.get("product")) for t in news] == [("kimi-k2", "a/news")]
    shown = mauwatch("licences", "--group", directory, "--licence", "llama-4").stdout
    for options in (
        "read as",
        "primary text",
        "llama-4, source: github:meta-llama",
        "No newer version of Llama known since 2025-04-05",
    ):
        assert options in shown


def test_words_that_sound_like_advice_are_in_no_table(make: Make) -> None:
    """The tool states results; whoever reads one of these words would take it for counsel's."""
    directory = prepared(make, PRODUCTS, grants=[GRANT])
    group, known = read_group(directory), from_directory(directory)
    console = Console(width=200, record=True, quiet=True)
    console.print(licence_tables.adoption(checked(directory, "llama-4", "a/search")))
    console.print(licence_tables.dependencies(depending(directory)))
    console.print(licence_tables.entries(known, known.entries), licence_tables.sources(known, known.entries))
    shown = console.export_text().lower()
    assert group.settings.group
    for word in ("verdict", "cleared", "compliant", "compliance", "exposure to", "passed the", "you may", "you must"):
        assert word not in shown
