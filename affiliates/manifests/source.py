"""A product's source in its manifest: which files or table have the events, and what their columns mean. Pure."""

import re
from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

import phonenumbers
from pydantic import BeforeValidator, Discriminator, Field, SecretStr, Tag, field_validator, model_validator

from affiliates.manifests.base import Day, ManyLines, Model, Name, Text, Zone


def _spelt_out(value: object) -> object:
    """A column's name alone as the keys that it stands for."""
    return {"column": value} if isinstance(value, str) else value


class EventTime(Model):
    """The column that says when an event happened, and what its values mean."""

    column: Text
    """The column of the event's time."""
    zone: Zone | None = None
    """The zone of values that carry none."""
    unit: Literal["s", "ms", "us", "ns"] | None = None
    """The unit of whole numbers, which count from 1970-01-01 UTC."""


class Identifier(Model):
    """A column of identifiers, and the namespace of the identifiers."""

    column: Text
    """The column of the identifier."""
    namespace: Annotated[Name, Field(max_length=32)]
    """`email` and `phone` are normalised as such; identifiers of any other namespace are taken as they are."""
    region: str | None = None
    """For telephone numbers without a country code: the country in which they are dialled."""

    @field_validator("region")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value is not None and value not in phonenumbers.SUPPORTED_REGIONS:
            capitals = value.upper()
            hint = f": write {capitals}" if capitals in phonenumbers.SUPPORTED_REGIONS else ", such as DE, GB or US"
            raise ValueError(f"is no region of ISO 3166{hint}")
        return value

    @model_validator(mode="after")
    def _not_person(self) -> Self:
        if self.namespace == PERSON_NAMESPACE:
            raise ValueError("`person` is the namespace of people joined by the crosswalk")
        return self


Condition = Annotated[str, Field(min_length=1, max_length=100_000)]
"""An SQL condition on one event's columns; it may name thousands of values."""
ColumnType = Literal["text", "integer", "number", "boolean", "date"]
"""What a column of text holds: a source's files are read as these types."""


class Database(Model):
    """Where a database is: an SQLAlchemy URL, kept in one of three places and never shown, since it may hold a password."""

    env: Text | None = None
    """A variable of the environment that holds the URL."""
    url: SecretStr | None = None
    """The URL itself, where it has no password, such as sqlite:///shop.sqlite."""
    file: Text | None = None
    """A file that holds the URL; relative to the group."""

    @field_validator("env")
    @classmethod
    def _named(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", value):
            raise ValueError("is no name of a variable of the environment, such as SHOP_DB_URL")
        return value

    @field_validator("url")
    @classmethod
    def _with_scheme(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and "://" not in value.get_secret_value():
            raise ValueError("is no URL, such as sqlite:///shop.sqlite or postgresql://host/database")
        return value

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if sum(place is not None for place in (self.env, self.url, self.file)) != 1:
            raise ValueError("needs `env`, `url` or `file`: the one place where the database's URL is kept")
        return self


class LoadedThrough(Model):
    """A table that says how far events are loaded: the greatest day of its column is the last day that is loaded whole."""

    table: Text
    """The table of loads."""
    column: Text
    """The table's column of days."""


# Without a discriminator pydantic would report the mistakes of each kind, and a person reads about keys that nobody wrote.
def _kind_of_complete(value: object) -> str:
    return "a column" if isinstance(value, dict | LoadedThrough) else "a day"


def _day_or_file(value: object) -> object:
    """A text that is written like a day, in whatever way, has to be one: else it would be taken for a file's name."""
    text = value.strip() if isinstance(value, str) else ""
    if re.fullmatch(r"\d{4}-\d{1,2}-\d{1,2}([T ].*)?|\+?[\d./-]{5,}|\d{4}-?W\d.*", text):
        try:
            if not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
                raise ValueError
            date.fromisoformat(text)
        except ValueError:
            raise ValueError("is no day: write YYYY-MM-DD, or the name of a file that holds the day") from None
    return value


Complete = Annotated[
    Annotated[Day | Text, Field(union_mode="left_to_right"), BeforeValidator(_day_or_file), Tag("a day")]
    | Annotated[LoadedThrough, Tag("a column")],
    Discriminator(_kind_of_complete),
]
"""How far a source's events are complete: a day, a file that holds the day, or a table's column."""
_CLOUD = re.compile("(s3|gs|az)://[^/]+/")

PERSON_KEY_COLUMNS: Mapping[str, ColumnType] = MappingProxyType(
    {
        "activity_date": "date",
        "audience": "text",
        "namespace": "text",
        "person_key": "text",
        "events": "integer",
        "unidentified_events": "integer",
        "undecided_events": "integer",
        "crosswalk_digest": "text",
    }
)
"""The columns of a table of ready-made person keys, with their types."""
EXCLUDED_COLUMN = "excluded_events"
"""A column of whole numbers that such a table may lack: the row's events that `counts_when` left out."""
PERSON_NAMESPACE = "person"
"""The namespace of people whom the crosswalk joined; no identifier has it."""


class Source(Model):
    """Files, or a table, with a product's events or with ready-made person keys."""

    files: Text | None = None
    """One file, a folder, or a pattern with `{day}` (YYYY-MM-DD) and `*`; relative to the group, or in an object store."""
    table: Text | None = None
    """Instead of `files`: a table or view, with or without its schema."""
    database: Database | None = None
    """The table's database; without it, the table is counted where it lies, and its contributions are handed in."""
    format: Literal["parquet", "csv", "jsonl"] | None = None
    """The files' format; the files' ending says it where it is left out."""
    separator: Literal[",", ";", "\t", "|"] = ","
    """What stands between the values of a CSV file's line."""
    time: Annotated[EventTime, BeforeValidator(_spelt_out)] | None = None
    """When an event happened: a column, or a column with its zone or unit."""
    identifiers: tuple[Identifier, ...] = ()
    """The columns of identifiers; the first usable identifier of an event is its user."""
    person_keys: tuple[Annotated[Name, Field(max_length=32)], ...] = ()
    """In the place of `identifiers`: the files hold ready-made person keys of these namespaces."""
    normalisation: Literal["v1 unicode", "v1 ascii"] | None = None
    """The profile by which the identifiers of ready-made keys were normalised."""
    counts_when: Annotated[Condition | None, ManyLines()] = None
    """An SQL condition: which events count. An event for which it is null doesn't count, and is reported as undecided."""
    internal_when: Annotated[Condition | None, ManyLines()] = None
    """An SQL condition: which users are internal, such as employees."""
    automated_when: Annotated[Condition | None, ManyLines()] = None
    """An SQL condition: which users are automated, such as bots."""
    types: Mapping[str, ColumnType] = Field(default_factory=dict)
    """Types of columns: CSV and JSON lines are read as text, but for the columns that are named here."""
    complete_through: Complete | None = None
    """The last day whose events are all there: the day, a file that holds that day and nothing else, or the greatest day of a
    table's column."""
    day_zone: Zone | None = None
    """The zone whose days name the files of a `{day}` pattern without event times."""

    @model_validator(mode="before")
    @classmethod
    def _of_ready_keys(cls, data: Any) -> Any:
        # The form of a table of ready keys is fixed, so its manifest needn't say the types.
        if isinstance(data, dict) and data.get("person_keys") and "types" not in data:
            return data | {"types": dict(PERSON_KEY_COLUMNS), "normalisation": data.get("normalisation", "v1 unicode")}
        return data

    @property
    def namespaces(self) -> tuple[str, ...]:
        """The namespaces of the source's identifiers or ready-made keys, as often as the manifest names them."""
        return self.person_keys or tuple(identifier.namespace for identifier in self.identifiers)

    @property
    def by_day(self) -> bool:
        """Whether a file's name says which day's events the file holds."""
        return "{day}" in (self.files or "")

    @property
    def in_cloud(self) -> bool:
        """Whether the source's files are objects of an object store."""
        return _CLOUD.match(self.files or "") is not None

    @field_validator("files")
    @classmethod
    def _placeholder(cls, value: str | None) -> str | None:
        if other := set(re.findall(r"\{([^{}]*)\}", value or "")) - {"day"}:
            raise ValueError(f"unknown placeholder {{{other.pop()}}}: only {{day}} is known")
        if "**" in (value or ""):  # Elsewhere it goes through folders of any depth; here some of these would silently not count.
            raise ValueError("`*` stays within a folder: name the folder alone to read all below it, or write `*` for each level")
        if value and "://" in value and not _CLOUD.match(value):
            raise ValueError("is no place that can be read: a path, or s3://bucket/…, gs://bucket/…, az://container/…")
        if value and re.match("[a-z0-9]+://[^/]*@", value):
            raise ValueError("names a user in its URL: credentials come from the environment alone")
        return value

    @field_validator("table")
    @classmethod
    def _table_name(cls, value: str | None) -> str | None:
        if value is not None and ("://" in value or not all(value.split("."))):
            raise ValueError("is no table's name, such as events or analytics.events")
        return value

    @model_validator(mode="after")
    def _files_or_table(self) -> Self:
        if (self.files is None) == (self.table is None):
            raise ValueError("needs either `files` or `table`: the one place where its events lie")
        if self.files is not None and self.database is not None:
            raise ValueError("`database` is for a `table`")
        # What is counted where it lies says whether its time is a date; a database is asked.
        of_files = {"format", "separator", "day_zone"} | ({"types"} if self.database else set())
        if self.table is not None and (other := self.model_fields_set & of_files):
            raise ValueError(f"`{min(other)}` is for `files`: a table's columns have their types")
        if isinstance(self.complete_through, LoadedThrough) and self.database is None:
            raise ValueError("`complete_through` names a table, and there is no `database` to ask")
        return self

    @model_validator(mode="after")
    def _who_was_there(self) -> Self:
        if not self.person_keys and not self.identifiers:
            raise ValueError("`identifiers` are missing: the columns that tell who was there")
        of_events = {"identifiers", "time", "counts_when", "internal_when", "automated_when", "table"}
        if self.person_keys and (other := self.model_fields_set & of_events):
            raise ValueError(f"`{min(other)}` is for events, and `person_keys` for keys that are made of them already")
        if not self.person_keys and self.normalisation:
            raise ValueError("`normalisation` is for `person_keys`: identifiers are normalised here")
        if PERSON_NAMESPACE in self.person_keys:
            raise ValueError("`person` is the namespace of people joined by the crosswalk")
        return self

    @model_validator(mode="after")
    def _knows_its_days(self) -> Self:
        if self.by_day and self.complete_through is not None:
            raise ValueError("`complete_through` is for one file or a folder: with {day}, each file speaks for its day")
        if not self.by_day and self.complete_through is None and not (self.table and self.database is None):
            raise ValueError("`complete_through` is missing: without it a day with no events can't be told from a missing day")
        if not self.by_day and self.time is None and not self.person_keys:
            raise ValueError("`time` is missing: without {day} in `files` only the events' own time tells their day")
        if self.day_zone and self.time is not None:
            raise ValueError("`day_zone` is for files without event times; give `time` its zone instead")
        if self.day_zone and not self.by_day:
            raise ValueError("`day_zone` is for files named by {day}")
        return self
