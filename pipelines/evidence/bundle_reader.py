"""What a bundle of evidence holds of contributions, so that counting can ask it as it asks a store. Without a database."""

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
"""Columns of a product's file of sketches: null once erased."""


DETAILS = "details.json"
"""Beside the sketches: each contribution's normalisation and numbers of events, by which its digest is made again."""


def file_of(version: StoredContribution) -> str:
    """The file of a bundle that holds a contribution's sketches."""
    return f"sketches/{version.ref}.parquet"


def group_of(told: Mapping[str, Any], read: Sequence[Mapping[str, Any]]) -> Group:
    """The group as a bundle tells it: ownership, products and what was due of them, readings; no key and no source."""
    keys = [e | {"destroyed": "2000-01-01"} for e in told["epochs"]]
    entities = [{**e, "products": [_product(p) for p in e["products"]]} for e in told["entities"]]
    return Group.model_validate(
        {
            "settings": {
                "group": told["group"],
                "name": told["name"],
                "ultimate_parent": told["ultimate_parent"],
                "time_zone": told["time_zone"],
                "keys": [{k: v for k, v in e.items() if v is not None} for e in keys],
            },
            "entities": {e["entity"]: e for e in entities},
            "readings": Readings.model_validate({"readings": read}),
        }
    )


def _product(told: Mapping[str, Any]) -> dict[str, Any]:
    """With a source that is only there for the zone of its days."""
    said = {name: value for name, value in told.items() if name != "day_zone"}
    if told["day_zone"] is None:
        return said
    return {
        **said,
        "sources": [{"files": "{day}.parquet", "day_zone": told["day_zone"], "identifiers": [{"namespace": "x", "column": "x"}]}],
    }


class BundleReader:
    """The contributions of an expert bundle."""

    def __init__(self, opened: Bundle) -> None:
        told = opened.json("inputs.json")
        self._folder = opened.folder
        self.versions = {v["id"]: StoredContribution(**_moments(v)) for v in told["contributions"]}
        self._given = [StatedCount(**{**g, "month": date.fromisoformat(g["month"])}) for g in told["given"]]

    def read_around(
        self, first: date, last: date, up_to: Position | None = None, next_epoch: bool = False
    ) -> list[StoredContribution]:
        """All of them: a bundle is of one month, and holds what its figures rest on."""
        return sorted(self.versions.values(), key=lambda v: (v.ref, v.activity_date))

    def read_parts(self, ids: Sequence[int]) -> Iterator[tuple[int, StoredPart]]:
        """The sketches of contributions, read as safely as a stranger's."""
        for name in dict.fromkeys(file_of(self.versions[n]) for n in ids):
            frame = untrusted_files.read(self._folder / name, PARTS, ("sketch", "erased_at"))
            wanted = frame.filter(pl.col("contribution").is_in(list(ids))).sort("contribution", "audience", "namespace")
            for number, audience, namespace, image, erased_at in wanted.iter_rows():
                yield number, StoredPart(audience, namespace, _registers(name, image), erased_at)

    def read_events(self, ref: ProductRef, next_epoch: bool = False) -> Mapping[date, int]:
        """None: a month takes no second contributions."""
        return {}

    def read_counts(self, first: date, last: date, up_to: Position | None = None) -> list[StatedCount]:
        return [g for g in self._given if first <= g.month <= last]


def _registers(name: str, image: bytes | None) -> Registers | None:
    try:
        return None if image is None else Registers.from_image(image)
    except BadImage as bad:
        raise refused(
            Code.BUNDLE_CHANGED, Path(name).name, "a sketch is no HLL image", str(bad), "ask for the bundle again"
        ) from None


def _moments(told: Mapping[str, Any]) -> dict[str, Any]:
    at = {name: datetime.fromisoformat(told[name]) if told[name] else None for name in ("computed_at", "erased_at")}
    by_field = {field_of(column): value for column, value in told.items()}
    return {**by_field, **at, "activity_date": date.fromisoformat(told["activity_date"])}
