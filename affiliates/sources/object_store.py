"""Events in the objects of a store: s3://, gs:// and az://, all read in one way.

An object that isn't large is fetched into a folder of this process's user alone, together with some others, and removed as
soon as it is read: raw events lie on the affiliate's own disk for so long. A large Parquet object is read where it lies, its
needed columns alone. What is fetched is what was listed, or it is refused: an object that is written again meanwhile has
another tag. Credentials come from the environment's usual places (AWS_*, GOOGLE_*, AZURE_*, the machine's role), never from
a manifest. No message of a store gets out, since it quotes addresses.

Over 300 lines: listing, fetching and reading one store's objects rest on the same tags.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path, PurePosixPath

import obstore
import polars as pl

from affiliates.concurrency import temporary_folder
from affiliates.errors import Code, refused
from affiliates.manifests.source import Source
from affiliates.sources.file_checks import check_file
from affiliates.sources.file_contents import HEAD_BYTES, check_kind, is_of_encoding
from affiliates.sources.file_formats import (
    READ_ERRORS,
    check_columns,
    check_only_keys,
    columns_needed,
    scan_file,
    scan_parquet,
    together,
)
from affiliates.sources.file_names import Chosen, NamedFiles, choose, format_of, matching, refuse_unknown
from affiliates.sources.leftovers import LeftOut, note
from affiliates.sources.object_client import (
    AT_ONCE,
    GRANT_ACCESS,
    Object,
    Store,
    list_objects,
    names_by_folder,
    open_store,
    refusing,
)
from affiliates.sources.protocol import PORTION_BYTES, Fingerprint, complete_through
from affiliates.sources.table_formats import refuse_tables

IN_PLACE_BYTES = 64 << 20
"""A Parquet object of at least this size is read where it lies: four requests and the needed columns, instead of all bytes."""
_CHUNK_BYTES = 8 << 20

Portion = list[tuple[date | None, Object]]
"""Objects that are read together, each with the day in its name, or None."""


@dataclass(frozen=True)
class Objects(NamedFiles):
    """A source's objects: an `EventSource`, as `find` gives it."""

    subject: str
    source: Source
    format: str
    """parquet, csv or jsonl: one for all objects."""
    bucket: str
    """With its scheme: s3://bucket."""
    store: Store = field(repr=False)
    objects: tuple[Object, ...]
    parts_by_day: dict[date, tuple[Object, ...]]
    complete_through: date | None
    not_read: tuple[LeftOut, ...] = ()
    _keys_in_frame: list[str] = field(default_factory=list, compare=False, repr=False)
    """The keys of the objects in the frame that was given last: an error of reading is about one of these."""

    def bytes_of(self, days: Sequence[date]) -> int:
        """Bytes in the store that reading these days goes through."""
        return sum(listed.size for _, listed in self._objects_of(days))

    def fingerprints(self, periods: Mapping[date, Sequence[date]]) -> dict[date, Fingerprint]:
        """By period: a digest of the key, size and tag of each object that holds the period's days."""
        if not self.day_by_day:
            return dict.fromkeys(periods, Fingerprint.of_all(self.objects))
        return {period: Fingerprint.of_all([listed for _, listed in self._objects_of(days)]) for period, days in periods.items()}

    def check(self, days: Sequence[date]) -> None:
        """Check what the listing shows; each object is checked as a whole when it is fetched for the check of its times.

        Raises `RefusedError` for an object of zero bytes, and, where events have no time, for any fault of an object.
        """
        for _, listed in self._objects_of(days):
            if not listed.size:
                raise refused(
                    Code.SOURCE_UNREADABLE,
                    self._name_of(listed),
                    "the object has zero bytes",
                    "an export that failed, not a day without users",
                    "write it again; for zero users, write a file with its columns and no rows",
                )
        # Without event times nobody asks for frames to check, so the objects are fetched for the check here.
        if self.source.time is None:
            with self.reading():
                for _ in self._frames(days, columns_needed(self.source), check=True):
                    pass

    def frames(self, days: Sequence[date], columns: Sequence[str], now: datetime | None = None) -> Iterator[pl.LazyFrame]:
        """All events of the objects that hold these days, whatever their time, portion by portion.

        With `now`, each object is checked as a whole before it is given. The folder of fetched objects lives as long as the
        iterator.
        """
        yield from self._frames(days, columns, check=now is not None)

    def newest(self, rows: int) -> pl.LazyFrame:
        """Rows of the smallest object of the newest day, or of all objects: a first look shouldn't fetch the largest."""
        day = max(self.parts_by_day, default=None)
        candidates = self.parts_by_day[day] if day else self.objects
        smallest = min(candidates, key=lambda listed: listed.size)
        if not smallest.size:
            self.check([day] if day else [])
        # Collected here: the fetched object is gone once the frames are closed.
        with (
            self.reading(),
            closing(self._portion_frames([[(day, smallest)]], columns_needed(self.source), check=True)) as frames,
        ):
            return next(frames).head(rows).collect().lazy()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Turns an error of reading inside into a `RefusedError` that quotes no value, but the first and last key in doubt."""
        try:
            yield
        except READ_ERRORS as error:
            first_and_last = self._keys_in_frame[:1] + self._keys_in_frame[1:][-1:]
            wrong_text = self.format == "parquet" and is_of_encoding(error)
            raise refused(
                Code.SOURCE_ENCODING_WRONG if wrong_text else Code.SOURCE_UNREADABLE,
                f"{self.subject}, {self.bucket}",
                "a column's text isn't UTF-8" if wrong_text else "an object can't be read to its end",
                f"read as {self.format}: {len(self._keys_in_frame)} objects, {' to '.join(first_and_last)}",
                "write it as UTF-8" if wrong_text else "write it again; a part of it is damaged",
            ) from None

    def summary(self) -> str:
        """The number of objects and their bytes."""
        size = sum(listed.size for listed in self.objects)
        return f"{len(self.objects)} objects, {size:,} bytes{self.left_out_note()}"

    def _objects_of(self, days: Sequence[date]) -> Portion:
        """The objects that reading these days goes through: all of them, where the pattern has no {day}."""
        if not self.source.by_day:
            return [(None, listed) for listed in self.objects]
        return [(day, listed) for day in days for listed in self.parts_by_day.get(day, ())]

    def _name_of(self, listed: Object) -> str:
        """The product and the object's address, for refusals."""
        return f"{self.subject}, {self.bucket}/{listed.key}"

    def _frames(self, days: Sequence[date], columns: Sequence[str], check: bool) -> Iterator[pl.LazyFrame]:
        return self._portion_frames(_portions(self._objects_of(days), self._is_read_in_place), columns, check)

    def _is_read_in_place(self, listed: Object) -> bool:
        return self.format == "parquet" and listed.size >= IN_PLACE_BYTES

    def _portion_frames(self, portions: Sequence[Portion], columns: Sequence[str], check: bool) -> Generator[pl.LazyFrame]:
        """Frames of each portion. While one is read the next is fetched, so two of them lie on the disk."""
        with temporary_folder() as folder, ThreadPoolExecutor(1) as fetcher:
            # Begun with one portion: `coming` holds the fetch under way, or nothing after the last.
            coming = [fetcher.submit(self._fetch_portion, portion, folder / "0") for portion in portions[:1]]
            for number, portion in enumerate(portions):
                paths = coming.pop().result()
                for following in portions[number + 1 : number + 2]:
                    coming.append(fetcher.submit(self._fetch_portion, following, folder / str(number + 1)))
                self._keys_in_frame[:] = [listed.key for _, listed in portion]
                parts = [
                    (f"{self.bucket}/{listed.key}", day, self._scan(listed, path, check))
                    for (day, listed), path in zip(portion, paths, strict=True)
                ]
                yield from together(parts, columns, self.source, self.subject)
                for path in paths:
                    if path is not None:
                        path.unlink()

    def _scan(self, listed: Object, path: Path | None, check: bool) -> pl.LazyFrame:
        """An object's columns, from where it was fetched to, or in its place (`path` is None); with `check`, checked first."""
        if path is not None:
            if check:
                check_file(path, self.format, self.source, self.subject, f"{self.bucket}/{listed.key}")
            return scan_file(path, self.format, self.source)
        # No provider: polars' would ask boto3 and its like where they are installed, and obstore reads the environment.
        frame = scan_parquet(f"{self.bucket}/{listed.key}", glob=False, credential_provider=None)
        if check:
            self._check_in_place(frame, listed)
        return frame

    def _check_in_place(self, frame: pl.LazyFrame, listed: Object) -> None:
        """Read the footer of a Parquet object where it lies, and compare its columns with the manifest's."""
        try:
            columns = list(frame.collect_schema())
        except OSError:
            raise refused(
                Code.SOURCE_UNREACHABLE,
                self._name_of(listed),
                "may not be read, or is gone",
                "the store listed it",
                GRANT_ACCESS,
            ) from None
        except READ_ERRORS:
            with refusing(self._name_of(listed)):
                head = bytes(obstore.get_range(self.store, listed.key, start=0, length=min(HEAD_BYTES, listed.size)))
            check_kind(head, "parquet", self._name_of(listed))
            raise refused(
                Code.SOURCE_UNREADABLE,
                self._name_of(listed),
                "is not a readable Parquet file",
                f"{listed.size:,} bytes; its footer is missing or broken",
                "write it again; it may be cut off",
            ) from None
        check_columns(columns_needed(self.source), columns, self._name_of(listed))
        check_only_keys(self.source, columns, self._name_of(listed))

    def _fetch_portion(self, portion: Portion, folder: Path) -> list[Path | None]:
        """Fetch the objects of a portion into a new folder: the path of each, or None for one that is read in place."""
        folder.mkdir(mode=0o700)
        # Files are named by number: a key may hold signs that no file name can.
        paths = [None if self._is_read_in_place(listed) else folder / str(i) for i, (_, listed) in enumerate(portion)]
        to_fetch = [(listed, path) for (_, listed), path in zip(portion, paths, strict=True) if path]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            # A list, so that an error of any fetch is raised here.
            list(pool.map(lambda pair: self._fetch(*pair), to_fetch))
        return paths

    def _fetch(self, listed: Object, path: Path) -> None:
        """Write an object's bytes to a file; raises `RefusedError` if they aren't those that were listed."""
        # `If-Match` takes a strong entity tag alone, which begins with a quotation mark: no weak one (W/), and no time.
        options: obstore.GetOptions = {"if_match": listed.tag} if listed.tag.startswith('"') else {}
        with refusing(self._name_of(listed)):
            chunks = obstore.get(self.store, listed.key, options=options).stream(min_chunk_size=_CHUNK_BYTES)
            try:
                with path.open("wb") as file:
                    for chunk in chunks:
                        file.write(chunk)
            except OSError as error:
                raise refused(
                    Code.SOURCE_UNREADABLE,
                    self._name_of(listed),
                    "can't be kept while it is read",
                    str(error.strerror),
                    "make room where temporary files lie (TMPDIR)",
                ) from None


def find(source: Source, directory: Path, subject: str) -> Objects:
    """Find the objects that the manifest's `files` names: one object, all below a prefix, or a pattern with `*` and `{day}`.

    Raises `RefusedError` where there is no object, the format isn't clear, or the bucket may not be listed.
    """
    assert source.files is not None
    scheme, _, rest = source.files.partition("://")
    bucket_name, _, key = rest.partition("/")
    bucket = f"{scheme}://{bucket_name}"
    store_client = open_store(scheme, bucket_name, subject)
    with refusing(f"{subject}, {source.files}"):
        listed = list_objects(store_client, key)
    chosen = _choose(listed, key, source, subject)
    if not chosen.parts:
        where = f"{source.files}{note(chosen.not_read)}"
        raise refused(Code.SOURCE_MISSING, subject, "no object is there", where, "correct `files`, or bring the objects")
    by_key = {candidate.key: candidate for candidate in listed}
    objects = tuple(by_key[path] for _, path in chosen.parts)
    refuse_tables((part.key for part in objects), names_by_folder(store_client, listed, key), subject)
    if not source.by_day and "*" not in key and key != objects[0].key:
        # A prefix, as a folder: every object below it counts, so one of an unknown format is refused and not left out.
        refuse_unknown(source, [PurePosixPath(part.key) for part in objects], subject)
    parts_by_day: dict[date, tuple[Object, ...]] = {}
    for (day, _), part in zip(chosen.parts, objects, strict=True):
        if day is not None:
            parts_by_day[day] = (*parts_by_day.get(day, ()), part)
    file_format = format_of(source, [PurePosixPath(part.key) for part in objects], subject)
    last_day = complete_through(source.complete_through, directory, subject)
    return Objects(subject, source, file_format, bucket, store_client, objects, parts_by_day, last_day, chosen.not_read)


def _choose(listed: Sequence[Object], key: str, source: Source, subject: str) -> Chosen:
    """The source's objects among those that were listed for the key of `files`."""
    keys = [candidate.key for candidate in listed]
    markers = [other for other in keys if other.rpartition("/")[2].startswith(("_started", "_committed"))]
    if source.by_day:
        return choose(keys, markers, key, True, source, subject)
    if "*" in key:
        pattern = matching(key)
        return choose([other for other in keys if pattern.fullmatch(other)], markers, key, True, source, subject)
    if keys == [key]:
        return Chosen([(None, key)], ())
    return choose(keys, markers, key, False, source, subject)


def _portions(objects: Portion, in_place: Callable[[Object], bool]) -> list[Portion]:
    """Runs of objects of at most `PORTION_BYTES` together, or one object; one that is read in place stands by itself."""
    portions: list[Portion] = []
    size = 0
    for part in objects:
        alone = in_place(part[1])
        if not portions or alone or size + part[1].size > PORTION_BYTES:
            portions.append([])
            size = 0
        portions[-1].append(part)
        size += PORTION_BYTES if alone else part[1].size
    return portions
