"""From a manifest's sources to what reads them; libraries of an extra are imported when a source needs them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from affiliates.errors import Code, refused
from affiliates.manifests.product import Product
from affiliates.manifests.source import Source
from affiliates.sources import files
from affiliates.sources.protocol import EventSource


def find(subject: str, product: Product, directory: Path, zone: str) -> list[EventSource]:
    """The product's sources, for days of the group's zone; raises `RefusedError` for one that isn't there."""
    return [_find(source, directory, subject, zone) for source in product.sources]


def _find(source: Source, directory: Path, subject: str, zone: str) -> EventSource:
    """What reads it; libraries that not every affiliate needs are imported when they are."""
    if source.table is not None:
        with _extra(subject, "database", "a table"):
            from affiliates.sources.database import table
        return table.find(source, directory, subject, zone)
    if source.in_cloud:
        with _extra(subject, "objects", "an object store"):
            from affiliates.sources import object_store
        return object_store.find(source, directory, subject)
    return files.find(source, directory, subject)


@contextmanager
def _extra(subject: str, extra: str, what: str) -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise refused(
            Code.SOFTWARE_MISSING,
            subject,
            f"{what} needs a library that isn't installed",
            str(error.name),
            f"pip install 'mauwatch[{extra}]'",
        ) from None
