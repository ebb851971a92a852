"""A change of the group key: which days before it are contributed under both keys, and by which month's. Pure.

Keys of two epochs are different people. A trailing window that ends after the change reaches back over it, so it can only be
counted if its earlier days are there under the newer key as well. A month's figures rest on its own epoch's alone.
"""

from datetime import date

from affiliates.manifests.settings import KeySource, Settings
from affiliates.periods import month_of

REACH = 29
"""Days before the first of a new epoch that a window of 30 days can hold."""


def coming(settings: Settings, day: date) -> KeySource | None:
    """The next epoch, if it begins so soon that a day is contributed under its key, too."""
    after = settings.epochs.index(settings.epoch_of(month_of(day))) + 1
    found = settings.epochs[after] if after < len(settings.epochs) else None
    return found if found and found.from_ and (found.from_ - day).days <= REACH else None


def key_month(settings: Settings, grain: str, day: date, epoch: str) -> date:
    """The month by whose key and crosswalk a contribution is made that names an epoch: the coming one's first, for a day's
    second contribution, or else its own."""
    found = coming(settings, day) if grain == "day" else None
    return found.from_ if found and found.from_ and found.epoch == epoch else month_of(day)


def is_next_epoch(settings: Settings, grain: str, day: date, epoch: str) -> bool:
    """Whether it is a day's second contribution, under the coming epoch's key."""
    return key_month(settings, grain, day, epoch) != month_of(day)
