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
    """A sketch as the store keeps it."""

    lg_k: int
    image: bytes
    """DataSketches image, or its zstd frame where that is shorter."""
    estimate: int
    """Users."""


def pack(
    contributions: Sequence[Contribution], known: Mapping[str, PackedSketch] = MappingProxyType({})
) -> dict[str, PackedSketch]:
    """The sketches of contributions by digest, but for those in `known`; packed by several threads."""
    registers = {part.registers.digest(): part.registers for contribution in contributions for part in contribution.parts}
    new = [digest for digest in registers if digest not in known]
    return dict(zip(new, ordered(lambda digest: _packed(registers[digest]), new), strict=True))


def append(connection: sa.Connection, sketches: Mapping[str, PackedSketch]) -> None:
    """Store the sketches that aren't there yet, and the images that were erased since."""
    sketch_table = schema.sketches
    digests = list(sketches)
    for chunk in schema.chunks(digests):
        known = set(connection.scalars(sa.select(sketch_table.c.digest).where(sketch_table.c.digest.in_(chunk))))
        without_image = sa.select(sketch_table.c.digest).where(sketch_table.c.digest.in_(chunk), sketch_table.c.image.is_(None))
        gone = connection.scalars(without_image).all()
        for digest in gone:  # `erased_at` stays: for contributions that are older than that, the sketch is still erased.
            connection.execute(sketch_table.update().where(sketch_table.c.digest == digest).values(image=sketches[digest].image))
        rows = [{"digest": d, "lg_k": sketches[d].lg_k, "image": sketches[d].image} for d in chunk if d not in known]
        if rows:
            connection.execute(sketch_table.insert(), rows)


def stored_part(row: Sequence[Any]) -> tuple[int, StoredPart]:
    """A contribution's number and its part.

    `row`: contribution's number, audience, namespace, digest, events, image (null once erased), moment of erasure.
    Raises `RefusedError` (STORE_DAMAGED) where the image isn't what its digest says.
    """
    contribution_id, audience, namespace, digest, events, image, erased_at = row
    registers = None if image is None else read_image(image, digest)
    return contribution_id, StoredPart(audience, namespace, registers, erased_at, events)


def _packed(registers: Registers) -> PackedSketch:
    """A sketch as the store keeps it; a reader tells a zstd frame by its first bytes."""
    image = registers.to_image()
    shorter = zstandard.ZstdCompressor(level=3).compress(image) if len(image) > 1024 else image
    return PackedSketch(registers.lg_k, min(image, shorter, key=len), round(registers.bounds().estimate))


def read_image(stored: bytes, digest: str) -> Registers:
    """The registers of a stored image. Raises `RefusedError` (STORE_DAMAGED) where they aren't what the digest says."""
    try:
        image = zstandard.ZstdDecompressor().decompress(stored) if stored[:4] == _ZSTD_MAGIC else stored
        registers = Registers.from_image(image)
    except (BadImage, zstandard.ZstdError):
        registers = None
    # The digest is over the registers, not over the stored bytes: packing may change without another digest.
    if registers is None or registers.digest() != digest:
        raise refused(
            Code.STORE_DAMAGED,
            "the store",
            "a sketch isn't what its digest says",
            f"sketch {digest[:12]}",
            "restore the store from its backup",
        )
    return registers
