"""Small group directories and events, as most tests begin with them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import yaml

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
KEY = "c0de" * 16
SECRET = "pass-word-4711"  # noqa: S105
"""A password that no message may show."""
Manifests = dict[str, Any]


def source(**changes: Any) -> Manifests:
    """A source with one e-mail column; a value of None leaves a key out."""
    manifest = {
        "files": "events.parquet", "time": "at", "complete_through": "2025-01-31",
        "identifiers": [{"column": "user", "namespace": "email"}], **changes,
    }  # fmt: skip
    return {k: v for k, v in manifest.items() if v is not None}


def product(name: str = "app", /, **changes: Any) -> Manifests:
    """A product's manifest from 1 January 2025, with one source."""
    manifest = {
        "product": name, "from": "2025-01-01", "settles_after": 3, "active": {"id": "seen", "meaning": "was seen"},
        "sources": [source()], **changes,
    }  # fmt: skip
    return {k: v for k, v in manifest.items() if v is not None}


def entity(name: str, products: list[Manifests], **changes: Any) -> Manifests:
    """An entity's manifest, all of it owned by the parent."""
    return {"entity": name, "owned_by": [{"owner": "parent", "share": 1}], "products": products, **changes}


ONE_EACH: Manifests = {name: {"identifiers_per_person": 1} for name in ("email", "phone", "device", "person")}
"""Of each namespace at most one identifier a person: then the largest namespace bounds the people from below."""


def write_group(
    directory: Path, entities: list[Manifests], files: Mapping[str, bytes | pl.DataFrame] | None = None, **settings: Any
) -> Path:
    """A group directory of these entities and files under one parent, of one identifier a person unless `settings` say else."""
    (directory / "affiliates").mkdir(parents=True, exist_ok=True)
    (directory / "group.key").write_text(KEY)
    (directory / "group.key").chmod(0o600)
    settings_ = {
        "group": "test", "ultimate_parent": "parent", "key": {"file": "group.key"}, "namespaces": ONE_EACH, **settings,
    }  # fmt: skip
    (directory / "group.yaml").write_text(yaml.safe_dump(settings_, sort_keys=False))
    for manifest in [{"entity": "parent"}, *entities]:
        (directory / "affiliates" / f"{manifest['entity']}.yaml").write_text(yaml.safe_dump(manifest, sort_keys=False))
    for name, content in (files or {}).items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, pl.DataFrame):
            content.write_parquet(path)
        else:
            path.write_bytes(content)
    return directory


def events(rows: Sequence[tuple[str, str | None]], **columns: list[Any]) -> pl.DataFrame:
    """Events of (time, user); times are ISO 8601 in UTC."""
    times = pl.Series("at", [t for t, _ in rows], pl.String).str.to_datetime(time_unit="us", time_zone="UTC")
    return pl.DataFrame({"at": times, "user": pl.Series([u for _, u in rows], dtype=pl.String), **columns})


ATTESTED: dict[str, Any] = {
    "attestations": [{
        "affiliate": "a", "by": "Head of Data of A", "on": "2025-04-05", "products_complete": True, "active": "opened the app",
        "exclusions": "none", "document": "letter of 5 April 2025", "sha256": "ab" * 32,
    }],
    "reconciliation": [{
        "product": "a/app", "published": 90, "unit": "people", "definition": "seen in the month", "on": "2025-04-20",
        "source": "quarterly report, page 3", "reason": "counts devices that were never joined",
    }],
}  # fmt: skip


PLANTED = "planted.person@example.com"
