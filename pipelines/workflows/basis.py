"""What a run of a group rests on, for `unchanged`: its places, the variables it reads, and until when time changes nothing."""

import glob
import zoneinfo
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import product as pairs
from pathlib import Path

from affiliates.crosswalks.statements import BESIDE
from affiliates.errors import RefusedError
from affiliates.manifests.group import Group
from affiliates.periods import DAY, LATEST, local_day, midnight
from affiliates.sources import places
from affiliates.sources.places import Places
from pipelines.alerts import delivery
from pipelines.ingestion.clock_check import LONGEST_PAUSE
from pipelines.ingestion.quarantine import QUARANTINE
from pipelines.store import engine, mark, moments
from pipelines.workflows.unchanged import Look, RunBasis
from pipelines.workspace import Workspace


def of_run(look: Look, group: Group) -> RunBasis | None:
    """What a run rests on, as it is before the run; null where a change might not show."""
    where = places_of(look.directory, group)
    beat = group.alerting.heartbeat
    return None if where is None else RunBasis(look, where, variables(group), beat.model_dump(mode="json") if beat else None)


def places_of(directory: Path, group: Group) -> Places | None:
    """The files and folders that a run reads beside manifests; null where a source or the store isn't made of files here.

    So where a folder can't be listed, or the store's URL isn't one: the run itself says so.
    """
    with suppress(OSError, RefusedError):
        return _places_of(directory, group)
    return None


def _places_of(directory: Path, group: Group) -> Places | None:
    settings = group.settings
    store = engine.files_of(settings.store, directory)
    sources = [
        places.of_source(source, directory)
        for product in group.products.values()
        if not product.handed_in
        for source in product.sources
    ]
    known = [source for source in sources if source is not None]
    if not store or len(known) < len(sources):
        return None
    keys = [directory / path for epoch in settings.epochs for path in (epoch.file, epoch.canaries) if path is not None]
    zones = [Path(folder, zone) for folder, zone in pairs(zoneinfo.TZPATH, _zones(group))]
    files = [*store, directory / mark.MARK, *keys, *zones]
    snapshots = _snapshots(directory, settings.crosswalk) if settings.crosswalk else []
    beside = [f"{path}{BESIDE}" for path in snapshots]
    quarantined = [directory / QUARANTINE, *(directory / QUARANTINE).glob("*/")]
    others = Places((*map(str, files), *snapshots, *beside), tuple(map(str, quarantined)))
    return places.together([*known, others])


def variables(group: Group) -> list[str]:
    """The names of the environment's variables that a run reads."""
    return [epoch.env for epoch in group.settings.epochs if epoch.env is not None]


def until(workspace: Workspace) -> datetime:
    """The first moment from which on time alone may change what a quiet run of the workspace's moment says.

    Days begin then in a zone of the group, late events are due (`settles_after`), an escalation is, or the clock is doubted.
    """
    now, group = workspace.now, workspace.group
    settling = {0, *(product.settles_after for product in group.products.values())}
    ends = [LATEST]
    for zone, days in pairs(_zones(group), settling):
        # Summer time begins and ends between a day's end and the moment so many times 24 hours later: each is looked at.
        around = [local_day(now - DAY * days, zone) + DAY * number for number in range(-1, 4)]
        ends += [midnight(day, zone, again) + timedelta(days) for day in around for again in (False, True)]
    store = workspace.store_if_any()
    if store is not None:
        written = moments.last_written(store)
        silent = delivery.silent_until(store, group, now)
        ends += [moment for moment in (written and written + LONGEST_PAUSE, silent) if moment is not None]
        if silent is not None and silent <= now:
            return now
    return min(end for end in ends if end > now)


def _zones(group: Group) -> Sequence[str]:
    """The zones whose days a run asks for."""
    own = (product.day_zone for product in group.products.values())
    return sorted({"UTC", group.settings.time_zone, *(zone for zone in own if zone is not None)})


def _snapshots(directory: Path, pattern: str) -> list[str]:
    """The files of a crosswalk, by the setting of group.yaml: of all months that have one."""
    whole = str(directory / pattern)
    return sorted(glob.glob(glob.escape(whole).replace("{month}", "*"), include_hidden=True)) if "{month}" in whole else [whole]
