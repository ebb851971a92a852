"""The clean room: two groups whose true overlap is known, and a file that should never have been compared."""

import json
import re
import shutil
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from affiliates.aggregation.clean_room import deal, reveals
from affiliates.contributions import contract
from affiliates.errors import RefusedError
from affiliates.identity.keys import GroupKey, person_key
from affiliates.sketches.registers import coupons_of
from tests.support import deals
from tests.support.command import answer, mauwatch
from tests.support.groups import KEY, PLANTED, entity, events, product, source, write_group

NAME = "operation-larkspur"
OURS, THEIRS, BOTH = 600, 500, 200
DEVICES = 40
NEAR = 4.0
"""People by which a sketch of lgK 21 may be off by chance: each deal's key is another one."""
MONTH = "2025-01"


def month_of_events(first: int, number: int, devices: int = 0, last_day: int = 31, extra: str | None = None) -> pl.DataFrame:
    """On each day some of so many people, known by e-mail in several spellings; and visitors who are known by a device alone."""
    days = [f"{MONTH}-{d + 1:02}T12:00:00Z" for d in range(last_day)]
    rows: list[tuple[str, str | None]] = [
        (days[n % last_day], f" U{n}@Example.com" if n % 2 else f"u{n}@example.com") for n in range(first, first + number)
    ]
    rows += [(days[0], extra)] if extra else []
    rows += [(days[n % last_day], None) for n in range(devices)]
    device: list[str | None] = [None] * (len(rows) - devices) + [f"device-{n}" for n in range(devices)]
    return events(rows, device=device)


def group(directory: Path, affiliate: str, frame: pl.DataFrame, *others: dict[str, Any], **settings: Any) -> Path:
    columns = [{"column": "user", "namespace": "email"}, {"column": "device", "namespace": "device"}]
    of_events = source(identifiers=columns, internal_when="user like '%staff.example.com'")
    offered = product("app", to="2025-02-01", sources=[of_events])
    return write_group(directory, [entity(affiliate, [offered, *others])], {"events.parquet": frame}, **settings)


@pytest.fixture
def sides(tmp_path: Path) -> tuple[Path, Path, Path, Path]:
    """The directory of our group and its folder of the deal; those of theirs. Both have handed over their file."""
    ours = group(tmp_path / "a", "shop", month_of_events(0, OURS, DEVICES, extra="one@staff.example.com"), lg_k=12)
    theirs = group(tmp_path / "b", "chat", month_of_events(OURS - BOTH, THEIRS), group="other", forms="recognised")
    our_deal = tmp_path / "ours" / NAME
    our_deal.parent.mkdir()
    answer("deal", "new", our_deal, "--month", MONTH)
    their_deal = tmp_path / "theirs" / NAME
    their_deal.mkdir(parents=True, mode=0o700)
    for name in (deal.KEY_FILE, deal.TERMS_FILE, deal.CANARIES_FILE):
        shutil.copy2(our_deal / name, their_deal / name)
    for directory, folder in ((ours, our_deal), (theirs, their_deal)):
        answer("contribute", "--key-for", folder, "--group", directory)
    shutil.copy2(theirs_file(their_deal), our_deal / deal.THEIRS / "theirs.parquet")
    return ours, our_deal, theirs, their_deal


def theirs_file(folder: Path) -> Path:
    return folder / deal.OURS / f"chat-{MONTH}.parquet"


def ours_file(folder: Path) -> Path:
    return folder / deal.OURS / f"shop-{MONTH}.parquet"


def refusal(*arguments: object) -> tuple[str, str]:
    """Code and text of the only refusal."""
    (error,) = answer(*arguments, code=2)["errors"]
    return error["code"], " ".join(f"{value}" for value in error.values())


def test_the_overlap_is_the_true_one(sides: tuple[Path, Path, Path, Path]) -> None:
    """Two spellings, lgK 12 at home and other settings: any of them would halve the overlap without a word."""
    _, folder, _, _ = sides
    said = answer("deal", "report", folder)
    assert (said["month"], said["lg_k"]) == (MONTH, 21)
    for key, truth in (("common", BOTH), ("only_ours", OURS - BOTH + DEVICES), ("only_theirs", THEIRS - BOTH)):
        # Of a whole number the nearest: sketches of few people know them by a fraction.
        assert said[key]["lower"] - 0.5 <= truth <= said[key]["upper"] + 0.5, key
        assert said[key]["estimate"] == pytest.approx(truth, abs=NEAR)
    assert said["union"]["estimate"] == pytest.approx(OURS + THEIRS - BOTH + DEVICES, abs=NEAR)
    assert said["ours"]["people"]["estimate"] == pytest.approx(OURS + DEVICES, abs=NEAR)
    # The shares are of those who could be compared: visitors with a device alone are nobody's known customers.
    assert said["share_of_ours"]["estimate"] == pytest.approx(BOTH / OURS, abs=NEAR / THEIRS)
    assert said["share_of_theirs"]["estimate"] == pytest.approx(BOTH / THEIRS, abs=NEAR / THEIRS)
    assert said["measurable"]
    by_name = {kind["namespace"]: kind for kind in said["kinds"]}
    assert by_name["device"]["common"] is None
    assert "not agreed on" in by_name["device"]["why_not"]
    # Each visitor may be one of theirs whom an e-mail names there.
    assert said["more_in_common"] == pytest.approx(DEVICES, abs=NEAR)
    low, high = said["union_bounds"]
    assert low <= OURS + THEIRS - BOTH < OURS + THEIRS - BOTH + DEVICES <= high + NEAR
    text = " ".join(mauwatch("deal", "report", folder).stdout.split())
    head = re.match(
        r"(\d+) people \((\d+) to (\d+)\) are on both sides in 2025-01: ([\d.]+) % of ours, ([\d.]+) % of theirs", text
    )
    assert head
    assert float(head[1]) == pytest.approx(BOTH, abs=NEAR)
    assert float(head[2]) <= BOTH + 0.5 <= float(head[3]) + 1
    assert float(head[4]) == pytest.approx(100 * BOTH / OURS, abs=1)
    assert float(head[5]) == pytest.approx(100 * BOTH / THEIRS, abs=1)
    for part in ("device: not measured, not agreed on", "1 of 1 products", "What ours still reveals"):
        assert part in text


def test_nothing_of_it_enters_the_group(sides: tuple[Path, Path, Path, Path], tmp_path: Path) -> None:
    """United with contributions under the group's key, each person would be two; a refusal must not tell the deal's name."""
    ours, folder, _, _ = sides
    # To count for the deal writes nothing into the group's directory.
    assert not (ours / ".mauwatch").exists()
    handed = shutil.copy2(ours_file(folder), tmp_path / "handed.parquet")
    done = mauwatch("receive", handed, "--group", ours, "--sender", "shop")
    assert done.returncode == 1
    assert "under the key of a deal" in " ".join(done.stdout.split())
    for path in (path for path in ours.rglob("*") if path.is_file()):
        assert NAME.encode() not in path.read_bytes(), path
    assert NAME not in done.stdout + done.stderr


def test_the_file_has_no_name_and_no_product(sides: tuple[Path, Path, Path, Path]) -> None:
    """What is handed over must not tell the deal, which product somebody used, or on which day."""
    _, folder, _, _ = sides
    for path in (ours_file(folder), folder / deal.TERMS_FILE, folder / deal.CANARIES_FILE):
        assert NAME.encode() not in path.read_bytes()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (contribution,) = contract.read(ours_file(folder))
    assert (contribution.grain, contribution.product, contribution.audiences) == ("month", "all", "external")
    assert {part.namespace for part in contribution.parts} == {"email", "device"}
    fingerprint = json.loads((folder / deal.TERMS_FILE).read_text())["fingerprint"]
    assert contribution.key_epoch == f"deal-{fingerprint}"
    assert fingerprint != GroupKey(KEY, "1").fingerprint
    held = {row["namespace"]: row["people"] for row in answer("inspect", ours_file(folder))["holds"]}
    assert held == {"email": pytest.approx(OURS, abs=NEAR), "device": pytest.approx(DEVICES, abs=NEAR)}


def test_a_size_alone_tells_nobody(sides: tuple[Path, Path, Path, Path]) -> None:
    """Of a kind of identifiers that wasn't agreed on, the sketch would be a list to guess from, for nothing."""
    _, folder, _, _ = sides
    (contribution,) = contract.read(ours_file(folder))
    key = deal.read(folder).key()
    devices = next(part.registers for part in contribution.parts if part.namespace == "device")
    names = pl.DataFrame({"name": [f"device-{n}" for n in range(DEVICES)]})
    keys = names.select(person_key(pl.col("name"), "device", key)).to_series().to_numpy()
    assert devices.coupons is not None
    assert not set(devices.coupons.tolist()) & set(coupons_of(keys).tolist())
    assert devices.at_least == DEVICES
    emails = next(part.registers for part in contribution.parts if part.namespace == "email")
    assert reveals.false_yes(emails) < 1e-4


def test_what_is_not_the_deals_is_refused(sides: tuple[Path, Path, Path, Path], tmp_path: Path) -> None:
    """Compared all the same, each would show a low overlap."""
    _, folder, theirs, _ = sides
    mine = ours_file(folder)
    other = tmp_path / "another"
    answer("deal", "new", other, "--month", MONTH)
    answer("contribute", "--key-for", other, "--group", theirs)
    under_group_key = tmp_path / "group.parquet"
    answer("contribute", "--group", theirs, "--month", MONTH, "-o", under_group_key)
    (real,) = contract.read(theirs_file(sides[3]))
    later = tmp_path / "later.parquet"
    contract.write(later, [replace(real, activity_date=real.activity_date.replace(month=2))])
    coarse = tmp_path / "coarse.parquet"
    contract.write(coarse, [replace(real, parts=tuple(replace(p, registers=p.registers.fold(12)) for p in real.parts))])
    ascii_only = tmp_path / "ascii.parquet"
    contract.write(ascii_only, [replace(real, normalisation="v1 ascii")])
    unproven = tmp_path / "unproven.parquet"
    empty = next(part.canary for part in real.parts if part.namespace == "device")
    contract.write(unproven, [replace(real, parts=tuple(replace(part, canary=empty) for part in real.parts))])
    own_epoch = tmp_path / "renamed.parquet"
    (wrong_key,) = contract.read(theirs_file(other))
    contract.write(own_epoch, [replace(wrong_key, key_epoch=real.key_epoch)])
    named = tmp_path / "named.parquet"
    contract.write(named, [replace(real, parts=(*real.parts, replace(real.parts[0], namespace=PLANTED)))])
    crowded = tmp_path / "crowded.parquet"
    contract.write(crowded, [replace(real, parts=tuple(replace(part, events=3) for part in real.parts))])
    for path, code, words in (
        (theirs_file(other), "deal-file-other", "another deal's key"),
        (later, "deal-file-other", "another month"),
        (coarse, "deal-file-other", "another lgK"),
        (ascii_only, "deal-file-other", "another way"),
        (unproven, "contribution-canary-wrong", "it is empty"),
        (own_epoch, "contribution-canary-wrong", "another key"),
        (mine, "deal-file-other", "there twice"),
        (named, "contribution-values-invalid", "values that are no name"),
        (crowded, "deal-file-other", "more users than events"),
    ):
        found = refusal("deal", "report", folder, "--theirs", path)
        assert found[0] == code, path
        assert words in found[1]
        assert NAME not in found[1]
        assert PLANTED not in found[1]
    twice = ("--theirs", theirs_file(sides[3]), "--theirs", folder / deal.THEIRS / "theirs.parquet")
    assert "there twice" in refusal("deal", "report", folder, *twice)[1]
    nobody = tmp_path / "nobody.parquet"
    contract.write(nobody, [])
    assert answer("deal", "report", folder, "--theirs", nobody, code=2)["errors"]
    errors = answer("deal", "report", folder, "--theirs", under_group_key, code=2)["errors"]
    assert {error["code"] for error in errors} == {"deal-file-other"}
    assert "isn't under the deal's key" in errors[0]["rule"]


def test_a_part_of_the_month_is_no_month(tmp_path: Path) -> None:
    """Half of the days would show half of the people, and a low overlap."""
    columns = [{"column": "user", "namespace": "email"}]
    offered = product("app", to="2025-02-01", sources=[source(identifiers=columns, complete_through="2025-01-20")])
    directory = write_group(tmp_path / "a", [entity("shop", [offered])], {"events.parquet": month_of_events(0, 90, last_day=20)})
    folder = tmp_path / "larkspur"
    answer("deal", "new", folder, "--month", MONTH)
    code, text = refusal("contribute", "--key-for", folder, "--group", directory)
    assert code == "range-empty"
    assert "20 of 31 days are there" in text
    assert not list((folder / deal.OURS).iterdir())
    assert refusal("contribute", "--key-for", folder, "--group", directory, "--month", "2024-12")[0] == "usage-invalid"
    assert refusal("contribute", "--key-for", folder, "--group", directory, "-o", "x.parquet")[0] == "usage-invalid"
    # A month that isn't over is no month either.
    coming = tmp_path / "coming"
    answer("deal", "new", coming, "--month", "2999-01")
    endless = product("app", sources=[source(identifiers=columns, complete_through="2025-01-31")])
    write_group(directory, [entity("shop", [endless])])
    assert "isn't over" in refusal("contribute", "--key-for", coming, "--group", directory)[1]


def test_what_has_no_source_here_is_said(tmp_path: Path) -> None:
    """A side with two products missing looks small, and its overlap too."""
    by_count = product(
        "count", sources=[], counts=[{"month": MONTH, "users": 9, "unit": "people", "document": "d", "attested_by": "B"}]
    )
    directory = group(tmp_path / "a", "shop", month_of_events(0, 50), by_count)
    folder = tmp_path / "larkspur"
    answer("deal", "new", folder, "--month", MONTH, "--namespace", "email", "--namespace", "device=hex")
    assert answer("contribute", "--key-for", folder, "--group", directory)["left_out"] == ["shop/count"]
    (contribution,) = contract.read(ours_file(folder))
    assert contribution.producer.endswith("(1 of 2 products)")
    assert "Not in it: shop/count" in mauwatch("contribute", "--key-for", folder, "--group", directory, "--yes").stdout
    assert refusal("contribute", "shop/count", "--key-for", folder, "--group", directory)[0] == "product-unknown"


@pytest.mark.parametrize(
    "options",
    [["--print-sql", "spark"], ["--print-sql", "postgres", "--crosswalk-table", "x"], ["--person-keys"], ["--next-key"]],
    ids=" ".join,
)
def test_a_deals_key_goes_into_no_warehouse(tmp_path: Path, options: list[str]) -> None:
    """A warehouse keeps its queries for months: a key in one of them outlives the deal."""
    folder = tmp_path / "larkspur"
    answer("deal", "new", folder, "--month", MONTH)
    code, text = refusal("contribute", "--key-for", folder, "--group", tmp_path, *options)
    assert code == "usage-invalid"
    assert "--key-for counts here, and prints no query" in text
    assert not list((folder / deal.OURS).iterdir())


def test_what_cant_be_hashed_here_is_named_with_its_reason(tmp_path: Path) -> None:
    """Ready keys are of the group's key: under the deal's they would match nobody, and the overlap would be none."""
    ready = product(
        "keys", to="2025-02-01", sources=[{"files": "keys.parquet", "person_keys": ["email"], "complete_through": "2025-01-31"}]
    )
    far = product("far", to="2025-02-01", sources=[source(files=None, table="events", complete_through=None)])
    directory = group(tmp_path / "a", "shop", month_of_events(0, 50), ready, far)
    folder = tmp_path / "larkspur"
    answer("deal", "new", folder, "--month", MONTH)
    for name, why in (("shop/keys", "its keys were made elsewhere"), ("shop/far", "in the warehouse where they lie")):
        code, text = refusal("contribute", name, "--key-for", folder, "--group", directory)
        assert code == "product-unknown"
        assert why in text
    assert answer("contribute", "--key-for", folder, "--group", directory)["left_out"] == ["shop/keys", "shop/far"]
    shown = " ".join(mauwatch("contribute", "--key-for", folder, "--group", directory, "--yes").stdout.split())
    assert "shop/keys (its keys were made elsewhere, under the group's key)" in shown
    assert "shop/far (its events are counted in the warehouse where they lie)" in shown


def test_no_kind_of_identifiers_in_common(tmp_path: Path) -> None:
    """An overlap of nobody would be the lowest number there is, and the least true."""
    ours = group(tmp_path / "a", "shop", month_of_events(0, 50).with_columns(device=pl.lit(None, pl.String)))
    column = [{"column": "user", "namespace": "phone"}]
    by_phone = events([(f"{MONTH}-{d + 1:02}T12:00:00Z", f"+49301234{d:04}") for d in range(31)])
    offered = product("app", to="2025-02-01", sources=[source(identifiers=column)])
    theirs = write_group(tmp_path / "b", [entity("chat", [offered])], {"events.parquet": by_phone})
    folder = tmp_path / "larkspur"
    answer("deal", "new", folder, "--month", MONTH)
    answer("contribute", "--key-for", folder, "--group", ours)
    answer("contribute", "--key-for", folder, "--group", theirs)
    shutil.move(theirs_file(folder), folder / deal.THEIRS / "x.parquet")
    said = answer("deal", "report", folder)
    for key in ("common", "share_of_ours", "share_of_theirs", "only_ours", "only_theirs", "union"):
        assert said[key] is None, key
    assert not said["measurable"]
    assert said["more_in_common"] == pytest.approx(31, abs=NEAR)
    assert said["union_bounds"] == [pytest.approx(50, abs=NEAR), pytest.approx(81, abs=NEAR)]
    assert "was not measured" in mauwatch("deal", "report", folder).stdout


def test_a_deal_is_destroyed_in_one_command(sides: tuple[Path, Path, Path, Path], tmp_path: Path) -> None:
    """A key that is left, a sketch that is left, or a deal that goes on: any undoes it."""
    ours, folder, theirs, their_folder = sides
    key = (folder / deal.KEY_FILE).read_bytes()
    (tmp_path / "copy.key").hardlink_to(folder / deal.KEY_FILE)
    assert refusal("deal", "destroy", folder)[0] == "not-confirmed"
    assert (folder / deal.KEY_FILE).exists()
    gone = answer("deal", "destroy", folder, "--yes")
    assert gone["files"] == sorted([deal.KEY_FILE, deal.CANARIES_FILE, f"ours/shop-{MONTH}.parquet", "theirs/theirs.parquet"])
    assert [text for text in gone["left"] if "1 other name" in text]
    assert gone["meaning"]
    assert [path.name for path in folder.rglob("*")] == [deal.TERMS_FILE]
    # The key that comes back, from a backup or by mail, is refused as well.
    (folder / deal.KEY_FILE).write_bytes(key)
    for command in (
        ("contribute", "--key-for", folder, "--group", ours),
        ("deal", "report", folder, "--ours", theirs_file(their_folder), "--theirs", theirs_file(their_folder)),
        ("deal", "show", folder),
    ):
        assert refusal(*command)[0] == "deal-destroyed", command
    assert answer("deal", "destroy", folder, "--yes")["files"] == [deal.KEY_FILE]
    assert refusal("deal", "new", folder, "--month", MONTH)[0] == "file-exists"
    # The other side's goes on until they destroy it.
    assert answer("contribute", "--key-for", their_folder, "--group", theirs, "--yes")["holds"]


def test_what_a_link_leads_to_stays_and_is_told(sides: tuple[Path, Path, Path, Path], tmp_path: Path) -> None:
    """A link to a folder of downloads, followed, would empty it; one that isn't told leaves the sketch that it leads to."""
    _, folder, _, _ = sides
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    (downloads / "thesis.txt").write_text("of years")
    theirs = folder / deal.THEIRS
    shutil.move(theirs / "theirs.parquet", downloads / "theirs.parquet")
    theirs.rmdir()
    theirs.symlink_to(downloads)
    assert answer("deal", "report", folder)["measurable"]
    gone = answer("deal", "destroy", folder, "--yes")
    assert sorted(path.name for path in downloads.iterdir()) == ["theirs.parquet", "thesis.txt"]
    assert deal.THEIRS in gone["files"]
    assert [text for text in gone["left"] if text.startswith(f"{deal.THEIRS}: it was a link")]
    assert not theirs.is_symlink()


def test_a_scenario_takes_no_target_under_a_deals_key(tmp_path: Path) -> None:
    """United with the group's month, every shared person would be two."""
    with deals.deal_group(tmp_path) as group_of_deal:
        path = group_of_deal.write_target(deals.people(range(10)), key_epoch="deal-0123456789ab", key="abcd" * 16)
        definition = group_of_deal.definition(
            f"""\
            scenario: project-apple
            changes:
              - acquire: Example Social
                on: 2027-03-01
                contribution: {path.name}
            """
        )
        with pytest.raises(RefusedError, match="under the key of a deal"):
            group_of_deal.baseline(definition)


def test_keys_that_are_not_the_deals(sides: tuple[Path, Path, Path, Path], tmp_path: Path) -> None:
    """By another key everybody is somebody else; by the group's, the other side could test who is in the group's sketches."""
    ours, folder, _, _ = sides
    path = folder / deal.KEY_FILE
    text = path.read_text()
    path.write_text("abcd" * 16)
    assert refusal("contribute", "--key-for", folder, "--group", ours, "--yes")[0] == "key-invalid"
    path.unlink()
    assert refusal("contribute", "--key-for", folder, "--group", ours, "--yes")[0] == "key-missing"
    # Whoever has no key still compares: a third party that can test nobody's membership.
    assert not answer("deal", "report", folder)["holds_key"]
    path.write_text(text)
    # Without the group's key a deal goes on: it needs none.
    (ours / "group.key").unlink()
    assert answer("contribute", "--key-for", folder, "--group", ours, "--yes")["holds"]
    (ours / "group.key").write_text(text)
    code, said = refusal("contribute", "--key-for", folder, "--group", ours, "--yes")
    assert code == "key-invalid"
    assert "is the group's own" in said
    assert refusal("deal", "new", ours / "deal", "--month", MONTH)[0] == "usage-invalid"
    assert refusal("deal", "show", tmp_path)[0] == "deal-unusable"
    (folder / deal.TERMS_FILE).write_text('{"format": "mauwatch deal 1", "month": "' + PLANTED + '"}')
    code, said = refusal("deal", "show", folder)
    assert code == "deal-unusable"
    assert PLANTED not in said


def test_events_without_a_manifest(tmp_path: Path) -> None:
    """An affiliate that has a file and a key, and nothing else, can take part."""
    month_of_events(0, 30).write_parquet(tmp_path / "events.parquet")
    folder = tmp_path / "larkspur"
    answer("deal", "new", folder, "--month", MONTH, "--lg-k", "14")
    options = ["--files", tmp_path / "events.parquet", "--time", "at", "--identifier", "email=user"]
    said = answer("contribute", "shop/app", "--key-for", folder, *options)
    assert [(row["namespace"], row["people"], row["compared"]) for row in said["holds"]] == [
        ("email", pytest.approx(30, abs=1), True)
    ]
    (contribution,) = contract.read(folder / deal.OURS / f"shop-app-{MONTH}.parquet")
    assert {part.registers.lg_k for part in contribution.parts} == {14}
