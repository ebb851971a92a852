"""The tables of keys in docs/manifests.md, made from the models. `python -m tests.tools.manifests_page` renews the page.

Between `<!-- keys of FILE -->` and `<!-- end of keys -->` the page has the keys of a manifest, and of all that lies within them.
What a key means is the text beneath the field in the model.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from affiliates.manifests import alert_settings, base, dashboard_settings, source
from affiliates.manifests.attestations import Attested
from affiliates.manifests.grants import Digest, Grants
from affiliates.manifests.group import Entity
from affiliates.manifests.namespaces import IdentifiersPerPerson
from affiliates.manifests.readings import Readings
from affiliates.manifests.settings import Settings
from pipelines.licences.entry import LicenceEntry

PAGE = Path(__file__).parents[2] / "docs" / "manifests.md"
FILES: Mapping[str, type[BaseModel]] = {
    "group.yaml": Settings,
    "affiliates/NAME.yaml": Entity,
    "readings.yaml": Readings,
    "grants.yaml": Grants,
    "alerts.yaml": alert_settings.Alerting,
    "dashboard.yaml": dashboard_settings.Dashboard,
    "attested/YYYY-MM.yaml": Attested,
    "licences/NAME.yaml": LicenceEntry,
}
_NAMED: tuple[tuple[Any, str], ...] = (
    (base.Name, "name"),
    (base.Share, "share, such as 60 %"),
    (base.Month, "month, YYYY-MM"),
    (base.Zone, "time zone, such as Asia/Tokyo"),
    (base.Text, "text"),
    (base.Sha256, "SHA-256 in hex"),
    (base.PublicKey, "Ed25519 public key in base64"),
    (alert_settings.Part, "part of one, such as 2.5 %"),
    (alert_settings.Days, "days"),
    (dashboard_settings.Network, "IP address, or network such as 10.0.0.0/24"),
    (dashboard_settings.Header, "name of an HTTP header"),
    (dashboard_settings.Origin, "URL without a path, https:// but for this machine"),
    (dashboard_settings.Issuer, "URL, https:// but for this machine"),
    (alert_settings.Url, "URL, http:// or https://"),
    (alert_settings.Domain, "domain"),
    (base.Environment, "name of an environment variable"),
    (Digest, "`sha256:` or `git-blob:` and hex"),
    (IdentifiersPerPerson, "`1`, `[1, 3]`, `[0.5, 3]` or `several`"),
    (source.Complete, "day, file, or `{table, column}`"),
)
_PLAIN = {str: "text", int: "whole number", float: "number", bool: "`true` or `false`", date: "day, YYYY-MM-DD",
          Decimal: "number", SecretStr: "text, never shown"}  # fmt: skip
_PART = re.compile(r"(<!-- keys of (.+?) -->\n).*?(<!-- end of keys -->)", re.DOTALL)


def page(text: str) -> str:
    """The page with its tables as the models are now."""
    return _PART.sub(lambda match: f"{match[1]}{tables(FILES[match[2]])}{match[3]}", text)


def tables(root: type[BaseModel]) -> str:
    """A table for a model, and one for each model within it, under the keys that lead there."""
    shown: list[str] = []
    for path, each in _within(root):
        title = f"\nKeys of `{path}`:\n" if path else ""
        rows = (f"| {key} | {value} | {default} | {meaning} |" for key, value, default, meaning in keys(each))
        shown.append("\n".join([title, "| key | value | if left out | meaning |", "|---|---|---|---|", *rows, ""]))
    return "".join(shown) + "\n"


def keys(of: type[BaseModel]) -> Iterator[tuple[str, str, str, str]]:
    """Each key of a model: its name, what may stand there, what holds if it is left out, and what it means."""
    hints, meanings = get_type_hints(of, include_extras=True), _meanings(of)
    for name, field in of.model_fields.items():
        yield f"`{field.alias or name}`", _value(hints[name]), _default(field), meanings.get(name, "")


def without_meaning() -> list[str]:
    """Keys of which no model says what they mean."""
    models = dict.fromkeys(each for root in FILES.values() for _, each in _within(root))
    return [f"{each.__name__}.{key.strip('`')}" for each in models for key, _, _, meaning in keys(each) if not meaning]


def _within(root: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    """The model and all models inside, each once, with the keys that lead to it."""
    paths: dict[type[BaseModel], list[str]] = {root: [""]}
    waiting = [root]
    while waiting:
        outer = waiting.pop(0)
        for name, field in outer.model_fields.items():
            for inner in _models(get_type_hints(outer, include_extras=True)[name]):
                path = f"{paths[outer][0]}.{field.alias or name}".lstrip(".")
                if inner not in paths:
                    waiting.append(inner)
                paths.setdefault(inner, []).append(path)
    yield from (("`, `".join(p), each) for each, p in paths.items())


def _models(hint: Any) -> list[type[BaseModel]]:
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return [hint]
    return [found for argument in get_args(hint) for found in _models(argument)]


def _meanings(of: type[BaseModel]) -> dict[str, str]:
    """The text beneath each field, of the class and of those that it builds on."""
    meanings: dict[str, str] = {}
    for each in reversed([c for c in of.__mro__ if issubclass(c, BaseModel) and c is not BaseModel]):
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(each))).body
        assert isinstance(tree, ast.ClassDef)
        for field, text in zip(tree.body, tree.body[1:], strict=False):
            if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
                continue
            if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant) and isinstance(text.value.value, str):
                meanings[field.target.id] = re.sub(r"\s+", " ", text.value.value).replace("|", "\\|")
    return meanings


def _value(hint: Any) -> str:
    """What may stand behind a key, in words."""
    for named, words in _NAMED:
        if hint == named or (get_origin(hint) is Annotated and hint.__metadata__[: len(_metadata(named))] == _metadata(named)):
            return words
    arguments = [argument for argument in get_args(hint) if argument is not NoneType]
    match get_origin(hint):
        case None:
            return "keys, see below" if issubclass(hint, BaseModel) else _PLAIN[hint]
        case origin if origin is Annotated:
            return _value(arguments[0]) + _bounds(hint.__metadata__)
        case origin if origin is Literal:
            return ", ".join("tab" if value == "\t" else f"`{value}`" for value in arguments).replace("|", "\\|")
        case origin if origin in (Union, UnionType):
            return " or ".join(dict.fromkeys(map(_value, arguments)))
        case origin if origin is tuple:
            return f"list: {_value(arguments[0])}"
        case _:
            return f"keys and values: {_value(arguments[-1])}"


def _metadata(hint: Any) -> tuple[Any, ...]:
    return tuple(getattr(hint, "__metadata__", ())) or (object(),)


def _bounds(metadata: tuple[Any, ...]) -> str:
    """The least and the greatest value that a field allows."""
    rules = [rule for field in metadata if isinstance(field, FieldInfo) for rule in field.metadata]
    words = {"ge": "at least", "gt": "over", "le": "at most", "lt": "under", "pattern": "like"}
    limits = [f"{word} {getattr(rule, name)}" for rule in rules for name, word in words.items()
              if getattr(rule, name, None) is not None]  # fmt: skip
    return "".join(f", {limit}" for limit in limits).replace("|", "\\|")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "must be there"
    default = field.default
    if default is PydanticUndefined or default is None or default in ((), "", {}) or isinstance(default, BaseModel):
        return ""
    values = default if isinstance(default, tuple) else (default,)
    shown = (str(value).lower() if isinstance(value, bool) else str(value) for value in values)
    return ", ".join(f"`{value}`" for value in shown)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
