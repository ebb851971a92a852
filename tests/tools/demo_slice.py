"""Makes the demo's data from ../shared/data/git-activity: `python -m tests.tools.demo_slice`.

Ids are hashed again under a secret that is thrown away, times are cut to the day, and only who was
active on which day in which product is kept: the slice can't be joined to its source any more.
"""

import hashlib
import hmac
import secrets
from datetime import date

import polars as pl

from affiliates.crosswalks.statements import Statement
from affiliates.identity.keys import read_key
from affiliates.manifests.settings import KeySource
from tests.support.crosswalks import from_people
from tests.support.git_activity import COMPLETE_THROUGH, SHARED
from tests.support.paths import ROOT

DEMO = ROOT / "demo" / "git-activity"
FIRST = date(2023, 6, 1)


def main() -> None:
    secret = secrets.token_bytes(32)

    def again(identifier: str) -> str:
        return hmac.new(secret, identifier.encode(), hashlib.sha256).hexdigest()[:12]

    day = pl.col("event_time").dt.date()
    events = (
        pl.read_parquet(SHARED / "events.parquet")
        .filter(day.is_between(FIRST, COMPLETE_THROUGH))
        .select("product", user="user_id", day=day, bot="is_bot")
        .unique()
        .with_columns(pl.col("user").map_elements(again, pl.String))
        .sort("product", "day", "user")
    )
    events.write_parquet(DEMO / "events.parquet", compression="zstd", compression_level=19)
    links = pl.read_parquet(SHARED / "crosswalk.parquet").select(
        identifier=pl.col("user_id").map_elements(again, pl.String), person=pl.col("person_id").map_elements(again, pl.String)
    )
    known = links.filter(pl.col("identifier").is_in(events["user"].unique().implode()))
    key = read_key(KeySource(file="group.key"), DEMO)
    said = Statement(key_fingerprint=key.fingerprint).metadata()
    path = DEMO / "crosswalk.parquet"
    from_people(known, "author", key).write_parquet(path, compression="zstd", compression_level=19, metadata=said)
    lives = events.group_by("product").agg(pl.col("day").min()).sort("product")
    print(events.height, "rows;", known.height, "linked identifiers")
    print(lives.filter(pl.col("day") > date(2023, 7, 15)))


if __name__ == "__main__":
    main()
