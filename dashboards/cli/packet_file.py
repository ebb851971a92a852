"""A packet's file: a zip of `packet.json` and of the crosswalk's snapshots, written at headquarters and read at an affiliate."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import polars as pl

from affiliates.concurrency import atomic_write
from affiliates.contributions import parquet_limits
from affiliates.contributions.contract import PROTOCOL
from affiliates.crosswalks import snapshot, snapshot_files
from affiliates.crosswalks.snapshot import Crosswalk
from affiliates.crosswalks.statements import Expected
from affiliates.errors import Code, RefusedError, did_you_mean, refused
from affiliates.identity.keyring import Keyring
from affiliates.identity.normalisation import NORMALISATION
from affiliates.manifests.group import Group
from affiliates.manifests.packet import Packet, PacketKey, PacketProduct, PacketSnapshot, namespaces_of, spellings_of
from affiliates.manifests.settings import Settings

_LIST = "packet.json"
_MOST_LIST = 1 << 20
"""Bytes of the list at most: a group of a thousand products has half of that."""
_BYTES_OF_A_KEY = 128
"""Unpacked, at most: 16 characters of the key and of its person with their lengths, plainly and once more in a dictionary."""
_BYTES_BESIDE = 1 << 16
"""Unpacked bytes of a snapshot without keys, at most."""


def make(
    directory: Path, group: Group, affiliate: str, months: Sequence[date], send_to: str, today: date
) -> tuple[Packet, dict[str, Crosswalk]]:
    """The packet of an affiliate, and its snapshots by their file's name.

    `months`: whose snapshots go with it; none for the newest that is there. Raises `RefusedError` for an unknown affiliate, one
    without products, a missing key and a missing snapshot.
    """
    entity = group.entities.get(affiliate)
    if entity is None or not entity.products:
        raise refused(
            Code.PRODUCT_UNKNOWN,
            affiliate,
            "no affiliate with products",
            did_you_mean(affiliate, [name for name, other in group.entities.items() if other.products]),
            "name an entity of affiliates/, and write its products there: `product`, `from`, `active`, `namespaces`",
        )
    settings = group.settings
    snapshots = {
        PacketSnapshot(month=month, digest=crosswalk.digest, keys=crosswalk.table.height): crosswalk
        for month, crosswalk in _snapshots(settings, directory, months)
    }
    monthly = "monthly" if "{month}" in (settings.crosswalk or "") else "one"
    packet = Packet(
        protocol=PROTOCOL,
        normalisation=NORMALISATION,
        made_on=today,
        group=settings.group,
        name=settings.name,
        ultimate_parent=settings.ultimate_parent,
        time_zone=settings.time_zone,
        lg_k=settings.lg_k,
        largest_person=settings.largest_person,
        forms=settings.forms,
        names_nobody=settings.names_nobody,
        spellings=spellings_of(settings.namespaces),
        keys=_keys(settings, directory),
        crosswalk=monthly if settings.crosswalk else "none",
        snapshots=tuple(snapshots),
        namespaces=namespaces_of(group),
        affiliate=entity.entity,
        affiliate_name=entity.name,
        signed=bool(entity.public_keys),
        products=tuple(map(PacketProduct.of, entity.products)),
        send_to=send_to,
    )
    return packet, {described.file: crosswalk for described, crosswalk in snapshots.items()}


def _keys(settings: Settings, directory: Path) -> tuple[PacketKey, ...]:
    keyring = Keyring(settings, directory)
    return tuple(
        PacketKey(
            epoch=source.epoch,
            from_=source.from_,
            fingerprint=keyring.fingerprint(source.from_ or date.min),
            destroyed=source.destroyed,
        )
        for source in settings.epochs
    )


def _snapshots(settings: Settings, directory: Path, months: Sequence[date]) -> list[tuple[date | None, Crosswalk]]:
    """The snapshots that go with a packet, checked as whoever counts by them checks them."""
    pattern = settings.crosswalk
    if pattern is None:
        return []
    keys = Keyring(settings, directory)
    monthly = "{month}" in pattern
    newest = sorted(snapshot_files.by_month(pattern, directory))[-1:] if monthly else [date.min]
    return [
        (
            month if monthly else None,
            snapshot.read(snapshot.file_of(pattern, month), directory, Expected.of(settings, keys, month)),
        )
        for month in dict.fromkeys((months or newest) if monthly else newest)
    ]


def write(path: Path, packet: Packet, snapshots: Mapping[str, Crosswalk]) -> None:
    """Write a packet in one step, readable by its owner alone: the snapshots' keys stand for people. Raises `OSError`."""
    with atomic_write(path, mode=0o600) as unfinished, zipfile.ZipFile(unfinished, "w") as file:
        # Versions that are older than the key can't read it: it is written where a group says something else alone.
        usual = {"largest_person"} if packet.largest_person == Packet.model_fields["largest_person"].default else set[str]()
        file.writestr(_LIST, packet.model_dump_json(by_alias=True, indent=2, exclude=usual) + "\n")
        for name, crosswalk in snapshots.items():
            file.writestr(name, snapshot.table_bytes(crosswalk))


def _snapshot(content: bytes, listed: PacketSnapshot) -> Crosswalk:
    """A snapshot in a packet. Raises `ValueError` where it has other rows than listed, `RefusedError` where it claims to unpack
    to more than so many keys take: a few bytes may stand for billions.
    """
    # Keys differ in bytes that nothing shrinks: no row takes less than a byte, however many are listed.
    keys = min(listed.keys, len(content))
    unpacked = _BYTES_BESIDE + _BYTES_OF_A_KEY * keys
    limits = parquet_limits.Limits(keys, unpacked, min(unpacked, parquet_limits.MOST_PAGE))
    parquet_limits.check_bytes(content, listed.file, snapshot.COLUMNS, limits)
    if pl.scan_parquet(io.BytesIO(content)).select(pl.len()).collect().item() != listed.keys:
        raise ValueError
    return snapshot.from_bytes(content, listed.file)


def read(path: Path) -> tuple[Packet, dict[str, Crosswalk]]:
    """A packet and its snapshots by their file's name. Raises `RefusedError` where it can't be read, or isn't whole."""
    unusable = refused(
        Code.PACKET_UNUSABLE,
        path.name,
        "is no whole packet that this version reads",
        "",
        "ask headquarters for it again: mauwatch packet AFFILIATE -o FILE",
    )
    try:
        # A device has no end, and a pipe would be waited for.
        if path.exists() and not path.is_file():
            raise unusable
        with zipfile.ZipFile(path) as file:
            infos = file.infolist()
            # As `write` writes: nothing is packed (so nothing is larger than the file) or encrypted, and each name is there once.
            if any(info.compress_type or info.flag_bits & 1 for info in infos) or file.getinfo(_LIST).file_size > _MOST_LIST:
                raise unusable
            packet = Packet.model_validate_json(file.read(_LIST))
            names = sorted(info.filename for info in infos)
            if names != sorted([_LIST, *(one.file for one in packet.snapshots)]):
                raise unusable
            snapshots = {one.file: _snapshot(file.read(one.file), one) for one in packet.snapshots}
    # A file that was cut off or changed fails as a zip, as JSON, as the wanted shape (`ValueError`) or as Parquet.
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError, NotImplementedError, pl.exceptions.PolarsError, RefusedError):
        raise unusable from None
    if any(snapshots[one.file].digest != one.digest for one in packet.snapshots):
        raise unusable
    if (packet.protocol, packet.normalisation) != (PROTOCOL, NORMALISATION):
        raise refused(
            Code.PACKET_UNUSABLE,
            path.name,
            "headquarters counts by another version",
            f"{packet.protocol} and {packet.normalisation}; here {PROTOCOL} and {NORMALISATION}",
            "install the version that headquarters has",
        )
    return packet, snapshots
