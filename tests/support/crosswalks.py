"""Snapshots of crosswalks for tests, from identifiers that are at hand."""

import polars as pl

from affiliates.crosswalks.snapshot import from_keys
from affiliates.identity.keys import PERSON, GroupKey, person_key
from affiliates.identity.normalisation import normalise


def from_people(links: pl.DataFrame, namespace: str, key: GroupKey) -> pl.DataFrame:
    """A snapshot's table from one of `identifier` and `person`; a person's key is that of its name in the namespace `person`.

    Identifiers that are one when normalised must belong to one person.
    """
    keyed = links.select(
        key=person_key(normalise(pl.col("identifier"), namespace), namespace, key),
        person_key=person_key(pl.col("person"), PERSON, key),
    )
    pairs = keyed.drop_nulls().unique()
    return from_keys(pairs["key"].to_numpy(), pairs["person_key"].to_numpy()).text()
