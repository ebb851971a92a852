"""A first look at whether a source's newest events contradict what group.yaml says of identifiers per person."""

from datetime import date

import numpy as np
import polars as pl

from affiliates.aggregation.event_columns import event_columns
from affiliates.aggregation.per_person import PerPersonSample
from affiliates.manifests.settings import Settings
from affiliates.periods import DAY
from affiliates.sources.protocol import EventSource

_EPOCH = date(1970, 1, 1)
"""polars counts days from here."""


def check(event_source: EventSource, zone: str, settings: Settings, rows: int = 10_000) -> None:
    """Refuse a statement on identifiers per person that the newest `rows` events contradict; without keys and crosswalk.

    Raises `RefusedError` (NAMESPACE_CONTRADICTED), and for a file, a column or a condition that is wrong.
    """
    identifiers = event_source.source.identifiers
    if event_source.source.person_keys or not PerPersonSample(identifiers, settings, None, _EPOCH).is_needed:
        return
    names = [f"identifier_{number}" for number in range(len(identifiers))]
    events = event_columns(event_source, event_source.newest(rows), (), zone).filter("counts", pl.col("day").is_not_null())
    with event_source.reading():
        newest = events.head(rows).select("day", *names).collect()
    if newest.is_empty():
        return
    days = newest["day"].cast(pl.Int32).to_numpy()
    first = int(days.min())
    per_person = PerPersonSample(identifiers, settings, None, _EPOCH + DAY * first)
    nobody = np.zeros(len(days), np.uint8)
    per_person.add([newest[name] for name in names], nobody.astype(np.uint64), nobody, days - np.int32(first))
    per_person.check(event_source.subject)
