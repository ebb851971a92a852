"""A bundle: files in a plain zip with a list of their digests, which may be signed. Any changed byte is found.

There is one way only to write the zip: uncompressed, in order, without dates. So whoever opens a bundle writes the zip again
and compares all bytes: even what no digest covers, such as the zip's own heads, can't differ. Opening needs no store and no key.
"""

import filecmp
import hashlib
import json
import struct
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affiliates import signing
from affiliates.concurrency import atomic_write, read_small, temporary_folder
from affiliates.errors import Code, refused
from pipelines.hash_chain import canonical

FORMAT = "mauwatch-evidence-2"
"""Name and version of the format, as a bundle's list says it: rows are numbered by their place, and each document is compared."""
FIRST_FORMAT = "mauwatch-evidence-1"
"""The format of bundles that were made before: rows have the store's own numbers."""
LIST = "bundle.json"
"""The bundle's first file: format, what the bundle is about, and SHA-256 by file name."""
SIGNATURE = "signature.json"
"""The second file: public key and signature of the list's digest, both null in an unsigned bundle."""
MOST_FILES = 100_000
"""Files in a bundle at most."""
MOST_JSON_BYTES = 1 << 28
"""Bytes of a bundle's document in JSON at most: read at once, a document takes several times as much memory."""
_MOST_LIST_BYTES = 1 << 25
"""Bytes of a bundle's list at most: 100,000 files take half as many."""
_BLOCK = 1 << 20
"""Bytes that are copied at a time: a product's sketches can be large."""
_DATE = (1980, 1, 1, 0, 0, 0)
"""The first date that a zip can hold; a bundle's own dates stand in its list."""


@dataclass(frozen=True)
class Bundle:
    """An opened bundle, whose bytes are those of its list."""

    folder: Path
    """The temporary folder with the bundle's files."""
    about: Mapping[str, Any]
    """The bundle's list without the files: group, licence, month, kind and more."""
    files: Mapping[str, str]
    """SHA-256 by file name."""
    public_key: str | None
    """The key that has signed the list (base64); null for an unsigned bundle."""
    sha256: str
    """Of the whole bundle."""
    format: str = FORMAT
    """`FORMAT` or `FIRST_FORMAT`."""

    def json(self, name: str) -> Any:
        """The content of a JSON file. Raises `RefusedError` (BUNDLE_CHANGED) where there is no such file, or no JSON in it."""
        try:
            return json.loads(read_small(self.folder / name, MOST_JSON_BYTES), object_pairs_hook=_each_once)
        except (OSError, ValueError, RecursionError):
            raise refused(
                Code.BUNDLE_CHANGED, name, "isn't in the bundle, or can't be read", "", "ask for the bundle again"
            ) from None


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON. Raises `ValueError` for a key that stands twice: one reader takes the first, another the last."""
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("a key stands twice")
    return content


def write(path: Path, folder: Path, about: Mapping[str, Any], private: Path | None) -> str:
    """Pack a folder's files into a bundle; gives the bundle's SHA-256.

    `about`: what the list says besides the files. `private`: the file of the private key that signs; null for no signature.
    """
    names = _file_names(folder)
    files = {name: signing.file_digest(folder / name) for name in names}
    listing = canonical({"format": FORMAT, **about, "files": files}).encode()
    signature = canonical(
        {
            "public_key": signing.public_of(private) if private else None,
            "signature": signing.sign_digest(hashlib.sha256(listing).hexdigest(), private) if private else None,
        }
    ).encode()
    with atomic_write(path, mode=0o600) as unfinished:
        _zip(unfinished, folder, listing, signature, names)
    return signing.file_digest(path)


def _file_names(folder: Path) -> list[str]:
    """The paths of all files in a folder, with slashes, in the order in which a bundle holds them."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@contextmanager
def open_bundle(path: Path) -> Iterator[Bundle]:
    """The bundle in a file, open, once each byte is checked: files by the list, the list by the signature, the zip by itself.

    Raises `RefusedError` (BUNDLE_CHANGED) for the first thing that is wrong.
    """
    with temporary_folder() as room:
        folder = room / "files"
        try:
            listing, signature = _unpacked(path, folder)
            about = _json_object(listing)
            signed = _json_object(signature)
            files = about.pop("files")
            version = about.pop("format")
            if version not in (FORMAT, FIRST_FORMAT):
                raise ValueError
        except _BROKEN:
            raise refused(
                Code.BUNDLE_CHANGED, path.name, "is no bundle, or was changed", f"{path.stat().st_size:,} bytes", _AGAIN
            ) from None
        names = _file_names(folder)
        if names != sorted(files):
            raise refused(
                Code.BUNDLE_CHANGED, path.name, "its files aren't those of its list", f"{len(names)} and {len(files)}", _AGAIN
            )
        for name in names:
            if signing.file_digest(folder / name) != files[name]:
                raise refused(Code.BUNDLE_CHANGED, path.name, "a file isn't what the list says", name, _AGAIN)
        digest = hashlib.sha256(listing).hexdigest()
        key = signed["public_key"]
        if key is not None and not signing.verify_digest(digest, str(signed["signature"]), [key]):
            raise refused(Code.BUNDLE_CHANGED, path.name, "its signature isn't of this list", "", _AGAIN)
        # The zip's own heads and what lies between its files are under no digest: write it again and compare.
        _zip(room / "again.zip", folder, listing, signature, names)
        if not filecmp.cmp(path, room / "again.zip", shallow=False):
            raise refused(Code.BUNDLE_CHANGED, path.name, "was changed outside its files", "", _AGAIN)
        yield Bundle(folder, about, files, key, signing.file_digest(path), version)


_AGAIN = "ask for the bundle again, and compare its SHA-256"
_BROKEN = (OSError, ValueError, KeyError, TypeError, RuntimeError, EOFError, struct.error, zipfile.BadZipFile)
"""What json and zipfile raise for bytes that aren't theirs."""


def _json_object(text: bytes) -> dict[str, Any]:
    """The object in canonical JSON. Raises `ValueError` for anything else: two texts of one content would be two bundles."""
    content = json.loads(text)
    if not isinstance(content, dict) or canonical(content).encode() != text:
        raise ValueError
    return content


def _zip(path: Path, folder: Path, listing: bytes, signature: bytes, names: Sequence[str]) -> None:
    """Write the zip: list, signature, then the folder's files in the order of `names`."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in ((LIST, listing), (SIGNATURE, signature)):
            archive.writestr(_info(name), content)
        for name in names:
            info = _info(name)
            source = folder / name
            # By the size zipfile decides on a head of 64 bits; without one, a file of 2 GiB would end in an error.
            info.file_size = source.stat().st_size
            with archive.open(info, "w") as target, source.open("rb") as file:
                while block := file.read(_BLOCK):
                    target.write(block)


def _info(name: str) -> zipfile.ZipInfo:
    """A file's head in the zip, the same on every system."""
    info = zipfile.ZipInfo(name, _DATE)
    info.create_system = 3  # Unix, also where Windows writes the bundle.
    info.external_attr = 0o644 << 16
    return info


def _unpacked(path: Path, folder: Path) -> tuple[bytes, bytes]:
    """Unpack a bundle's files into a folder; gives the list and the signature.

    Raises `ValueError`, or an error of zipfile, for a zip that `_zip` can't have written.
    """
    folder.mkdir()
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        if len(infos) > MOST_FILES or [info.filename for info in infos[:2]] != [LIST, SIGNATURE]:
            raise ValueError
        if any(info.file_size > _MOST_LIST_BYTES for info in infos[:2]):
            raise ValueError
        # Bit 0 of the flags is encryption.
        if any(info.compress_type or info.flag_bits & 1 for info in infos):
            raise ValueError
        if len({info.filename for info in infos}) != len(infos):
            raise ValueError
        if sum(info.file_size for info in infos) > path.stat().st_size:
            raise ValueError  # Uncompressed, nothing unpacks to more than it takes up.
        for info in infos[2:]:
            name = Path(info.filename)
            # A stranger's zip may name places outside the folder.
            if name.is_absolute() or ".." in name.parts or "\\" in info.filename or info.is_dir():
                raise ValueError
            path_inside = folder / name
            path_inside.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(info) as source, path_inside.open("xb") as target:
                while block := source.read(_BLOCK):
                    target.write(block)
        return archive.read(LIST), archive.read(SIGNATURE)
