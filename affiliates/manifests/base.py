"""What all manifests share: closed immutable models, half-open validity, and the types of names, shares, months, zones. Pure."""

import base64
import re
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Annotated, Self, get_args

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

from affiliates.periods import is_zone, month_of


def _share(value: object) -> object:
    """60 % or 0.6 as a decimal number; what is neither text nor a number is left to pydantic."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return value
    # By its text: Decimal(0.6) is 0.59999..., and shares that sum to exactly half must not be over half.
    text = str(value).strip()
    try:
        if text.endswith("%"):
            return Decimal(text[:-1].strip()) / 100
        number = Decimal(text)
        over = number > 1
    except InvalidOperation:
        raise ValueError("is no share, such as 60 % or 0.6") from None
    if over:
        raise ValueError(f"is over 1: write {float(number):g} % or {float(number) / 100:g}")
    return number


def _day(value: object) -> object:
    """A text YYYY-MM-DD, or a date, as it is. pydantic alone would take a number, or its text, for seconds since 1970."""
    if isinstance(value, date) or (isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\d", value.strip())):
        return value
    raise ValueError("is no day: write YYYY-MM-DD")


def _month(value: object) -> object:
    """YYYY-MM as the text of the month's first day; anything else as `_day` takes it."""
    return _day(f"{value}-01" if isinstance(value, str) and len(value) == 7 else value)


def _true_or_false(value: object) -> object:
    """The words of YAML for true and false as such; any other text is a text."""
    return _WORDS.get(value.lower(), value) if isinstance(value, str) else value


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


_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$", max_length=64)]
"""A short name without a slash, so that affiliate/product can be taken apart again."""
Share = Annotated[Decimal, BeforeValidator(_share), Field(gt=0, le=1)]
"""A part of one, over 0 and at most 1; written 60 % or 0.6."""
Day = Annotated[date, BeforeValidator(_day)]
"""A day, written YYYY-MM-DD."""
Month = Annotated[date, BeforeValidator(_month), AfterValidator(_first_of_month)]
"""A calendar month as its first day; written YYYY-MM."""
Zone = Annotated[str, AfterValidator(_zone)]
"""A time zone's name in the IANA database."""
Text = Annotated[str, Field(min_length=1)]
"""A text that isn't empty."""
FlagOrText = Annotated[bool | str, BeforeValidator(_true_or_false)]
"""True or false, or a text that says more."""
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""SHA-256 in hex."""
PublicKey = Annotated[str, AfterValidator(_public_key)]
"""An Ed25519 public key: 32 bytes in base64."""


class Model(BaseModel):
    """A part of a manifest: immutable, and closed, so that an unknown key is an error and never silently without effect."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @field_validator("*", mode="before")
    @classmethod
    def _without_points_of_thousands(cls, value: object, info: ValidationInfo) -> object:
        """Refuse 700.000 for a whole number: somebody means seven hundred thousand, and pydantic reads 700."""
        annotation = cls.model_fields[str(info.field_name)].annotation
        is_whole = annotation is int or int in get_args(annotation)
        if is_whole and isinstance(value, str) and re.fullmatch(r"[+-]?\d{1,3}(\.000)+", value.strip()):
            digits = value.strip().replace(".", "")
            raise ValueError(f"is no clear whole number: write {digits} or {value.strip().partition('.')[0]}")
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
