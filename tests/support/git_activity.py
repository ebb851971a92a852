"""The real events of ../shared/data/git-activity as a group directory."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from affiliates.identity.keys import read_key
from affiliates.manifests.settings import KeySource
from tests.support.crosswalks import from_people
from tests.support.paths import SHARED as SHARED_DATA

SHARED = SHARED_DATA / "data" / "git-activity"
COMPLETE_THROUGH = date(2026, 8, 21)
"""The data ends within the next day."""
SETTLES_AFTER = 250
"""As in demo/git-activity: what the events ask for, with a month to spare (tests/by_arrival.md)."""


def truth(kind: str) -> dict[str, Any]:
    """True counts by level, name and month; `kind` is `user` or `person`."""
    levels = json.loads((SHARED / "truth.json").read_text())["commit_nobot"]
    return {
        level: {name: {m: n[kind] for m, n in months.items()} for name, months in levels[level].items()}
        for level in ("product", "affiliate", "group")
    }


def write_group(directory: Path, with_crosswalk: bool, events: Path = SHARED / "events.parquet", lg_k: int = 21) -> Path:
    """Make a group directory over the events: six affiliates, 39 products, one namespace."""
    (directory / "affiliates").mkdir(parents=True)
    (directory / "group.key").write_text("5e" * 32)
    settings = {
        "group": "git-activity", "ultimate_parent": "holding", "lg_k": lg_k,
        "key": {"file": "group.key"}, **({"crosswalk": "crosswalk.parquet"} if with_crosswalk else {}),
    }  # fmt: skip
    (directory / "group.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    (directory / "affiliates" / "holding.yaml").write_text("entity: holding\n")
    lives = (
        pl.scan_parquet(events)
        .group_by("affiliate", "product")
        .agg(first=pl.col("event_time").min().dt.date())
        .sort("affiliate", "product")
        .collect()
    )
    for (affiliate,), products in lives.group_by("affiliate", maintain_order=True):
        manifest = {
            "entity": affiliate,
            "owned_by": [{"owner": "holding", "share": 1.0}],
            "products": [
                {
                    "product": product, "from": first, "settles_after": SETTLES_AFTER, "unidentified_limit": 1.0,
                    "active": {"id": "commit", "meaning": "wrote a commit, bots aside"},
                    "sources": [{
                        "files": str(events), "time": "event_time", "complete_through": COMPLETE_THROUGH,
                        "identifiers": [{"column": "user_id", "namespace": "author"}],
                        "counts_when": f"affiliate = '{affiliate}' and product = '{product}' and event_type = 'commit'",
                        "automated_when": "is_bot",
                    }],
                }
                for product, first in products.select("product", "first").iter_rows()
            ],
        }  # fmt: skip
        (directory / "affiliates" / f"{affiliate}.yaml").write_text(yaml.safe_dump(manifest, sort_keys=False))
    if with_crosswalk:
        links = pl.read_parquet(SHARED / "crosswalk.parquet").select(identifier="user_id", person="person_id")
        table = from_people(links, "author", read_key(KeySource(file="group.key"), directory))
        table.write_parquet(directory / "crosswalk.parquet")
    return directory
