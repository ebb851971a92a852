"""Reading a bundle of evidence: its group, and its contributions, which counting reads as it reads a store's. No database."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from affiliates.contributions import untrusted_files
from affiliates.errors import Code, refused
from affiliates.manifests.group import Group
from affiliates.manifests.product import ProductRef
from affiliates.manifests.readings import Readings
from affiliates.sketches.image import BadImage
from affiliates.sketches.registers import Registers
from pipelines.evidence.archive import Bundle
from pipelines.records import Position, StatedCount, StoredContribution, StoredPart, field_of

PARTS = pl.Schema(
    {
        "contribution": pl.Int64(),
        "audience": pl.String(),
        "namespace": pl.String(),
        "sketch": pl.Binary(),
        "erased_at": pl.Datetime("us", "UTC"),
    }
)
"""Columns of a product's file of sketches, a row for each part; `sketch` is null once erased."""


DETAILS = "details.json"
"""The file of each contribution's normalisation and numbers of events, which its digest covers beside the sketches."""


def file_of(version: StoredContribution) -> str:
    """The name of a bundle's file with the sketches of a contribution's product."""
    return f"sketches/{version.ref}.parquet"


def group_of(group: Mapping[str, Any], readings: Sequence[Mapping[str, Any]]) -> Group:
    """The group of a bundle: ownership, products and what was due of them, and readings; no key and no source.

    `group`: the content of group.json. `readings`: those of licence.json. Raises pydantic's `ValidationError` (a `ValueError`).
    """
    # An epoch needs a key, or the day on which its key was destroyed.
    keys = [epoch | {"destroyed": "2000-01-01"} for epoch in group["epochs"]]
    entities = [{**entity, "products": [_product(product) for product in entity["products"]]} for entity in group["entities"]]
    return Group.model_validate(
        {
            "settings": {
                "group": group["group"],
                "name": group["name"],
                "ultimate_parent": group["ultimate_parent"],
                "time_zone": group["time_zone"],
                **({"lg_k": group["lg_k"]} if "lg_k" in group else {}),
                "namespaces": group.get("namespaces", {}),  # Bundles of methods 1 and 2 have none.
                "keys": [{name: value for name, value in key.items() if value is not None} for key in keys],
            },
            "entities": {entity["entity"]: entity for entity in entities},
            "readings": Readings.model_validate({"readings": readings}),
        }
    )


def _product(product: Mapping[str, Any]) -> dict[str, Any]:
    """A product's manifest again. A source that nobody reads gives the zone of its days, since a product has none itself."""
    settings = {name: value for name, value in product.items() if name != "day_zone"}
    zone = product["day_zone"]
    if zone is None:
        return settings
    source = {"files": "{day}.parquet", "day_zone": zone, "identifiers": [{"namespace": "x", "column": "x"}]}
    return {**settings, "sources": [source]}


class BundleReader:
    """The contributions and stated counts of a bundle: a `ContributionReader`, with sketches in an expert bundle alone."""

    def __init__(self, opened: Bundle) -> None:
        inputs = opened.json("inputs.json")
        self._opened = opened
        self._folder = opened.folder
        self.versions = {row["id"]: StoredContribution(**_fields(row)) for row in inputs["contributions"]}
        """By the number that the contribution had in the store."""
        self._counts = [StatedCount(**{**row, "month": date.fromisoformat(row["month"])}) for row in inputs["given"]]

    def read_around(
        self, first: date, last: date, up_to: Position | None = None, next_epoch: bool = False
    ) -> list[StoredContribution]:
        """All contributions: a bundle is about one month, and holds what that month's figures rest on."""
        return sorted(self.versions.values(), key=lambda v: (v.ref, v.activity_date))

    def read_parts(self, ids: Sequence[int]) -> Iterator[tuple[int, StoredPart]]:
        """Each part of the contributions with these numbers, after its contribution's number, product by product.

        Raises `RefusedError` for a file that isn't as a bundle's has to be: it is read as safely as any stranger's.
        """
        details = {row["contribution"]: row["events"] for row in self._opened.json(DETAILS)["contributions"]}
        # One product's file in memory at a time.
        for name in dict.fromkeys(file_of(self.versions[number]) for number in ids):
            frame = untrusted_files.read(self._folder / name, PARTS, ("sketch", "erased_at"))
            wanted = frame.filter(pl.col("contribution").is_in(list(ids))).sort("contribution", "audience", "namespace")
            for number, audience, namespace, image, erased_at in wanted.iter_rows():
                events = details[number][f"{audience} {namespace}"]
                yield number, StoredPart(audience, namespace, _registers(name, image), erased_at, events)

    def stray_parts(self) -> Iterator[str]:
        """The files of sketches with a row of no contribution of their product, a sentence each: no figure has such a row."""
        by_file: dict[str, set[int]] = {}
        for number, version in self.versions.items():
            by_file.setdefault(file_of(version), set()).add(number)
        for name, numbers in sorted(by_file.items()):
            rows = untrusted_files.read(self._folder / name, PARTS, ("sketch", "erased_at"))
            if set(rows["contribution"]) - numbers:
                yield f"{name}: a row is of no contribution of the product"

    def read_events(self, ref: ProductRef, next_epoch: bool = False) -> Mapping[date, int]:
        """Nothing: events are compared for second contributions alone, which no month's figures rest on."""
        return {}

    def read_counts(self, first: date, last: date, up_to: Position | None = None) -> list[StatedCount]:
        """The counts and ceilings of the months whose first days lie from `first` to `last` (both included)."""
        return [count for count in self._counts if first <= count.month <= last]


def _registers(name: str, image: bytes | None) -> Registers | None:
    """A stored image's registers; null for an erased one. Raises `RefusedError` (BUNDLE_CHANGED) for what is no image."""
    try:
        return None if image is None else Registers.from_image(image)
    except BadImage as bad:
        raise refused(
            Code.BUNDLE_CHANGED, Path(name).name, "a sketch is no HLL image", str(bad), "ask for the bundle again"
        ) from None


def _fields(row: Mapping[str, Any]) -> dict[str, Any]:
    """A `StoredContribution`'s fields from its JSON, by column: `StoredContribution.to_dict` the other way round."""
    moments = {name: datetime.fromisoformat(row[name]) if row[name] else None for name in ("computed_at", "erased_at")}
    by_field = {field_of(column): value for column, value in row.items()}
    return {**by_field, **moments, "activity_date": date.fromisoformat(row["activity_date"])}
