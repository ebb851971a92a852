"""A group directory (YAML) to a `Group`; every mistake with its file, line, rule and next step."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from affiliates.errors import Code, Refusal, RefusedError, alike, refused
from affiliates.manifests import grants, validation
from affiliates.manifests.alert_settings import Alerting
from affiliates.manifests.attestations import Attested
from affiliates.manifests.grants import Grants
from affiliates.manifests.group import Entity, Group
from affiliates.manifests.readings import DEFAULT_READINGS, Readings
from affiliates.manifests.settings import Settings
from affiliates.manifests.yaml_lines import Document, Location, load

M = TypeVar("M", bound=BaseModel)

_SECRET = {"database", "urls", "channels", "heartbeat"}
"""Keys under which a value may be an address with a password or a token in it."""


def read_group(directory: Path, edge: bool = False) -> Group:
    """Read and check a group directory; at an affiliate's edge it has group.yaml and that affiliate's file, and who owns
    whom isn't asked.

    Raises `RefusedError` with every mistake in every file at once.
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
    if readings_doc and readings:
        mistakes.extend(validation.of_readings(readings, readings_doc))
    if alerting_doc and alerting:
        mistakes.extend(validation.of_alerting(alerting, alerting_doc, {n: e for n, (e, _) in entities.items()}, bool(mistakes)))
    if settings and settings_doc:
        check = validation.of_edge if edge else validation.of_group
        mistakes.extend(check(settings, settings_doc, entities, broken=bool(mistakes)))
    granted = Grants() if edge else _grants(directory, {n: e for n, (e, _) in entities.items()}, readings, mistakes)
    if mistakes or settings is None or readings is None or alerting is None:
        raise RefusedError(*sorted(mistakes, key=_place))
    named = {n: e for n, (e, _) in entities.items()}
    return Group(settings=settings, entities=named, readings=readings, grants=granted, alerting=alerting)


def _grants(directory: Path, entities: Mapping[str, Entity], readings: Readings | None, mistakes: list[Refusal]) -> Grants:
    broken = bool(mistakes)  # A file that doesn't parse hides names.
    doc = load(directory, directory / "grants.yaml", mistakes, required=False)
    found = parse(Grants, doc, mistakes)
    if doc is None or found is None:
        return Grants()
    if readings is not None and not broken:
        products = {name: [p.product for p in entity.products] for name, entity in entities.items()}
        mistakes.extend(grants.check(found, doc, products, [r.name for r in readings.readings]))
    return found


def read_attested(directory: Path, group: Group, month: date) -> Attested:
    """What was attested for a month, and reconciled; nothing where there is no such file.

    Raises `RefusedError` with every mistake, such as an affiliate or a product of nobody.
    """
    mistakes: list[Refusal] = []
    for path in sorted((directory / "attested").glob("*")):
        if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])\.yaml|\..*", path.name):
            said = f"attested/{path.name}:1"
            mistakes.append(
                Refusal(
                    Code.MANIFEST_UNREADABLE,
                    said,
                    "is not read",
                    "only files named by a month are",
                    "rename it, such as 2025-03.yaml",
                )
            )
    doc = load(directory, directory / "attested" / f"{month:%Y-%m}.yaml", mistakes, required=False)
    found = parse(Attested, doc, mistakes) or Attested()
    named = [("attestations", n, "affiliate", a.affiliate in group.entities) for n, a in enumerate(found.attestations)]
    named += [
        ("reconciliation", n, "product", r.product in {group.settings.group, *map(str, group.products)})
        for n, r in enumerate(found.reconciliation)
    ]
    for part, number, key, known in named:
        if doc is not None and not known:
            said = getattr(getattr(found, part)[number], key)
            mistakes.append(
                Refusal(
                    Code.MANIFEST_NAME_UNKNOWN,
                    doc.at((part, number, key)),
                    f"`{key}` of nobody",
                    said,
                    "write a name that the manifests have",
                )
            )
    if mistakes:
        raise RefusedError(*sorted(mistakes, key=_place))
    return found


def mistakes_in_attested(directory: Path, group: Group) -> list[Refusal]:
    """Every mistake in what was attested, of all months."""
    found: dict[str, Refusal] = {}
    for path in sorted((directory / "attested").glob("[0-9][0-9][0-9][0-9]-[0-9][0-9].yaml")) or [Path("1970-01.yaml")]:
        try:
            read_attested(directory, group, date(int(path.stem[:4]), min(max(int(path.stem[5:]), 1), 12), 1))
        except RefusedError as error:
            found |= {str(refusal): refusal for refusal in error.refusals}
    return list(found.values())


def from_options(model: type[M], said: Mapping[str, Any], where: str) -> M:
    """A model from keys and values that stand in no file, such as a command's options.

    Raises `RefusedError` with every mistake.
    """
    mistakes: list[Refusal] = []
    made = parse(model, Document(Path(), where, dict(said), {}), mistakes)
    if made is None:
        raise RefusedError(*(replace(m, subject=where) for m in mistakes))
    return made


def _manifests(directory: Path, mistakes: list[Refusal]) -> list[Path]:
    """The entities' files; anything else beside them is a mistake, since it would silently not count."""
    found = [p for p in sorted((directory / "affiliates").glob("*")) if not p.name.startswith(".")]
    for path in found:
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
    return [p for p in found if p.is_file() and p.suffix in (".yaml", ".yml")]


def _place(refusal: Refusal) -> tuple[str, int]:
    file, _, line = refusal.subject.rpartition(":")
    return (file, int(line)) if line.isdigit() else (refusal.subject, 0)


def parse(model: type[M], doc: Document | None, mistakes: list[Refusal]) -> M | None:
    """What a file says, as a model; each mistake in it is added to `mistakes`, with its line."""
    if doc is None:
        return None
    try:
        return model.model_validate(doc.data)
    except ValidationError as error:
        # "Too short" for a list whose items are the mistakes says nothing new.
        errors = [dict(e) for e in error.errors(include_url=False) if e["type"] != "too_short" or not e["input"]]
        mistakes.extend(_explain(model, doc, e) for e in errors)
        return None


def _explain(model: type[BaseModel], doc: Document, error: Mapping[str, Any]) -> Refusal:
    location: Location = tuple(error["loc"])
    key = str(location[-1]) if location else "the file"
    match error["type"]:
        case "extra_forbidden":
            known = _keys_at(model, location[:-1])
            near = alike(key, known)
            hint = f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(known)}"
            return Refusal(
                Code.MANIFEST_KEY_INVALID, doc.at(location), f"unknown key `{key}`", hint, "correct the key or remove the line"
            )
        case "missing":
            return Refusal(Code.MANIFEST_KEY_INVALID, doc.at(location[:-1]), f"`{key}` is missing", "", f"add `{key}:` here")
        case "string_pattern_mismatch":
            return Refusal(
                Code.MANIFEST_VALUE_INVALID,
                doc.at(location),
                f"`{key}` is no name",
                "",
                "write a-z, 0-9, dot, dash and underscore",
            )
        case "model_type" | "dict_type" | "model_attributes_type":
            return Refusal(
                Code.MANIFEST_VALUE_INVALID,
                doc.at(location),
                f"`{key}` must hold keys and values",
                "",
                "see the example in docs/manifests.md",
            )
        case _:
            rule = str(error["msg"]).removeprefix("Value error, ")
            given = error.get("input")
            said = f"it says {given!r}" if _may_be_shown(given) and not _SECRET & set(location) else ""
            return Refusal(Code.MANIFEST_VALUE_INVALID, doc.at(location), f"`{key}`: {rule}", said, "correct the value")


def _may_be_shown(given: object) -> bool:
    """Whether a value may stand in a message: never what could be a key put in the wrong place, or a URL with a password."""
    if isinstance(given, str):
        return len(given) < 60 and "@" not in given and not re.search("[0-9a-fA-F]{32}", given)
    return isinstance(given, int | float | bool)


def _keys_at(model: type[BaseModel], location: Location) -> list[str]:
    """The keys that a manifest knows at a location."""
    for part in location:
        if isinstance(part, int):
            continue
        field = next((f for n, f in model.model_fields.items() if (f.alias or n) == part), None)
        if field is None:
            continue  # The kind of value that was taken for meant, where there are several.
        inner = _model_in(field.annotation)
        if inner is None:
            return []
        model = inner
    return [f.alias or n for n, f in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inside = (_model_in(argument) for argument in getattr(annotation, "__args__", ()))
    return next((found for found in inside if found), None)
