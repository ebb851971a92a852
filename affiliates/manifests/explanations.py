"""A mistake in a manifest's value, in words: one of pydantic's errors as a refusal with file, line, rule and next step. Pure."""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from pydantic import BaseModel

from affiliates.errors import Code, Refusal, alike
from affiliates.manifests.yaml_lines import Document, Location

_SECRET = {"database", "urls", "channels", "heartbeat"}
"""Keys under which a value may be an address with a password or a token in it; no message shows such a value."""


def explain(model: type[BaseModel], doc: Document, error: Mapping[str, Any]) -> Refusal:
    """One of pydantic's errors as a refusal with file, line and next step; `model` is the whole file's."""
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
            rule, next_step = _in_words(error)
            key = _place_in_words(location, doc)
            value = error.get("input")
            values = f"it says {value!r}" if _may_be_shown(value) and not _SECRET & set(location) else ""
            return Refusal(Code.MANIFEST_VALUE_INVALID, doc.at(location), f"{key}: {rule}", values, next_step)


def _place_in_words(location: Location, doc: Document) -> str:
    """The key of a value, and which item of the key's list the value is."""
    # Where a value has several kinds, pydantic names the kind behind the key; no line has it.
    while len(location) > 1 and isinstance(location[-1], str) and doc.lines and location not in doc.lines:
        location = location[:-1]
    items = [str(part + 1) for part in location if isinstance(part, int)]
    if len(location) < 2 or isinstance(location[-1], str):
        return f"`{location[-1] if location else 'the file'}`"
    key = next((part for part in reversed(location) if isinstance(part, str)), "the file")
    return f"`{key}`, item {items[-1]}"


def _in_words(error: Mapping[str, Any]) -> tuple[str, str]:
    """The rule that a value breaks, and the next step. pydantic's words are of Python's types, which no manifest has."""
    value = error.get("input")
    kind = str(error["type"])
    # YAML makes nothing of three spellings, and a name may be one of them.
    if value is None and kind != "value_error":
        return "says nothing", "write a value; `null`, `~` and no value are nothing in YAML, and the word itself stands in quotes"
    if kind.startswith("int_"):
        whole = _whole_number(value)
        return "is no whole number", f"write {whole}" if whole is not None else "write digits alone"
    if kind.startswith(("float_", "decimal_")):
        return "is no number", "write digits, with a point before decimals"
    if kind.startswith("bool_"):
        return "is neither true nor false", "write true or false"
    if kind.startswith("date_"):
        return "is no day that there is", "write YYYY-MM-DD"
    if kind in ("list_type", "tuple_type"):
        return "is no list", "write a list, such as [one, another]"
    if kind == "string_too_short" and value == "":
        return "is empty", "write a text"
    if kind == "string_type":
        return "is no text", "write one text, without keys or a list"
    return str(error["msg"]).removeprefix("Value error, "), "correct the value"


def _whole_number(value: object) -> int | None:
    """The whole number that a text such as 1e6 or 0x1F stands for; nothing for any other value."""
    if not isinstance(value, str) or len(value) > 30:
        return None
    try:
        return int(value, 0)
    except ValueError:
        pass
    try:
        number = Decimal(value)
        return int(number) if number.is_finite() and number.adjusted() < 30 and number == int(number) else None
    except InvalidOperation:
        return None


def _may_be_shown(value: object) -> bool:
    """Whether a value may stand in a message: never what could be a key put in the wrong place, or a URL with a password."""
    if isinstance(value, str):
        return len(value) < 60 and "@" not in value and not re.search("[0-9a-fA-F]{32}", value)
    return isinstance(value, int | float | bool)


def _keys_at(model: type[BaseModel], location: Location) -> list[str]:
    """The keys that a manifest knows at a location."""
    for part in location:
        if isinstance(part, int):
            continue
        field = next((field for name, field in model.model_fields.items() if (field.alias or name) == part), None)
        if field is None:
            continue  # Where a value has several kinds, pydantic names the kind in the location; it is no key.
        inner = _model_in(field.annotation)
        if inner is None:
            return []
        model = inner
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The first model in a field's type, such as that of a list's items; nothing where the type has none."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inside = (_model_in(argument) for argument in getattr(annotation, "__args__", ()))
    return next((model for model in inside if model), None)
