"""What all manifests share: closed immutable models, half-open validity, and the types of names, shares, months, zones. Pure."""

import base64
import re
from collections.abc import Hashable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Self, Union, cast, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from affiliates.errors import unseen_sign
from affiliates.periods import is_zone, month_of

# Numbers as YAML 1.2's core schema writes them, without its octal and hexadecimal forms: https://yaml.org/spec/1.2.2/#103-core-schema
_WHOLE = re.compile(r"[-+]?[0-9]+")
_DECIMAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")
_TRUTHS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_UNCLEAR_TRUTHS = {"yes", "no", "on", "off", "y", "n"}
"""Words that YAML 1.1 takes for true or false, in any case of letters, and YAML 1.2 for texts."""


def part_of_one(value: object) -> object:
    """60 % or 0.6 as a decimal number; what is neither text nor a number is left to pydantic. Raises `ValueError`."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return value
    # By its text: Decimal(0.6) is 0.59999..., and shares that sum to exactly half must not be over half.
    text = str(value).strip()
    digits = text.removesuffix("%").strip()
    if not _DECIMAL.fullmatch(digits):
        raise ValueError("is no share, such as 60 % or 0.6")
    number = Decimal(digits)
    if text.endswith("%"):
        return number / 100
    if number > 1:
        raise ValueError(f"is over 1: write {float(number):g} % or {float(number) / 100:g}")
    return number


def _day(value: object) -> object:
    """A text YYYY-MM-DD, or a date, as it is. pydantic alone would take a number, or its text, for seconds since 1970."""
    if isinstance(value, date):
        return value
    if isinstance(value, str) and re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", value.strip()):
        return value.strip()
    raise ValueError("is no day: write YYYY-MM-DD")


def _month(value: object) -> object:
    """YYYY-MM as the text of the month's first day; anything else as `_day` takes it."""
    return _day(f"{value}-01" if isinstance(value, str) and len(value) == 7 else value)


def _truth_or_text(value: object) -> object:
    """YAML's words for true and false as such; any other text is a text, unless somebody may mean true or false by it."""
    if isinstance(value, str) and value.lower() in _UNCLEAR_TRUTHS:
        raise ValueError("is a text in YAML 1.2, and was true or false before: write true or false, or say it in more words")
    return _TRUTHS.get(value, value) if isinstance(value, str) else value


def _first_of_month(value: date) -> date:
    if value != month_of(value):
        raise ValueError("is written YYYY-MM")
    return value


def _zone(value: str) -> str:
    if not is_zone(value):
        raise ValueError("is not a time zone of the IANA database, such as UTC or Asia/Tokyo")
    return value


def _public_key(value: str) -> str:
    try:
        size = len(base64.b64decode(value, validate=True))
    except ValueError:
        size = 0
    if size != 32:
        raise ValueError("is no Ed25519 public key: 32 bytes in base64, as `mauwatch key pair` shows it")
    return value


class ManyLines:
    """Marks a field whose text may have several lines, such as a condition or a quotation."""


Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$", max_length=64)]
"""A short name without a slash, so that affiliate/product can be taken apart again."""
Share = Annotated[Decimal, BeforeValidator(part_of_one), Field(gt=0, le=1)]
"""A part of one, over 0 and at most 1; written 60 % or 0.6."""
Day = Annotated[date, BeforeValidator(_day)]
"""A day, written YYYY-MM-DD."""
Month = Annotated[date, BeforeValidator(_month), AfterValidator(_first_of_month)]
"""A calendar month as its first day; written YYYY-MM."""
Zone = Annotated[str, AfterValidator(_zone)]
"""A time zone's name in the IANA database."""
Text = Annotated[str, Field(min_length=1, max_length=10_000)]
"""A text that isn't empty, of one line unless `ManyLines` is said."""
FlagOrText = Annotated[bool | str, BeforeValidator(_truth_or_text)]
"""True or false, or a text that says more."""
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""SHA-256 in hex."""
PublicKey = Annotated[str, AfterValidator(_public_key)]
"""An Ed25519 public key: 32 bytes in base64."""


Environment = Annotated[str, Field(pattern=r"^[A-Z_][A-Z0-9_]*$", max_length=100)]
"""The name of an environment variable."""


class Model(BaseModel):
    """A part of a manifest: immutable, and closed, so that an unknown key is an error and never silently without effect."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @field_validator("*", mode="before")
    @classmethod
    def _as_yaml_writes_it(cls, value: object, info: ValidationInfo) -> object:
        """Refuse signs that nobody sees, and numbers and truth values that YAML 1.2 doesn't write; texts get one line."""
        field = cls.model_fields[str(info.field_name)]
        kinds = _kinds(cast(Hashable, field.annotation))
        # A text that may also be a number, a truth value or a day is judged by its own type.
        if isinstance(value, str) and len(kinds) == 1 and not any(isinstance(mark, BeforeValidator) for mark in field.metadata):
            value = _plain(value, *kinds)
        many_lines = any(isinstance(mark, ManyLines) for mark in field.metadata)
        # A mapping of another kind is a model, whose own fields are judged there.
        return _seen(value, many_lines or (isinstance(value, dict) and get_origin(field.annotation) is not Mapping))


def _plain(text: str, kind: type) -> object:
    """A text as it is where it is one of the kind; else an error as pydantic's own, whose next step the message then says."""
    if kind is bool:
        if text not in _TRUTHS:
            raise PydanticCustomError("bool_parsing", "is neither true nor false")
        return _TRUTHS[text]
    if kind is int and not _WHOLE.fullmatch(text):
        # 700.000 is 700 to pydantic, and seven hundred thousand to whoever wrote it.
        if re.fullmatch(r"[-+]?[0-9]{1,3}(\.000)+", text):
            raise ValueError(f"is no clear whole number: write {text.replace('.', '')} or {text.partition('.')[0]}")
        raise PydanticCustomError("int_parsing", "is no whole number")
    if kind in (float, Decimal) and not _DECIMAL.fullmatch(text.removesuffix("%").strip()):
        raise PydanticCustomError("float_parsing", "is no number")
    return text


@cache
def _kinds(annotation: Any) -> frozenset[type]:
    """The types that a field's value can have beside nothing; `object` for a list, a mapping and a choice of words."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _kinds(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return frozenset(kind for part in get_args(annotation) for kind in _kinds(part))
    if annotation is NoneType:
        return frozenset()
    return frozenset({annotation if origin is None and isinstance(annotation, type) else object})


def _seen(value: Any, many_lines: bool) -> Any:
    """A value whose texts hold no sign that is obeyed and not shown; each has one line, unless it may have several."""
    if isinstance(value, str):
        # A tab is a CSV's separator, or a blank in a condition.
        if sign := unseen_sign(value.replace("\n", " ").replace("\t", " ")):
            raise ValueError(f"holds {sign}, which nobody sees: take it away")
        return value if many_lines or "\n" not in value else " ".join(value.split())
    if type(value) in (list, tuple):
        return type(value)(_seen(item, many_lines) if isinstance(item, str) else item for item in value)
    if isinstance(value, dict):
        return {_seen(key, False): _seen(item, many_lines) if isinstance(item, str) else item for key, item in value.items()}
    return value


class Dated(Model):
    """Something valid from a day (included) to a day (excluded); open where a day is left out."""

    from_: Day | None = Field(None, alias="from")
    """The first day on which it holds; open without one."""
    to: Day | None = None
    """The first day on which it no longer holds; open without one."""

    # Models that refine these fields inherit the order of the two days.
    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.from_ and self.to and self.from_ >= self.to:
            raise ValueError(f"`to` {self.to} must lie after `from` {self.from_}")
        return self

    def holds_on(self, day: date) -> bool:
        """Whether the day is in the time of validity."""
        return (self.from_ is None or self.from_ <= day) and (self.to is None or day < self.to)

    def overlaps(self, other: "Dated") -> bool:
        """Whether there is a day on which both hold."""
        return (self.to is None or other.from_ is None or other.from_ < self.to) and (
            other.to is None or self.from_ is None or self.from_ < other.to
        )


def overlaps(items: Sequence[Dated]) -> list[tuple[int, int]]:
    """The places of items that hold on a day on which an earlier one of the list holds, too, each with such an earlier one.

    Each item is compared once, with the one that reaches furthest: thousands of lines take no longer than they are long. Pairs
    come in the list's order.
    """
    in_order = sorted(range(len(items)), key=lambda place: (items[place].from_ or date.min, place))
    pairs = []
    furthest: int | None = None
    for place in in_order:
        if furthest is not None and items[place].overlaps(items[furthest]):
            pairs.append((max(place, furthest), min(place, furthest)))
        if furthest is None or (items[place].to or date.max) > (items[furthest].to or date.max):
            furthest = place
    return sorted(pairs)
