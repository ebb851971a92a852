"""Events in the objects of a store: s3://, gs:// and az://, by one way.

What isn't large is fetched, some objects together, into a folder of this process's user alone, which is removed as
soon as they are read: raw events lie on the affiliate's own disk for so long. A large Parquet object is read where it
lies, its needed columns alone. What is fetched is what was listed, or it is refused: an object that is written again
meanwhile has another tag. Credentials come from the environment's usual places (AWS_*, GOOGLE_*, AZURE_*, the
machine's role), never from a manifest, and no message of a store gets out: it quotes addresses.
"""

import os
import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

import obstore
import polars as pl
from obstore import exceptions, store

from affiliates.errors import Code, refused
from affiliates.manifests.source import Source
from affiliates.sources.file_formats import READ_ERRORS, check_file, check_there, columns_needed, scan_file, together
from affiliates.sources.file_names import NamedFiles, day_of, format_of, is_hidden, left_out, matching, refuse_unknown
from affiliates.sources.protocol import PORTION_BYTES, complete_through, digest

IN_PLACE_BYTES = 64 << 20
"""A Parquet object from this size on is read where it lies: four requests and the needed columns, instead of all of it."""
_AT_ONCE = 16
"""Requests under way: 1,000 small objects take 3 s from a store on the same machine, and as many waits elsewhere."""
_ACCESS = "let mauwatch's credentials list the bucket and read its objects"
RETRIES = 3
_CHUNK = 8 << 20
_STORES: dict[str, type[store.S3Store | store.GCSStore | store.AzureStore]] = {
    "s3": store.S3Store,
    "gs": store.GCSStore,
    "az": store.AzureStore,
}
_ALLOW_HTTP = {"s3": "AWS_ALLOW_HTTP", "gs": "GOOGLE_ALLOW_HTTP", "az": "AZURE_ALLOW_HTTP"}
_Store = store.S3Store | store.GCSStore | store.AzureStore


@dataclass(frozen=True)
class Object:
    """One object as it was listed."""

    key: str
    size: int
    tag: str
    """What changes when it is written again."""


Portion = list[tuple[date | None, Object]]


@dataclass(frozen=True)
class Objects(NamedFiles):
    """A source's objects, found; `of_day` names them by day where the pattern has {day}."""

    subject: str
    source: Source
    kind: str
    bucket: str
    """With its scheme: s3://bucket."""
    store: _Store = field(repr=False)
    objects: tuple[Object, ...]
    of_day: dict[date, tuple[Object, ...]]
    complete_through: date | None
    of_no_day: tuple[str, ...] = ()
    """What stands for the day in the names of objects that are left out, such as 2023-02-29."""
    _reading: list[str] = field(default_factory=list, compare=False, repr=False)
    """The keys that were given out last."""

    def bytes_of(self, days: Sequence[date]) -> int:
        return sum(found.size for _, found in self._of(days))

    def fingerprints(self, periods: Mapping[date, Sequence[date]]) -> dict[date, str]:
        """They change when an object that holds a period's days comes, goes, or is written again: by key, size and tag."""
        if not self.day_by_day:
            return dict.fromkeys(periods, digest(self.objects))
        return {period: digest([found for _, found in self._of(days)]) for period, days in periods.items()}

    def check(self, days: Sequence[date]) -> None:
        """Refuse what a listing shows to be wrong; each object is checked when it is fetched for the check of its times."""
        for _, found in self._of(days):
            if not found.size:
                raise refused(
                    Code.SOURCE_UNREADABLE,
                    self._named(found),
                    "the object has zero bytes",
                    "an export that failed, not a day without users",
                    "write it again; for zero users, write a file with its columns and no rows",
                )
        if self.source.time is None:
            with self.reading():
                for _ in self._frames(days, check=True):
                    pass

    def frames(self, days: Sequence[date], columns: Sequence[str], now: datetime | None = None) -> Iterator[pl.LazyFrame]:
        """All events of the objects, whatever their time, some objects after the other; for a check, each checked first."""
        yield from self._frames(days, check=now is not None)

    def newest(self, rows: int) -> pl.LazyFrame:
        """From the smallest object of the newest day, or of all: a first look shouldn't fetch the largest."""
        some = self.of_day[max(self.of_day)] if self.of_day else self.objects
        one: Portion = [(None, min(some, key=lambda found: found.size))]
        if not one[0][1].size:
            self.check([max(self.of_day)] if self.of_day else [])
        with self.reading(), closing(self._given([one], check=True)) as frames:
            return next(frames).head(rows).collect().lazy()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Turns what goes wrong while reading into a refusal that quotes no value."""
        try:
            yield
        except READ_ERRORS:
            read = self._reading[:1] + self._reading[1:][-1:]
            raise refused(
                Code.SOURCE_UNREADABLE,
                f"{self.subject}, {self.bucket}",
                "an object can't be read to its end, or objects don't fit together",
                f"read as {self.kind}: {len(self._reading)} objects, {' to '.join(read)}",
                "write what is cut off again, and give all the same columns and types",
            ) from None

    def described(self) -> str:
        return f"{len(self.objects)} objects, {sum(found.size for found in self.objects):,} bytes{left_out(self.of_no_day)}"

    def _of(self, days: Sequence[date]) -> Portion:
        if not self.source.by_day:
            return [(None, found) for found in self.objects]
        return [(day, found) for day in days for found in self.of_day.get(day, ())]

    def _named(self, found: Object) -> str:
        return f"{self.subject}, {self.bucket}/{found.key}"

    def _frames(self, days: Sequence[date], check: bool) -> Iterator[pl.LazyFrame]:
        return self._given(_portions(self._of(days), self._in_place), check)

    def _in_place(self, found: Object) -> bool:
        return self.kind == "parquet" and found.size >= IN_PLACE_BYTES

    def _given(self, portions: Sequence[Portion], check: bool) -> Generator[pl.LazyFrame]:
        """A frame for each portion; the next one is fetched meanwhile, so two of them lie on the disk."""
        with TemporaryDirectory(prefix="mauwatch-") as folder, ThreadPoolExecutor(1) as ahead:
            coming = [ahead.submit(self._fetched, some, Path(folder) / str(i)) for i, some in enumerate(portions[:1])]
            for number, some in enumerate(portions):
                paths = coming.pop().result()
                for i, following in enumerate(portions[number + 1 : number + 2], number + 1):
                    coming.append(ahead.submit(self._fetched, following, Path(folder) / str(i)))
                self._reading[:] = [found.key for _, found in some]
                frames = [
                    (f"{self.bucket}/{found.key}", day, self._opened(found, path, check))
                    for (day, found), path in zip(some, paths, strict=True)
                ]
                yield together(frames, self.source, self.subject)
                for path in paths:
                    if path is not None:
                        path.unlink()

    def _opened(self, found: Object, path: Path | None, check: bool) -> pl.LazyFrame:
        if path is not None:
            if check:
                check_file(path, self.kind, self.source, self.subject, f"{self.bucket}/{found.key}")
            return scan_file(path, self.kind, self.source)
        frame = pl.scan_parquet(f"{self.bucket}/{found.key}", glob=False, credential_provider=None)
        if check:
            try:
                there = list(frame.collect_schema())
            except OSError:
                raise refused(
                    Code.SOURCE_UNREACHABLE, self._named(found), "may not be read, or is gone", "the store listed it", _ACCESS
                ) from None
            except READ_ERRORS:
                raise refused(
                    Code.SOURCE_UNREADABLE,
                    self._named(found),
                    "is not a readable Parquet file",
                    f"{found.size:,} bytes; its footer is missing or broken",
                    "write it again; it may be cut off",
                ) from None
            check_there(columns_needed(self.source), there, self._named(found))
        return frame

    def _fetched(self, some: Portion, folder: Path) -> list[Path | None]:
        """Where the objects of a portion lie now; None for one that is read in place."""
        folder.mkdir(mode=0o700)
        wanted = [(found, None if self._in_place(found) else folder / str(i)) for i, (_, found) in enumerate(some)]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(lambda one: self._fetch(*one), [(found, path) for found, path in wanted if path]))
        return [path for _, path in wanted]

    def _fetch(self, found: Object, path: Path) -> None:
        options: obstore.GetOptions = {"if_match": found.tag} if found.tag.startswith('"') else {}
        with _refusing(self._named(found)):
            chunks = obstore.get(self.store, found.key, options=options).stream(min_chunk_size=_CHUNK)
            try:
                with path.open("wb") as file:
                    for chunk in chunks:
                        file.write(chunk)
            except OSError as error:
                raise refused(
                    Code.SOURCE_UNREADABLE,
                    self._named(found),
                    "can't be kept while it is read",
                    str(error.strerror),
                    "make room where temporary files lie (TMPDIR)",
                ) from None


def find(source: Source, directory: Path, subject: str) -> Objects:
    """Find a source's objects; raises `RefusedError` when there is none, or of no known format, or they may not be listed."""
    assert source.files is not None
    scheme, _, rest = source.files.partition("://")
    name, _, key = rest.partition("/")
    bucket = f"{scheme}://{name}"
    where = f"{subject}, {source.files}"
    opened = _opened_store(scheme, name, subject)
    with _refusing(where):
        found = _listed(opened, key)
    of_day: dict[date, tuple[Object, ...]] = {}
    of_no_day: list[str] = []
    if source.by_day:
        pattern = matching(key)
        named = [(one, said) for one in found if (said := pattern.fullmatch(one.key))]
        of_no_day = [said["day"] for _, said in named if day_of(said) is None]
        for one, said in named:
            if (day := day_of(said)) is not None:
                of_day[day] = (*of_day.get(day, ()), one)
        found = [one for some in of_day.values() for one in some]
    elif "*" in key:
        found = [one for one in found if matching(key).fullmatch(one.key)]
    elif [one.key for one in found] != [key]:
        found = [one for one in found if not is_hidden(PurePosixPath(one.key).name)]
        refuse_unknown(source, [PurePosixPath(one.key) for one in found], subject)
    if not found:
        raise refused(Code.SOURCE_MISSING, subject, "no object is there", source.files, "correct `files`, or bring the objects")
    kind = format_of(source, [PurePosixPath(one.key) for one in found], subject)
    known = complete_through(source.complete_through, directory, subject)
    return Objects(subject, source, kind, bucket, opened, tuple(found), of_day, known, tuple(of_no_day))


def _portions(found: Portion, in_place: Callable[[Object], bool]) -> list[Portion]:
    """Objects that are read together: up to so many bytes, or one; those in place each by itself."""
    portions: list[Portion] = []
    size = 0
    for one in found:
        alone = in_place(one[1])
        if not portions or alone or size + one[1].size > PORTION_BYTES:
            portions.append([])
            size = 0
        portions[-1].append(one)
        size += PORTION_BYTES if alone else one[1].size
    return portions


def _opened_store(scheme: str, bucket: str, subject: str) -> _Store:
    options: store.ClientConfig = {"timeout": timedelta(hours=1), "connect_timeout": timedelta(seconds=10)}
    if os.environ.get(_ALLOW_HTTP[scheme], "").lower() in ("true", "1"):  # Lost where other options are given.
        options["allow_http"] = True
    retry: store.RetryConfig = {"max_retries": RETRIES, "retry_timeout": timedelta(seconds=60)}
    with _refusing(f"{subject}, {scheme}://{bucket}"):
        return _STORES[scheme](bucket, client_options=options, retry_config=retry)


def _listed(opened: _Store, key: str) -> list[Object]:
    """The objects that a key without its wildcards leads to: itself, or all below it; in order, without marks of folders."""
    literal = min((key.index(sign) for sign in ("*", "{day}") if sign in key), default=len(key))
    if literal == len(key) and key and not key.endswith("/"):
        try:
            one = obstore.head(opened, key)
            return [Object(key, one["size"], one["e_tag"] or str(one["last_modified"]))]
        except FileNotFoundError:
            literal = len(key)
    prefix = key if literal == len(key) else key[: key.rfind("/", 0, literal) + 1]
    found = [
        Object(one["path"], one["size"], one["e_tag"] or str(one["last_modified"]))
        for page in obstore.list(opened, prefix=prefix.strip("/") or None)
        for one in page
    ]
    folders = {str(parent) for one in found for parent in PurePosixPath(one.key).parents} | {prefix.strip("/")}
    return sorted((one for one in found if one.size or one.key not in folders), key=lambda one: one.key)


@contextmanager
def _refusing(where: str) -> Iterator[None]:
    """Turns a store's errors into refusals that quote nothing of them."""
    try:
        yield
    except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError):
        raise refused(Code.SOURCE_UNREACHABLE, where, "may not be read", "permission denied", _ACCESS) from None
    except exceptions.PreconditionError:
        raise refused(
            Code.SOURCE_CHANGED, where, "the object was written again while it was read", "", "run again once the export is over"
        ) from None
    except FileNotFoundError:
        raise refused(Code.SOURCE_CHANGED, where, "the object is gone", "", "run again once the export is over") from None
    except (exceptions.BaseError, ValueError) as error:
        if re.search(" 40[13] ", str(error)):
            raise refused(Code.SOURCE_UNREACHABLE, where, "may not be read", "permission denied", _ACCESS) from None
        if " 404 " in str(error):
            raise refused(Code.SOURCE_MISSING, where, "no such bucket", "", "correct the bucket's name in `files`") from None
        raise refused(
            Code.SOURCE_UNREACHABLE,
            where,
            "the store can't be reached, or doesn't know mauwatch",
            type(error).__name__,
            "see that its credentials, region and endpoint are in the environment (AWS_…, GOOGLE_…, AZURE_…)",
        ) from None
