"""The client of an object store: what lies in a bucket, and its errors as refusals that quote nothing of them."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from pathlib import PurePosixPath

import obstore
from obstore import exceptions, store

from affiliates.errors import Code, refused
from affiliates.sources.table_formats import FOLDERS

AT_ONCE = 16
"""Requests under way: 1,000 small objects take 3 s from a store on the same machine, and as many waits elsewhere."""
GRANT_ACCESS = "let mauwatch's credentials list the bucket and read its objects"
RETRIES = 3
"""Times that a request to the store is tried again."""
_STORES: dict[str, type[store.S3Store | store.GCSStore | store.AzureStore]] = {
    "s3": store.S3Store,
    "gs": store.GCSStore,
    "az": store.AzureStore,
}
_ALLOW_HTTP = {"s3": "AWS_ALLOW_HTTP", "gs": "GOOGLE_ALLOW_HTTP", "az": "AZURE_ALLOW_HTTP"}
"""By scheme: the environment's variable that allows HTTP without TLS."""
Store = store.S3Store | store.GCSStore | store.AzureStore


@dataclass(frozen=True)
class Object:
    """One object as it was listed.

    Fingerprints are digests of its `repr`: another name of the class or of a field would count every stored day again.
    """

    key: str
    size: int
    """In bytes, as it lies in the store."""
    tag: str
    """The entity tag, which changes when the object is written again; the time of change where the store gives no tag."""


def open_store(scheme: str, bucket: str, subject: str) -> Store:
    """The client of a bucket; asks the store nothing yet."""
    # A request lasts as long as its object is read, so its limit is an hour; a store that isn't there shows in 10 s.
    options: store.ClientConfig = {"timeout": timedelta(hours=1), "connect_timeout": timedelta(seconds=10)}
    if os.environ.get(_ALLOW_HTTP[scheme], "").lower() in ("true", "1"):  # Lost where other options are given.
        options["allow_http"] = True
    retry: store.RetryConfig = {"max_retries": RETRIES, "retry_timeout": timedelta(seconds=60)}
    with refusing(f"{subject}, {scheme}://{bucket}"):
        return _STORES[scheme](bucket, client_options=options, retry_config=retry)


def list_objects(store_client: Store, key: str) -> list[Object]:
    """The objects that a key leads to, up to its first wildcard: the object itself, or all below it, in order of keys."""
    literal = min((key.index(sign) for sign in ("*", "{day}") if sign in key), default=len(key))
    if literal == len(key) and key and not key.endswith("/"):
        # Without a wildcard the key may be one object; if there is none, the key is a prefix.
        try:
            meta = obstore.head(store_client, key)
            return [Object(key, meta["size"], meta["e_tag"] or str(meta["last_modified"]))]
        except FileNotFoundError:
            literal = len(key)
    prefix = key if literal == len(key) else key[: key.rfind("/", 0, literal) + 1]
    objects = [
        Object(meta["path"], meta["size"], meta["e_tag"] or str(meta["last_modified"]))
        for page in obstore.list(store_client, prefix=prefix.strip("/") or None)
        for meta in page
    ]
    # Consoles mark a folder by an empty object of its name. Other empty objects stay: they are exports that failed.
    folders = {str(parent) for listed in objects for parent in PurePosixPath(listed.key).parents} | {prefix.strip("/")}
    return sorted((listed for listed in objects if listed.size or listed.key not in folders), key=lambda listed: listed.key)


@contextmanager
def refusing(where: str) -> Iterator[None]:
    """Turns a store's error inside into a `RefusedError` that quotes nothing of it."""
    try:
        yield
    except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError):
        raise refused(Code.SOURCE_UNREACHABLE, where, "may not be read", "permission denied", GRANT_ACCESS) from None
    except exceptions.PreconditionError:
        raise refused(
            Code.SOURCE_CHANGED, where, "the object was written again while it was read", "", "run again once the export is over"
        ) from None
    except FileNotFoundError:
        raise refused(Code.SOURCE_CHANGED, where, "the object is gone", "", "run again once the export is over") from None
    except (exceptions.BaseError, ValueError) as error:
        # Some stores' answers come as a general error, whose text alone has the HTTP status.
        if re.search(" 40[13] ", str(error)):
            raise refused(Code.SOURCE_UNREACHABLE, where, "may not be read", "permission denied", GRANT_ACCESS) from None
        if " 404 " in str(error):
            raise refused(Code.SOURCE_MISSING, where, "no such bucket", "", "correct the bucket's name in `files`") from None
        raise refused(
            Code.SOURCE_UNREACHABLE,
            where,
            "the store can't be reached, or doesn't know mauwatch",
            type(error).__name__,
            "see that its credentials, region and endpoint are in the environment (AWS_…, GOOGLE_…, AZURE_…)",
        ) from None


def names_by_folder(store_client: Store, listed: Sequence[Object], key: str) -> Callable[[str], set[str]]:
    """What gives the names directly in a folder that a table may have, by the folder's path; it asks for nothing more.

    Folders below the listing's prefix are in the listing; those above are asked for here.
    """
    above = [str(parent) for parent in PurePosixPath(key).parents if not re.search(r"\*|\{day\}", str(parent))]
    folders = [f"{parent}/{folder}".removeprefix("./") for parent in above for folder in FOLDERS]
    names: dict[str, set[str]] = {}

    def look(folder: str) -> list[str]:
        # Who may list the prefix alone can't see what lies above, and neither can we.
        with suppress(exceptions.BaseError, ValueError, OSError):
            return [meta["path"] for page in islice(obstore.list(store_client, prefix=folder), 1) for meta in page]
        return []

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for keys in pool.map(look, folders):
            for path in map(PurePosixPath, keys):
                names.setdefault(str(path.parent), set()).add(path.name)
    for candidate in listed:
        path = PurePosixPath(candidate.key)
        if path.parent.name in FOLDERS:
            names.setdefault(str(path.parent), set()).add(path.name)
    return lambda folder: names.get(folder, set())
