"""From a manifest's sources to the objects that read them.

A new kind of source is one more `if` in `_find`: it hands the manifest's `Source` to the `find` of a module beside this one,
which gives an `EventSource` (see `protocol`). The package's docstring lists all steps.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from affiliates.errors import Code, refused
from affiliates.manifests.product import Product
from affiliates.manifests.source import Source
from affiliates.sources import files
from affiliates.sources.protocol import EventSource


def find(subject: str, product: Product, directory: Path, zone: str) -> list[EventSource]:
    """The product's sources in the manifest's order, for days of the group's time zone.

    `subject` is the product as affiliate/product, with which each refusal begins; paths are relative to `directory`, the group's.
    Raises `RefusedError` for a source that isn't there, or whose library isn't installed.
    """
    return [_find(source, directory, subject, zone) for source in product.sources]


def _find(source: Source, directory: Path, subject: str, zone: str) -> EventSource:
    """One source, by its kind: the keys that the manifest has decide."""
    # An affiliate with files alone installs neither SQLAlchemy nor obstore, so their modules are imported here.
    if source.table is not None:
        with _extra(subject, "database", "a table"):
            from affiliates.sources.database import table
        return table.find(source, directory, subject, zone)
    if source.in_cloud:
        with _extra(subject, "objects", "an object store"):
            from affiliates.sources import object_store
        return object_store.find(source, directory, subject)
    # The kind that is left. A new kind goes above this line.
    return files.find(source, directory, subject)


@contextmanager
def _extra(subject: str, extra: str, kind: str) -> Iterator[None]:
    """Turns a failed import inside into a refusal that names the extra to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise refused(
            Code.SOFTWARE_MISSING,
            subject,
            f"{kind} needs a library that isn't installed",
            str(error.name),
            f"pip install 'mauwatch[{extra}]'",
        ) from None
