"""A group directory (YAML) to a `Group`; every mistake with its file, line, rule and next step."""

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from affiliates import conditions
from affiliates.group import DEFAULT_READINGS, Entity, Group, Readings, Settings
from affiliates.refusal import Refusal, Refused

M = TypeVar("M", bound=BaseModel)
Location = tuple[str | int, ...]


@dataclass(frozen=True)
class _Document:
    """One file's data, and the line on which each value stands."""

    path: Path
    file: str
    data: Any
    lines: Mapping[Location, int]

    def at(self, location: Location) -> str:
        """`file:line` of a value, or of the nearest thing around it that stands in the file."""
        while location and location not in self.lines:
            location = location[:-1]
        return f"{self.file}:{self.lines.get(location, 1)}"


def read_group(directory: Path) -> Group:
    """Read and check a whole group directory.

    Raises `Refused` with every mistake in every file at once.
    """
    mistakes: list[Refusal] = []
    settings_file = directory / "group.yaml"
    if not settings_file.is_file():
        raise Refused([Refusal(
            str(directory), "is not a group directory", "it has no group.yaml",
            "name one with --group DIR, or make one with `mauwatch init DIR`",
        )])  # fmt: skip
    settings_doc = _load(directory, settings_file, mistakes)
    settings = _parse(Settings, settings_doc, mistakes)
    readings_doc = _load(directory, directory / "readings.yaml", mistakes, required=False)
    readings = _parse(Readings, readings_doc, mistakes) if readings_doc else DEFAULT_READINGS
    entities: dict[str, tuple[Entity, _Document]] = {}
    for path in sorted((directory / "affiliates").glob("*.y*ml")):
        doc = _load(directory, path, mistakes)
        entity = _parse(Entity, doc, mistakes)
        if doc is None or entity is None:
            continue
        if entity.entity in entities:
            mistakes.append(Refusal(
                doc.at(("entity",)), "two files describe the same entity",
                f"{entity.entity}, also in {entities[entity.entity][1].file}", "keep one file for an entity",
            ))  # fmt: skip
            continue
        entities[entity.entity] = (entity, doc)
    if readings_doc and readings:
        mistakes.extend(_check_readings(readings, readings_doc))
    if settings and settings_doc:
        mistakes.extend(_check_entities(settings, settings_doc, entities, broken=bool(mistakes)))
    if mistakes or settings is None or readings is None:
        raise Refused(sorted(mistakes, key=_place))
    return Group(settings=settings, entities={n: e for n, (e, _) in entities.items()}, readings=readings)


def _place(refusal: Refusal) -> tuple[str, int]:
    file, _, line = refusal.subject.rpartition(":")
    return (file, int(line)) if line.isdigit() else (refusal.subject, 0)


def _load(directory: Path, path: Path, mistakes: list[Refusal], required: bool = True) -> _Document | None:
    file = path.relative_to(directory).as_posix()
    if not required and not path.exists():
        return None
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except UnicodeDecodeError:
        mistakes.append(Refusal(f"{file}:1", "is not UTF-8 text", "", "save it as UTF-8"))
        return None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        mistakes.append(Refusal(f"{file}:{line}", "is not YAML", error.problem or "", "mend the line or the one before it"))
        return None
    lines: dict[Location, int] = {}
    doc = _Document(path, file, {}, lines)
    if node is None:
        return doc
    for location, line, key in _walk(node, ()):
        if location in lines and key:
            mistakes.append(Refusal(
                f"{file}:{line}", f"key `{location[-1]}` stands twice", f"first in line {lines[location]}",
                "keep one of them: YAML would silently take the last",
            ))  # fmt: skip
        lines.setdefault(location, line)
    return _Document(path, file, yaml.SafeLoader("").construct_document(node), lines)


def _walk(node: yaml.Node, location: Location) -> Iterator[tuple[Location, int, bool]]:
    """Each value's location and line; true where it is the value of a key."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*location, str(key.value))
            yield inner, key.start_mark.line + 1, True
            yield from _walk(value, inner)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            inner = (*location, index)
            yield inner, item.start_mark.line + 1, False
            yield from _walk(item, inner)


def _parse(model: type[M], doc: _Document | None, mistakes: list[Refusal]) -> M | None:
    if doc is None:
        return None
    try:
        return model.model_validate(doc.data)
    except ValidationError as error:
        mistakes.extend(_explain(model, doc, dict(e)) for e in error.errors(include_url=False))
        return None


def _explain(model: type[BaseModel], doc: _Document, error: Mapping[str, Any]) -> Refusal:
    location: Location = tuple(error["loc"])
    key = str(location[-1]) if location else "the file"
    match error["type"]:
        case "extra_forbidden":
            known = _keys_at(model, location[:-1])
            near = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(known)}"
            return Refusal(doc.at(location), f"unknown key `{key}`", hint, "correct the key or remove the line")
        case "missing":
            return Refusal(doc.at(location[:-1]), f"`{key}` is missing", "", f"add `{key}:` here")
        case "model_type" | "dict_type" | "model_attributes_type":
            return Refusal(doc.at(location), f"`{key}` must hold keys and values", "", "see the README's example")
        case _:
            rule = str(error["msg"]).removeprefix("Value error, ")
            given = error.get("input")
            said = f"it says {given!r}" if _may_be_shown(given) else ""
            return Refusal(doc.at(location), f"`{key}`: {rule}", said, "correct the value")


def _may_be_shown(given: object) -> bool:
    """Whether a value may stand in a message: never what could be a key put in the wrong place."""
    if isinstance(given, str):
        return len(given) < 60 and not re.search("[0-9a-fA-F]{32}", given)
    return isinstance(given, int | float | bool)


def _keys_at(model: type[BaseModel], location: Location) -> list[str]:
    """The keys that a manifest knows at a location."""
    for part in location:
        if isinstance(part, int):
            continue
        field = next((f for n, f in model.model_fields.items() if (f.alias or n) == part), None)
        inner = _model_in(field.annotation) if field else None
        if inner is None:
            return []
        model = inner
    return [f.alias or n for n, f in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inside = (_model_in(argument) for argument in getattr(annotation, "__args__", ()))
    return next((found for found in inside if found), None)


def _check_readings(readings: Readings, doc: _Document) -> Iterator[Refusal]:
    names = [r.name for r in readings.readings]
    for i, name in enumerate(names):
        if name in names[:i]:
            yield Refusal(doc.at(("readings", i)), "two readings have one name", name, "rename one of them")
    for i, adopted in enumerate(readings.of_record):
        if adopted.reading not in names:
            yield Refusal(
                doc.at(("of_record", i, "reading")), "no such reading", f"{adopted.reading}; there are {', '.join(names)}",
                "name one of them",
            )  # fmt: skip
        if any(adopted.overlaps(other) for other in readings.of_record[:i]):
            yield Refusal(
                doc.at(("of_record", i)), "two readings of record overlap", f"from {adopted.from_}",
                "end the earlier one with `to`",
            )  # fmt: skip


def _check_entities(
    settings: Settings, doc: _Document, entities: Mapping[str, tuple[Entity, _Document]], broken: bool
) -> Iterator[Refusal]:
    if not entities:
        if not broken:
            yield Refusal("affiliates/", "holds no entity", "", "add affiliates/NAME.yaml with `entity: NAME`")
        return
    # A file that doesn't parse hides its entity: then who is unknown can't be told from who is broken.
    if settings.ultimate_parent not in entities and not broken:
        yield Refusal(
            doc.at(("ultimate_parent",)), "the ultimate parent is no entity of this group",
            f"{settings.ultimate_parent}; there are {', '.join(entities)}", "add its file to affiliates/ or correct the name",
        )  # fmt: skip
    for name, (entity, manifest) in entities.items():
        yield from _check_ownership(settings, entity, manifest, entities, broken)
        yield from _check_products(name, entity, manifest)


def _check_ownership(
    settings: Settings,
    entity: Entity,
    doc: _Document,
    entities: Mapping[str, tuple[Entity, _Document]],
    broken: bool,
) -> Iterator[Refusal]:
    parent = entity.entity == settings.ultimate_parent
    if not parent and entity.products and not entity.owned_by and not entity.controlled_by:
        yield Refusal(
            doc.at(("products",)), "products of nobody",
            f"{entity.entity} has {len(entity.products)} products and no owner",
            "add `owned_by` or `controlled_by`, or move the products to the entity that offers them",
        )  # fmt: skip
    named = [(("owned_by", i, "owner"), h.owner) for i, h in enumerate(entity.owned_by)]
    named += [(("controlled_by", i, "by"), c.by) for i, c in enumerate(entity.controlled_by) if c.by]
    for location, owner in named:
        if owner not in entities and not broken:
            near = difflib.get_close_matches(owner, list(entities), 1)
            hint = f"{owner}; did you mean {near[0]}?" if near else owner
            yield Refusal(
                doc.at(location), "no such entity", hint,
                "correct the name, or leave the line out: only owners inside the group count",
            )  # fmt: skip
        elif owner == entity.entity:
            yield Refusal(doc.at(location), "an entity can't hold itself", owner, "name another owner")
    for i, holding in enumerate(entity.owned_by):
        for j, other in enumerate(entity.owned_by[:i]):
            if holding.owner == other.owner and holding.overlaps(other):
                yield Refusal(
                    doc.at(("owned_by", i)), "two periods of one owner overlap",
                    f"{holding.owner}, here and in line {doc.at(('owned_by', j)).rpartition(':')[2]}",
                    "end the earlier one with `to`: the first day of the later one",
                )  # fmt: skip
    starts = {h.from_ for h in entity.owned_by if h.from_}
    for day in sorted(starts | {min(starts) - timedelta(1)}) if starts else ():
        total = sum((h.share for h in entity.owned_by if h.holds_on(day)), Decimal(0))
        if total > 1:
            yield Refusal(
                doc.at(("owned_by",)),
                "shares sum to over 100 %",
                f"{float(total * 100):g} % on {day}",
                "correct the shares or their periods",
            )
            break


def _check_products(entity_name: str, entity: Entity, doc: _Document) -> Iterator[Refusal]:
    names = [p.product for p in entity.products]
    for i, product in enumerate(entity.products):
        subject = f"{entity_name}/{product.product}"
        if product.product in names[:i]:
            yield Refusal(doc.at(("products", i)), "two products have one name", subject, "rename one of them")
        months = [c.month for c in product.counts]
        for k, month in enumerate(months):
            if month in months[:k]:
                yield Refusal(
                    doc.at(("products", i, "counts", k)), "two counts for one month", f"{subject}, {month:%Y-%m}", "keep one"
                )
        for k, ceiling in enumerate(product.ceilings):
            if any(ceiling.overlaps(other) for other in product.ceilings[:k]):
                yield Refusal(
                    doc.at(("products", i, "ceilings", k)), "two ceilings overlap", subject, "end the earlier one with `to`"
                )
        for k, source in enumerate(product.sources):
            for name in ("counts_when", "internal_when", "automated_when"):
                if (condition := getattr(source, name)) is None:
                    continue
                place = doc.at(("products", i, "sources", k, name))
                try:
                    conditions.check(condition, place)
                except Refusal as refusal:
                    yield refusal
