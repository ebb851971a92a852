"""What `mauwatch doctor` looks at: this machine, the group's settings, and a first look at each source."""

import platform
import shutil
import stat
from collections.abc import Iterator
from datetime import date, datetime
from importlib.metadata import version
from pathlib import Path

from affiliates.aggregation import activity, availability, contribute, ready_keys, statement_check
from affiliates.crosswalks.snapshot import Snapshots
from affiliates.errors import RefusedError, refused_if_unforeseen
from affiliates.identity.keyring import Keyring
from affiliates.identity.spellings import Spellings
from affiliates.manifests.group import Group, lonely_namespaces
from affiliates.manifests.product import Product, ProductRef
from affiliates.periods import clock_fault, local_day, month_before
from affiliates.sketches import registers
from affiliates.sources import resolve

Examined = tuple[str, bool, str]
"""What was looked at, whether it is fine, and what was found."""

_LIBRARIES = ("polars", "polars-hash", "datasketches", "numba")
_LEAST_FREE = 1 << 30


def examine(directory: Path, group: Group, now: datetime) -> Iterator[Examined]:
    """Every check, one after the other; none of them changes anything.

    On an affiliate's machine, which has the core alone, what only the centre has isn't looked at.
    """
    libraries = [*_LIBRARIES, *([] if group.is_an_affiliates else ["sqlalchemy"])]
    yield "machine", True, f"Python {platform.python_version()}, {', '.join(f'{n} {version(n)}' for n in libraries)}"
    # Another build of numba or NumPy could raise registers wrongly, and every figure would be wrong in silence.
    agree = registers.agrees_with_datasketches()
    yield (
        "sketches",
        agree,
        "registers equal Apache DataSketches'" if agree else "registers differ from Apache DataSketches': don't count here",
    )
    if fault := clock_fault(now):
        yield "clock", False, fault
    # A full disk in the middle of a run is the failure that operators meet first.
    free = shutil.disk_usage(directory).free
    yield "disk", free > _LEAST_FREE, f"{free / (1 << 30):,.0f} GiB free"
    yield from _key(directory, group)
    yield from _open_to_others(directory, group)
    if group.is_an_affiliates:
        yield from _crosswalk(directory, group, now)
    else:
        from dashboards.cli import doctor_centre

        yield from doctor_centre.store(directory, group, now)
        yield from _crosswalk(directory, group, now)
        yield from doctor_centre.licences(directory, group, now)
        yield from doctor_centre.alert_channels(directory, group)
    spellings = Spellings()
    for ref, product in group.products.items():
        try:
            with refused_if_unforeseen(str(ref)):
                examined = _product(directory, group, ref, product, spellings, now)
        except RefusedError as error:
            examined = str(ref), False, str(error)
        yield examined
    for text in [*lonely_namespaces(group), *spellings.findings()]:
        yield "identifiers", False, text


def _key(directory: Path, group: Group) -> Iterator[Examined]:
    keys = Keyring(group.settings, directory)
    for source in group.settings.epochs:
        month = source.from_ or date.min
        try:
            fingerprint = keys.fingerprint(month)
        except RefusedError as error:
            yield "group key", False, str(error)
            continue
        text = f"fingerprint {fingerprint}" if fingerprint else f"destroyed on {source.destroyed}"
        yield "group key", True, f"epoch {source.epoch}, {text}{', kept by a trustee' if source.canaries else ''}"
        if source.file:
            mode = stat.S_IMODE((directory / source.file).stat().st_mode)
            if mode & (stat.S_IRWXG | stat.S_IRWXO):
                yield "group key", False, f"others may read its file (mode {mode:o}): chmod 600 {source.file}"


def _open_to_others(directory: Path, group: Group) -> Iterator[Examined]:
    """What others of this machine may read or change, and shouldn't: the state, the store, and secrets beside group keys.

    All of it is made for its owner alone; older ones, and those that somebody else has made, stay as they are.
    """
    settings = group.settings
    heartbeat = group.alerting.heartbeat
    secrets: list[str | None] = [settings.evidence_key, heartbeat.url_file if heartbeat else None]
    secrets += [channel.url_file for channel in group.alerting.channels]
    secrets += [s.database.file for product in group.products.values() for s in product.sources if s.database]
    store = settings.store.partition("sqlite:///")[2]
    for place in dict.fromkeys([".mauwatch", *([store, f"{store}-wal", f"{store}-shm"] if store else []), *secrets]):
        path = directory / place if place else None
        if path is None or not path.exists():
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            right = "700" if path.is_dir() else "600"
            yield "files", False, f"others may read or change {place} (mode {mode:o}): chmod {right} {place}"


def _crosswalk(directory: Path, group: Group, now: datetime) -> Iterator[Examined]:
    month = month_before(local_day(now, group.settings.time_zone))
    try:
        snapshots = Snapshots(group.settings, directory, Keyring(group.settings, directory))
        crosswalk = snapshots(month)
    except RefusedError as error:
        yield "crosswalk", False, str(error)
        return
    if crosswalk is None:
        yield "crosswalk", True, "none: identifiers of one person aren't joined"
        return
    people = crosswalk.table["person_key"].n_unique()
    unsaid = "".join(f"; {text}" for text in snapshots.unsaid.values())
    yield "crosswalk", True, f"{crosswalk.table.height:,} keys of {people:,} people, digest {crosswalk.digest[:12]}{unsaid}"


def _warehouse_text(product: Product) -> str:
    tables = ", ".join(source.table for source in product.sources if source.table)
    return (
        f"counted where table {tables} lies: mauwatch contribute --print-sql ENGINE"
        if tables
        else "no sources yet: add `sources`"
    )


def _product(directory: Path, group: Group, ref: ProductRef, product: Product, spellings: Spellings, now: datetime) -> Examined:
    """A first look at a product's sources by the checks that a run makes; a run looks at all of its events."""
    name = str(ref)
    if product.handed_in and group.is_an_affiliates:
        return name, True, _warehouse_text(product)
    if product.handed_in:
        given = len(product.counts) + len(product.ceilings)
        return name, True, f"no sources here; {given} counts and ceilings in its manifest"
    sentences = []
    zone = group.settings.time_zone
    sources = resolve.find(name, product, directory, zone)
    availability.check_complete_through(sources, product.day_zone or zone, now)
    for source in sources:
        if source.source.person_keys:
            look = ready_keys.sample(source)
        else:
            look = activity.sample(source, zone, group.settings, spellings, now)
        statement_check.check(source, zone, group.settings)
        sentences.append(source.summary())
        sentences.append(f"of the first {look.counting:,} events that count {look.unidentified:,} name no user")
        if not look.empty and not look.counting:
            return name, False, f"{sentences[-2]}; no event of the newest counts: see to counts_when"
        if look.counting and look.automated == look.counting:
            return name, False, f"{sentences[-2]}; all events of the newest are automated users': see to automated_when"
        # Of a sample, a share that a run lets pass as small is worth a look.
        if look.unidentified > product.unidentified_limit * look.counting:
            return name, False, "; ".join(sentences)
        contribute.check_shares(name, product, look.counting - look.unidentified, look.unidentified, look.left_out)
    return name, True, "; ".join(sentences)
