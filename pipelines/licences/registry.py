"""The registry: the built-in entries, as data beside this module, and what a group adds to them.

A group adds entries of its own in its folder `licences`, and replaces a built-in entry by a newer one, so that the registry
moves without the program.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from affiliates.errors import Code, Refusal, RefusedError, did_you_mean
from affiliates.manifests.base import Model
from affiliates.manifests.group import Group
from affiliates.manifests.loader import parse
from affiliates.manifests.yaml_lines import Document, load
from pipelines.licences.entry import Interpretation, LicenceEntry

FOLDER = Path(__file__).parent / "data"
"""Where the built-in entries lie."""


class _RegistryFile(Model):
    """What one file of entries holds."""

    licences: tuple[LicenceEntry, ...] = ()
    interpretations: tuple[Interpretation, ...] = ()


class Registry(Model):
    """All entries that hold for a group: the built-in ones, with the group's own."""

    entries: tuple[LicenceEntry, ...]
    interpretations: tuple[Interpretation, ...] = ()
    added: tuple[str, ...] = ()
    """Ids of the group's own entries."""
    replaced: tuple[str, ...] = ()
    """Ids of built-in entries in whose place a newer entry of the group stands."""

    def get(self, id_: str) -> LicenceEntry | None:
        """The entry with an id; null where there is none."""
        return next((entry for entry in self.entries if entry.id == id_), None)

    def family(self, name: str) -> list[LicenceEntry]:
        """The entries of a family that have a release date, the newest last."""
        released = [entry for entry in self.entries if entry.family == name and entry.released]
        return sorted(released, key=lambda entry: entry.released or date.min)

    def due_for_review(self, today: date) -> list[LicenceEntry]:
        """Entries whose review date has passed."""
        return [entry for entry in self.entries if entry.review_by < today]


def replacements(registry: Registry) -> list[str]:
    """What a group's entries change in the built-in ones that they replace, a text each; "the same tests" where no test changes.

    A larger threshold, or a clause that is gone, clears whoever the built-in entry doesn't clear.
    """
    texts = []
    for id_ in registry.replaced:
        ours, theirs = builtin().get(id_), registry.get(id_)
        assert ours is not None
        assert theirs is not None
        before, after = (
            {
                clause.id: f"{clause.threshold:,} ({clause.comparator}, {clause.measured}, {clause.scope}, {clause.whose_users})"
                for clause in entry.clauses
                if clause.tested
            }
            for entry in (ours, theirs)
        )
        changed = [
            f"{name} {before.get(name, 'not tested')}, now {after.get(name, 'not tested')}"
            for name in sorted({*before, *after})
            if before.get(name) != after.get(name)
        ]
        texts.append(f"{id_}: {'; '.join(changed) or 'the same tests'}")
    return texts


@cache
def builtin() -> Registry:
    """The entries that come with the program; read once a process. Raises `RefusedError` with every mistake in them."""
    mistakes: list[Refusal] = []
    # By name, so that the entries have one order on every machine.
    docs = [load(FOLDER, path, mistakes) for path in sorted(FOLDER.glob("*.yaml"))]
    files = _files([doc for doc in docs if doc], (), mistakes)
    if mistakes:
        raise RefusedError(*mistakes)
    return Registry(
        entries=tuple(entry for _, file in files for entry in file.licences),
        interpretations=tuple(point for _, file in files for point in file.interpretations),
    )


def from_directory(directory: Path) -> Registry:
    """The built-in entries, with the additions in the folder `licences` of a group directory.

    Raises `RefusedError` with every mistake: also for a built-in entry that is replaced by one that wasn't reviewed later.
    """
    ours = builtin()
    mistakes = list[Refusal]()
    docs = [load(directory, path, mistakes) for path in _yaml(directory, mistakes)]
    files = _files([doc for doc in docs if doc], ours.entries, mistakes)
    entries = {entry.id: entry for entry in ours.entries}
    added = list[str]()
    replaced = list[str]()
    for doc, file in files:
        for i, entry in enumerate(file.licences):
            before = entries.get(entry.id)
            if entry.id in (*added, *replaced):
                mistakes.append(
                    Refusal(
                        Code.MANIFEST_NAME_TWICE, doc.at(("licences", i)), "two entries have one id", entry.id, "keep one of them"
                    )
                )
            elif before is not None and entry.reviewed <= before.reviewed:
                mistakes.append(
                    Refusal(
                        Code.MANIFEST_INCONSISTENT,
                        doc.at(("licences", i)),
                        "an entry of the registry is replaced only by one that was reviewed later",
                        f"{entry.id}, reviewed {entry.reviewed}; the registry's on {before.reviewed}",
                        "look at the text again and say when in `reviewed`, or take another id",
                    )
                )
            # Noted although it may be refused: a third entry of the same id is then refused as well.
            (added if before is None else replaced).append(entry.id)
            entries[entry.id] = entry
    if mistakes:
        raise RefusedError(*mistakes)
    points = (*ours.interpretations, *(point for _, file in files for point in file.interpretations))
    return Registry(entries=tuple(entries.values()), interpretations=points, added=tuple(added), replaced=tuple(replaced))


def _yaml(directory: Path, mistakes: list[Refusal]) -> list[Path]:
    """The group's files of entries. Any other file beside them is a mistake, since it would silently add nothing.

    Files that begin with a dot are left alone: editors and file managers write them.
    """
    paths = [path for path in sorted((directory / "licences").glob("*")) if not path.name.startswith(".")]
    for path in paths:
        if path.suffix not in (".yaml", ".yml"):
            file = path.relative_to(directory).as_posix()
            mistakes.append(
                Refusal(
                    Code.MANIFEST_UNREADABLE,
                    f"{file}:1",
                    "is not read",
                    "only *.yaml files in licences/ are",
                    "move or rename it",
                )
            )
    return [path for path in paths if path.suffix in (".yaml", ".yml")]


def _files(
    docs: Sequence[Document], known: Sequence[LicenceEntry], mistakes: list[Refusal]
) -> list[tuple[Document, _RegistryFile]]:
    """Each file with its entries; a file with a mistake is left out, and its mistakes are appended.

    A clause may inherit from a clause of any of the files, or of the entries in `known`.
    """
    # Inherited keys are put into the parsed YAML before the models see it, so that a clause is checked as a whole.
    clauses = {f"{e.id}#{c.id}": c.model_dump(mode="json", exclude_unset=True) for e in known for c in e.clauses}
    for doc in docs:
        for entry in _entries(doc.data):
            clauses |= {f"{entry.get('id')}#{c.get('id')}": c for c in _entries(entry, "clauses")}
    files = []
    for doc in docs:
        for i, entry in enumerate(_entries(doc.data)):
            for k, clause in enumerate(_entries(entry, "clauses")):
                base = clause.get("inherits")
                if base is not None and str(base) not in clauses:
                    mistakes.append(
                        Refusal(
                            Code.MANIFEST_NAME_UNKNOWN,
                            doc.at(("licences", i, "clauses", k, "inherits")),
                            "no such clause",
                            "",
                            "name one as ENTRY#CLAUSE",
                        )
                    )
                elif base is not None:
                    # Each version's words name that version: inherited, they would be a false quotation.
                    clause.update({key: v for key, v in clauses[str(base)].items() if key not in (*clause, "words")})
        if (file := parse(_RegistryFile, doc, mistakes)) is not None:
            files.append((doc, file))
    return files


def _entries(data: Any, key: str = "licences") -> list[dict[str, Any]]:
    """The mappings in the list under a key; anything else is left for the model to refuse."""
    items = data.get(key) if isinstance(data, dict) else None
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def unknown(group: Group, registry: Registry) -> Iterator[Refusal]:
    """Licences that manifests name and the registry doesn't have: what rests on them can't be tested.

    Licences in alerts.yaml that can't be watched are among them.
    """
    for ref, product in group.products.items():
        yield from (_unknown(f"{ref}, models", use.model, registry) for use in product.models if registry.get(use.model) is None)
    named = [(f"grants.yaml, {grant.id}", licence) for grant in group.grants.grants for licence in grant.licences]
    named += [(f"grants.yaml, accepted for {a.entity}", a.licence) for a in group.grants.accepted]
    yield from (_unknown(where, licence, registry) for where, licence in named if registry.get(licence) is None)
    yield from not_watched(group, registry)


def not_watched(group: Group, registry: Registry) -> Iterator[Refusal]:
    """Licences that alerts.yaml names and that can't be watched: nobody would know that no alert can come."""
    for name in group.alerting.licences:
        entry = registry.get(name)
        if entry is None:
            yield _unknown("alerts.yaml, licences", name, registry)
        elif not entry.watchable:
            why = "no clause of it is decided by one month's users: alerts can't watch it"
            yield Refusal(
                Code.LICENCE_UNTESTABLE,
                "alerts.yaml, licences",
                why,
                name,
                f"leave it out, and see: mauwatch licences --licence {name}",
            )


def _unknown(where: str, licence: str, registry: Registry) -> Refusal:
    """The refusal of a licence that the registry doesn't have."""
    return Refusal(
        Code.LICENCE_UNKNOWN,
        where,
        "no such licence in the registry",
        did_you_mean(licence, (e.id for e in registry.entries), several=True),
        "correct the id",
    )
