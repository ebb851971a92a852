"""A change of the group key: which days before it are contributed under both keys, and by which month's. Pure.

Keys of two epochs are different people. A trailing window that ends after the change reaches back over it, so it can only be
counted if its earlier days are there under the newer key as well. A month's figures rest on its own epoch's key alone.
"""

from datetime import date

from affiliates.manifests.settings import KeySource, Settings
from affiliates.periods import month_of

REACH = 29
"""Days before the first day of a new epoch that a window of 30 days can hold: the window that ends on that first day."""


def next_epoch(settings: Settings, day: date) -> KeySource | None:
    """The next epoch, if it begins within `REACH` days: then the day is contributed under its key, too. Else None."""
    epochs = settings.epochs
    if len(epochs) < 2:
        return None
    following = epochs.index(settings.epoch_of(month_of(day))) + 1
    if following == len(epochs):
        return None
    epoch = epochs[following]
    return epoch if epoch.from_ and (epoch.from_ - day).days <= REACH else None


def key_month(settings: Settings, grain: str, day: date, epoch: str) -> date:
    """The month by whose key and crosswalk a contribution of `day` is made, if it names `epoch`.

    For a day's second contribution, under the next epoch's key, that is the next epoch's first month; else the day's own.
    """
    # A month's contribution is made once: no window of days rests on it.
    following = next_epoch(settings, day) if grain == "day" else None
    return following.from_ if following and following.from_ and following.epoch == epoch else month_of(day)


def is_next_epoch(settings: Settings, grain: str, day: date, epoch: str) -> bool:
    """Whether a contribution of `day` that names `epoch` is the day's second one, under the next epoch's key."""
    return key_month(settings, grain, day, epoch) != month_of(day)
