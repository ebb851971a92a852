"""A group directory (YAML) to a `Group`; every mistake with its file, line, rule and next step."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from affiliates.errors import Code, Refusal, RefusedError, refused
from affiliates.manifests import grants, validation
from affiliates.manifests.alert_settings import Alerting
from affiliates.manifests.attestations import Attested
from affiliates.manifests.dashboard_settings import Dashboard
from affiliates.manifests.explanations import explain
from affiliates.manifests.grants import Grants
from affiliates.manifests.group import Entity, Group
from affiliates.manifests.readings import DEFAULT_READINGS, Readings
from affiliates.manifests.settings import Settings
from affiliates.manifests.yaml_lines import Document, Location, load

M = TypeVar("M", bound=BaseModel)


HEADQUARTERS_ALONE = ("readings.yaml", "alerts.yaml", "dashboard.yaml", "grants.yaml", "attested")
"""What no affiliate's machine has: where one of these lies, the directory is of the whole group."""


def read_group(directory: Path, edge: bool | None = False) -> Group:
    """Read and check a group directory.

    `edge`: on an affiliate's own machine the directory has group.yaml and that affiliate's file; who owns whom isn't checked,
    and grants aren't read. None: as the directory itself says (`_is_an_affiliates`). Raises `RefusedError` with every mistake in
    every file at once, by file and line.
    """
    mistakes: list[Refusal] = []
    settings_file = directory / "group.yaml"
    if not settings_file.is_file():
        raise refused(
            Code.GROUP_MISSING,
            str(directory),
            "is not a group directory",
            "it has no group.yaml",
            "name one with --group DIR, or make one with `mauwatch init DIR`",
        )
    settings_doc = load(directory, settings_file, mistakes)
    settings = parse(Settings, settings_doc, mistakes)
    readings_doc = load(directory, directory / "readings.yaml", mistakes, required=False)
    readings = parse(Readings, readings_doc, mistakes) if readings_doc else DEFAULT_READINGS
    alerting_doc = load(directory, directory / "alerts.yaml", mistakes, required=False)
    alerting = parse(Alerting, alerting_doc, mistakes) if alerting_doc else Alerting()
    dashboard_doc = load(directory, directory / "dashboard.yaml", mistakes, required=False)
    dashboard = parse(Dashboard, dashboard_doc, mistakes) if dashboard_doc else Dashboard()
    entities: dict[str, tuple[Entity, Document]] = {}
    for path in _manifests(directory, mistakes):
        doc = load(directory, path, mistakes)
        entity = parse(Entity, doc, mistakes)
        if doc is None or entity is None:
            continue
        if entity.entity in entities:
            mistakes.append(
                Refusal(
                    Code.MANIFEST_NAME_TWICE,
                    doc.at(("entity",)),
                    "two files describe the same entity",
                    f"{entity.entity}, also in {entities[entity.entity][1].file}",
                    "keep one file for an entity",
                )
            )
            continue
        entities[entity.entity] = (entity, doc)
    by_name = {name: entity for name, (entity, _) in entities.items()}
    # What holds between files comes last. `broken` says whether a mistake before may hide names from these checks.
    if readings_doc and readings:
        mistakes.extend(validation.check_readings(readings, readings_doc))
    if alerting_doc and alerting:
        mistakes.extend(validation.check_alerting(alerting, alerting_doc, by_name, broken=bool(mistakes)))
        if settings:
            mistakes.extend(validation.check_legend(settings, alerting, alerting_doc))
    if dashboard_doc and dashboard:
        mistakes.extend(validation.check_dashboard(dashboard, dashboard_doc, by_name, broken=bool(mistakes)))
    if edge is None:
        edge = settings is not None and _is_an_affiliates(directory, settings, by_name)
    if settings and settings_doc:
        check = validation.check_edge if edge else validation.check_group
        mistakes.extend(check(settings, settings_doc, entities, broken=bool(mistakes)))
    granted = Grants() if edge else _grants(directory, by_name, readings, mistakes)
    if mistakes or settings is None or readings is None or alerting is None or dashboard is None:
        raise RefusedError(*sorted(mistakes, key=_place))
    if settings.legend:
        # One place for all that show the legend: older groups have it in alerts.yaml, a signed month's settings have none.
        alerting = alerting.model_copy(update={"legend": settings.legend})
    return Group(settings=settings, entities=by_name, readings=readings, grants=granted, alerting=alerting, dashboard=dashboard)


def _is_an_affiliates(directory: Path, settings: Settings, entities: Collection[str]) -> bool:
    """Whether a directory has an affiliate's files alone: not the ultimate parent's, and nothing that headquarters alone has."""
    of_headquarters = any((directory / name).exists() for name in HEADQUARTERS_ALONE)
    return bool(entities) and settings.ultimate_parent not in entities and not of_headquarters


def _grants(directory: Path, entities: Mapping[str, Entity], readings: Readings | None, mistakes: list[Refusal]) -> Grants:
    """What grants.yaml says; no grant where there is no such file, or a mistake in it."""
    broken = bool(mistakes)  # A file that doesn't parse hides names.
    doc = load(directory, directory / "grants.yaml", mistakes, required=False)
    granted = parse(Grants, doc, mistakes)
    if doc is None or granted is None:
        return Grants()
    if readings is not None and not broken:
        products = {name: [product.product for product in entity.products] for name, entity in entities.items()}
        mistakes.extend(grants.check(granted, doc, products, [reading.name for reading in readings.readings]))
    return granted


def read_attested(directory: Path, group: Group, month: date) -> Attested:
    """What was attested and reconciled for a month, by attested/YYYY-MM.yaml; nothing where there is no such file.

    Raises `RefusedError` with every mistake, such as a name that no manifest has, or a file that no month would read.
    """
    mistakes: list[Refusal] = []
    # A misspelt file's name would silently be no attestation.
    for path in sorted((directory / "attested").glob("*")):
        if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])\.yaml|\..*", path.name):
            mistakes.append(
                Refusal(
                    Code.MANIFEST_UNREADABLE,
                    f"attested/{path.name}:1",
                    "is not read",
                    "only files named by a month are",
                    "rename it, such as 2025-03.yaml",
                )
            )
    doc = load(directory, directory / "attested" / f"{month:%Y-%m}.yaml", mistakes, required=False)
    attested = parse(Attested, doc, mistakes) or Attested()
    if doc is not None:
        mistakes.extend(_unknown_names(attested, doc, group))
    if mistakes:
        raise RefusedError(*sorted(mistakes, key=_place))
    return attested


def _unknown_names(attested: Attested, doc: Document, group: Group) -> Iterator[Refusal]:
    """A refusal for each affiliate or product of an attestation that no manifest has."""
    reconcilable = {group.settings.group, *map(str, group.products)}
    places: list[tuple[Location, str, Collection[str]]] = [
        *((("attestations", i, "affiliate"), item.affiliate, group.entities) for i, item in enumerate(attested.attestations)),
        *((("reconciliation", i, "product"), item.product, reconcilable) for i, item in enumerate(attested.reconciliation)),
    ]
    for location, name, known in places:
        if name not in known:
            yield Refusal(
                Code.MANIFEST_NAME_UNKNOWN,
                doc.at(location),
                f"`{location[-1]}` of nobody",
                name,
                "write a name that the manifests have",
            )


def mistakes_in_attested(directory: Path, group: Group) -> list[Refusal]:
    """Every mistake in attested/, of all months, each once."""
    mistakes: dict[str, Refusal] = {}
    # Without any month's file, one of a month that nobody attested is read: other files in the folder are mistakes, too. A file
    # of a 13th month is refused by its name, whatever month it is read as.
    for path in sorted((directory / "attested").glob("[0-9][0-9][0-9][0-9]-[0-9][0-9].yaml")) or [Path("1970-01.yaml")]:
        try:
            read_attested(directory, group, date(int(path.stem[:4]), min(max(int(path.stem[5:]), 1), 12), 1))
        except RefusedError as error:
            mistakes |= {str(refusal): refusal for refusal in error.refusals}
    return list(mistakes.values())


def from_options(model: type[M], values: Mapping[str, Any], where: str) -> M:
    """A model from keys and values that stand in no file, such as a command's options.

    `where` says in words whence the values come. Raises `RefusedError` with every mistake.
    """
    mistakes: list[Refusal] = []
    parsed = parse(model, Document(Path(), where, dict(values), {}), mistakes)
    if parsed is None:
        # A line of a file would mislead: there is none.
        raise RefusedError(*(replace(mistake, subject=where) for mistake in mistakes))
    return parsed


def _manifests(directory: Path, mistakes: list[Refusal]) -> list[Path]:
    """The entities' files; anything else beside them is a mistake, since it would silently not count."""
    paths = [path for path in sorted((directory / "affiliates").glob("*")) if not path.name.startswith(".")]
    for path in paths:
        if path.is_dir() or path.suffix not in (".yaml", ".yml"):
            file = path.relative_to(directory).as_posix()
            mistakes.append(
                Refusal(
                    Code.MANIFEST_UNREADABLE,
                    f"{file}:1",
                    "is not read",
                    "only *.yaml files directly in affiliates/ are",
                    "move or rename it",
                )
            )
    return [path for path in paths if path.is_file() and path.suffix in (".yaml", ".yml")]


def _place(refusal: Refusal) -> tuple[str, int]:
    """A refusal's file and line as sort key: line 10 comes after line 9."""
    file, _, line = refusal.subject.rpartition(":")
    return (file, int(line)) if line.isdigit() else (refusal.subject, 0)


def parse(model: type[M], doc: Document | None, mistakes: list[Refusal]) -> M | None:
    """A file's data as a model; nothing where there is no file or a mistake, which is added to `mistakes` with its line."""
    if doc is None:
        return None
    try:
        return model.model_validate(doc.data)
    except ValidationError as error:
        # "Too short" for a list whose items are the mistakes says nothing new.
        details = [dict(item) for item in error.errors(include_url=False) if item["type"] != "too_short" or not item["input"]]
        mistakes.extend(explain(model, doc, detail) for detail in details)
        return None
