"""Structural forgeries of a bundle of `signed_bundles`: several places changed so that they fit each other."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pipelines import hash_chain
from pipelines.evidence.method_text import method_text
from pipelines.licences.entry import LicenceEntry
from tests.support.bundle_edits import Change, rechained

Content = dict[str, Any]
SUMMED = "summed_products"


def on(**files: Callable[[Any], object]) -> Change:
    """A change of JSON files, named without their ending."""

    def change(folder: Path, about: Content) -> None:
        for name, edit in files.items():
            path = folder / f"{name}.json"
            content = json.loads(path.read_text())
            edit(content)
            path.write_text(json.dumps(content))

    return change


def listed(**values: Any) -> Change:
    """A change of what the bundle's list says besides the files."""

    def change(folder: Path, about: Content) -> None:
        about.update(values)

    return change


def _without(entity: str) -> Callable[[Content], None]:
    def edit(group: Content) -> None:
        group["entities"] = [e for e in group["entities"] if e["entity"] != entity]
        for drawn in group["drawn"]:
            drawn["outside"] = [o for o in drawn["outside"] if o["entity"] != entity]
            drawn["members"] = [m for m in drawn["members"] if m["entity"] != entity]

    return edit


def _clause(**values: Any) -> Callable[[Content], None]:
    """The clause with other words, its entry's digest made again."""

    def edit(test: Content) -> None:
        test["entry"]["clauses"][0].update(values)
        entry = LicenceEntry.model_validate(test["entry"])
        test["digest"], test["clause"] = entry.digest, entry.clauses[0].model_dump(mode="json")
        test["threshold"] = entry.clauses[0].threshold

    return edit


def _outcomes(**values: Any) -> Callable[[Content], object]:
    return lambda test: [outcome.update(values) for outcome in test["readings"].values()]


def _entity(group: Content, name: str) -> Content:
    found: Content = next(entity for entity in group["entities"] if entity["entity"] == name)
    return found


def _app(group: Content) -> Content:
    app: Content = _entity(group, "a")["products"][0]
    return app


def _publications(edit: Callable[[Content, list[Content]], object]) -> Change:
    """Publications and figures changed, their digests made again, and a ledger with these in a chain that fits."""

    def change(folder: Path, about: Content) -> None:
        path = folder / "figures.json"
        content = json.loads(path.read_text())
        entries = [json.loads(line) for line in (folder / "ledger.jsonl").read_text().splitlines()]
        for one in content["published"]:
            before = one["content"]
            edit(one["publication"], one["figures"])
            one["content"] = hash_chain.publication_digest(one["publication"], one["figures"])
            for entry in entries:
                if entry["body"].get("content") == before:
                    entry["body"]["content"] = one["content"]
        path.write_text(json.dumps(content))
        _chain(folder, about, entries)

    return change


def _chain(folder: Path, about: Content, entries: list[Content]) -> None:
    """Write a ledger of these entries, and name its head in the list."""
    text = rechained(entries)
    (folder / "ledger.jsonl").write_text(text)
    signed = [e for e in map(json.loads, text.splitlines()) if e["body"].get("state") in ("closed", "restated")]
    about["ledger_head"] = {"number": signed[-1]["number"], "digest": signed[-1]["digest"]} if signed else None


def _ledger(edit: Callable[[list[Content]], list[Content]]) -> Change:
    def change(folder: Path, about: Content) -> None:
        _chain(folder, about, edit([json.loads(line) for line in (folder / "ledger.jsonl").read_text().splitlines()]))

    return change


def _more_users(publication: Content, figures: list[Content]) -> None:
    for figure in figures:
        figure.update(estimate=5, lower=5, upper=5)


def _collected(edit: Callable[[Content], object]) -> Change:
    """What was collected at the signing changed, in the publications and beside them."""

    def change(publication: Content, figures: list[Content]) -> None:
        record = json.loads(publication["collected"])
        edit(record)
        publication["collected"] = hash_chain.canonical(record)

    def both(folder: Path, about: Content) -> None:
        _publications(change)(folder, about)
        on(closing=lambda closing: edit(closing["collected"]))(folder, about)

    return both


def _without_reading(folder: Path, about: Content) -> None:
    """One reading taken out of every document; the page still names it."""
    on(
        figures=lambda f: f.update(published=[p for p in f["published"] if p["publication"]["reading"] != SUMMED]),
        licence=lambda t: t.update(
            readings={name: o for name, o in t["readings"].items() if name != SUMMED},
            read=[reading for reading in t["read"] if reading["name"] != SUMMED],
            noted=[{**row, "id": 1} for row in t["noted"] if row["reading"] != SUMMED],
        ),
        inputs=lambda i: i.update(rests=[rest for rest in i["rests"] if rest["reading"] != SUMMED]),
    )(folder, about)


def _granted(test: Content) -> None:
    grant = {
        "from": "2025-01-01", "to": None, "id": "g", "kind": "grant", "licences": ["llama-4"], "licensee": "parent",
        "covers": None, "cap": None, "reporting": [], "document": {"name": "a letter", "digest": None}, "in_force": True,
    }  # fmt: skip
    test["grants"] = [grant]
    for row, outcome in zip(test["noted"], reversed(test["readings"].values()), strict=True):
        outcome.update(found=outcome["result"], result="granted", why=["grant g of 2025-01-01 (a letter), without a cap"])
        row["result"] = "granted"


def _granted_in_ledger(folder: Path, about: Content) -> None:
    """A grant that the signed month knew nothing of, and a result by it that the ledger is made to have."""
    before = [hash_chain.digest_of(hash_chain.row_content(row)) for row in _noted(folder)]
    on(licence=_granted)(folder, about)
    digests = {old: hash_chain.digest_of(hash_chain.row_content(row)) for old, row in zip(before, _noted(folder), strict=True)}
    entries = [json.loads(line) for line in (folder / "ledger.jsonl").read_text().splitlines()]
    tested = [entry for entry in entries if entry["body"].get("content") in digests]
    later = [{**entry, "body": entry["body"] | {"content": digests[entry["body"]["content"]]}} for entry in tested]
    _chain(folder, about, [*entries, *later])


def _noted(folder: Path) -> list[Content]:
    rows: list[Content] = json.loads((folder / "licence.json").read_text())["noted"]
    return rows


def _method_2(publication: Content, figures: list[Content]) -> None:
    publication["method"] = 2


def _nothing_kept(publication: Content, figures: list[Content]) -> None:
    record = json.loads(publication["collected"])
    record.pop("basis")
    publication["collected"] = hash_chain.canonical(record)


def _swapped(folder: Path, about: Content) -> None:
    """Two products' files of sketches in each other's place; in the outside bundle, two files of documents."""
    pair = (
        ("sketches/a/app.parquet", "sketches/b/chat.parquet") if (folder / "sketches").is_dir() else ("group.json", "inputs.json")
    )
    one, other = (folder / name for name in pair)
    shutil.move(one, folder / "swap")
    shutil.move(other, one)
    shutil.move(folder / "swap", other)


def _all_of(*changes: Change) -> Change:
    def change(folder: Path, about: Content) -> None:
        for one in changes:
            one(folder, about)

    return change


def _file(name: str, text: str) -> Change:
    def change(folder: Path, about: Content) -> None:
        (folder / name).write_text(text)

    return change


FORGERIES: Mapping[str, Change] = {
    "the joint venture out": on(group=_without("j")),
    "a member out": on(group=_without("c")),
    "the sold company out": on(group=_without("b")),
    "control of the joint venture": on(group=lambda g: _entity(g, "j")["owned_by"][0].update(share="0.51")),
    "a member more": on(group=lambda g: g["entities"].append({"entity": "x", "name": "", "owned_by": [], "products": []})),
    "another document of control": on(group=lambda g: _entity(g, "c")["controlled_by"][0].update(document="a handshake")),
    "a later sale": on(group=lambda g: _entity(g, "b")["owned_by"][0].update(to="2025-04-04")),
    "another name of a company": on(group=lambda g: _entity(g, "a").update(name="Another Ltd")),
    "another name of a product": on(group=lambda g: _app(g).update(name="Another App")),
    "another meaning of active": on(group=lambda g: _app(g)["active"].update(meaning="paid")),
    "another life of a product": on(group=lambda g: _app(g).update(to="2025-05-01")),
    "entities in another order": on(group=lambda g: g["entities"].reverse()),
    "days in another order": on(group=lambda g: g["drawn"].reverse()),
    "several identifiers a person": on(group=lambda g: g["namespaces"]["email"].update(identifiers_per_person=[1, 3])),
    "comparator, effect and whose": on(licence=_clause(comparator="gte", effect_over="nothing", whose=["licensee"])),
    "a higher threshold": on(licence=_clause(threshold=9 * 10**9)),
    "the clause's words": on(licence=_clause(words="other words")),
    "headroom and complete": on(licence=_outcomes(headroom=9 * 10**8, complete=False)),
    "coverage": on(licence=lambda t: t["readings"][SUMMED]["coverage"].update(days_expected=1, days_present=1)),
    "no tests at all": on(licence=lambda t: t.update(readings={}, noted=[])),
    "no test by one reading": on(licence=lambda t: (t["readings"].pop(SUMMED), t["noted"].pop(0))),
    "a reading out of everything": _without_reading,
    "a reading of other audiences": on(licence=lambda t: t["read"][0].update(audiences=["external"])),
    "a reading of another control share": on(licence=lambda t: t["read"][0].update(control_share="0.49")),
    "a reading by the month's end": on(licence=lambda t: t["read"][0].update(membership="month_end")),
    "readings in another order": on(licence=lambda t: t["read"].reverse()),
    "another licensee": on(licence=lambda t: t.update(licensee="a")),
    "another release": on(licence=lambda t: t.update(released="2025-04-06")),
    "a grant and its result": _granted_in_ledger,
    "accepted by somebody": on(
        licence=lambda t: t["accepted"].append(
            {"licence": "llama-4", "entity": "a", "by": "Counsel", "on": "2025-04-06", "text": None, "revision": None}
        )
    ),
    "another reading of record": on(licence=lambda t: t["of_record"].update(reading=SUMMED)),
    "a smaller count": on(inputs=lambda i: i["given"][0].update(users=1)),
    "contributions in another order": on(inputs=lambda i: i["contributions"].reverse()),
    "a contribution out": on(inputs=lambda i: i["contributions"].pop()),
    "a better grade": on(inputs=lambda i: i["grades"].update({"a count": 0, "daily contributions": 2})),
    "fewer users, in a chain that fits": _publications(_more_users),
    "signed by somebody else, in a chain that fits": _publications(lambda p, f: p.update(signed_by="The Intern")),
    "nothing open, in a chain that fits": _publications(lambda p, f: p.update(despite=None, not_counted="")),
    "other attestations, in a chain that fits": _collected(lambda c: c["attestations"].clear()),
    "another key of the month, in a chain that fits": _collected(lambda c: c.update(public_key=None)),
    "a signature that keeps nothing, in a chain that fits": _publications(_nothing_kept),
    "an older method, in a chain that fits": _all_of(_publications(_method_2), _file("method.txt", method_text(2))),
    "a ledger without the signing": _ledger(lambda e: [entry for entry in e if entry["body"].get("state") != "closed"]),
    "a ledger that begins later": _ledger(lambda e: e[2:]),
    "a ledger that goes on": _ledger(
        lambda e: [*e, {"kind": "tested", "at": e[-1]["at"], "body": {"content": "0" * 64, "licence": "llama-4"}}]
    ),
    "of another kind": listed(kind="privileged"),
    "addressed to somebody else": listed(addressee="A Court", purpose="to be believed"),
    "made earlier": listed(made_at="2025-04-02T00:00:00+00:00"),
    "of another licence": listed(licence="llama-3"),
    "files in each other's place": _swapped,
    "no page": _file("evidence.pdf", ""),
}  # fmt: skip
"""By what is forged, how."""
