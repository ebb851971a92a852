"""Sketches as the store keeps them: each once, by the digest of its registers, with its estimate."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import sqlalchemy as sa
import zstandard

from affiliates.concurrency import ordered
from affiliates.contributions.contract import Contribution
from affiliates.errors import Code, refused
from affiliates.sketches.image import BadImage
from affiliates.sketches.registers import Registers
from pipelines.records import StoredPart
from pipelines.store import schema

_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


class PackedSketch(NamedTuple):
    """A sketch as it is stored, and its estimate."""

    lg_k: int
    image: bytes
    estimate: int


def pack(
    contributions: Sequence[Contribution], known: Mapping[str, PackedSketch] = MappingProxyType({})
) -> dict[str, PackedSketch]:
    """By digest, the sketches of contributions, but for those that are known."""
    registers = {p.registers.digest(): p.registers for c in contributions for p in c.parts}
    new = [digest for digest in registers if digest not in known]
    return dict(zip(new, ordered(lambda digest: _packed(registers[digest]), new), strict=True))


def append(connection: sa.Connection, sketches: Mapping[str, PackedSketch]) -> None:
    """Store those that aren't there yet, or aren't there any more."""
    s = schema.sketches
    digests = list(sketches)
    for some in schema.chunks(digests):
        known = set(connection.scalars(sa.select(s.c.digest).where(s.c.digest.in_(some))))
        gone = connection.scalars(sa.select(s.c.digest).where(s.c.digest.in_(some), s.c.image.is_(None))).all()
        for digest in gone:  # `erased_at` stays: for contributions from before it, the sketch is erased still.
            connection.execute(s.update().where(s.c.digest == digest).values(image=sketches[digest].image))
        rows = [{"digest": d, "lg_k": sketches[d].lg_k, "image": sketches[d].image} for d in some if d not in known]
        if rows:
            connection.execute(s.insert(), rows)


def stored_part(row: tuple[Any, ...]) -> tuple[int, StoredPart]:
    """A contribution's number and its part, from contribution, audience, namespace, digest, image and when that was erased.

    Raises `RefusedError` where the image isn't what its digest says.
    """
    contribution_id, audience, namespace, digest, image, erased_at = row
    registers = None if image is None else _read(image, digest)
    return contribution_id, StoredPart(audience, namespace, registers, erased_at)


def _packed(registers: Registers) -> PackedSketch:
    """The image, or its zstd frame where that is shorter; the first byte tells which."""
    image = registers.to_image()
    shorter = zstandard.ZstdCompressor(level=3).compress(image) if len(image) > 1024 else image
    return PackedSketch(registers.lg_k, min(image, shorter, key=len), round(registers.bounds().estimate))


def _read(stored: bytes, digest: str) -> Registers:
    try:
        image = zstandard.ZstdDecompressor().decompress(stored) if stored[:4] == _ZSTD_MAGIC else stored
        registers = Registers.from_image(image)
    except (BadImage, zstandard.ZstdError):
        registers = None
    if registers is None or registers.digest() != digest:
        raise refused(
            Code.STORE_DAMAGED,
            "the store",
            "a sketch isn't what its digest says",
            f"sketch {digest[:12]}",
            "restore the store from its backup",
        )
    return registers
