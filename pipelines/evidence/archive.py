"""A bundle: files in a plain zip, with a list of their digests, signed. A changed byte anywhere in it is found.

The zip is written in one way only (stored, in order, without dates), so that whoever opens it can write it again and compare:
what no digest is of, such as the zip's own heads, can't differ either. Needs no store and no key.
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
from tempfile import TemporaryDirectory
from typing import Any

from affiliates import signing
from affiliates.errors import Code, refused
from pipelines.hash_chain import canonical

FORMAT = "mauwatch-evidence-1"
LIST = "bundle.json"
SIGNATURE = "signature.json"
MOST_FILES = 100_000
_DATE = (1980, 1, 1, 0, 0, 0)
"""The first that a zip can say: a bundle's own dates stand in its list."""


@dataclass(frozen=True)
class Bundle:
    """An opened bundle, whose bytes are what its list says."""

    folder: Path
    """Where its files were put."""
    about: Mapping[str, Any]
    """What its list says besides the files."""
    files: Mapping[str, str]
    """SHA-256 by name."""
    public_key: str | None
    """By which it is signed (base64); null if it isn't."""
    sha256: str
    """Of the bundle."""

    def json(self, name: str) -> Any:
        """What a file of it holds. Raises `RefusedError` where it is none, or no JSON."""
        try:
            return json.loads((self.folder / name).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            raise refused(
                Code.BUNDLE_CHANGED, name, "isn't in the bundle, or can't be read", "", "ask for the bundle again"
            ) from None


def write(path: Path, folder: Path, about: Mapping[str, Any], private: Path | None) -> str:
    """Pack the files of a folder, signed by a private key if there is one; gives the bundle's SHA-256."""
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    files = {name: signing.file_digest(folder / name) for name in names}
    told = canonical({"format": FORMAT, **about, "files": files}).encode()
    signed = canonical(
        {
            "public_key": signing.public_of(private) if private else None,
            "signature": signing.sign_digest(hashlib.sha256(told).hexdigest(), private) if private else None,
        }
    ).encode()
    _zip(path, folder, told, signed, names)
    return signing.file_digest(path)


@contextmanager
def open_bundle(path: Path) -> Iterator[Bundle]:
    """The bundle in a file, once each byte of it is checked. Raises `RefusedError` for the first that is wrong."""
    with TemporaryDirectory(prefix="mauwatch-") as room:
        folder = Path(room) / "files"
        try:
            told, signed = _unpacked(path, folder)
            about = _plain(told)
            said = _plain(signed)
            files = about.pop("files")
            if about.pop("format") != FORMAT:
                raise ValueError
        except _BROKEN:
            raise refused(
                Code.BUNDLE_CHANGED, path.name, "is no bundle, or was changed", f"{path.stat().st_size:,} bytes", _AGAIN
            ) from None
        names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
        if names != sorted(files):
            raise refused(
                Code.BUNDLE_CHANGED, path.name, "its files aren't those of its list", f"{len(names)} and {len(files)}", _AGAIN
            )
        for name in names:
            if signing.file_digest(folder / name) != files[name]:
                raise refused(Code.BUNDLE_CHANGED, path.name, "a file isn't what the list says", name, _AGAIN)
        digest = hashlib.sha256(told).hexdigest()
        key = said["public_key"]
        if key is not None and not signing.verify_digest(digest, str(said["signature"]), [key]):
            raise refused(Code.BUNDLE_CHANGED, path.name, "its signature isn't of this list", "", _AGAIN)
        _zip(Path(room) / "again.zip", folder, told, signed, names)
        if not filecmp.cmp(path, Path(room) / "again.zip", shallow=False):
            raise refused(Code.BUNDLE_CHANGED, path.name, "was changed outside its files", "", _AGAIN)
        yield Bundle(folder, about, files, key, signing.file_digest(path))


_AGAIN = "ask for the bundle again, and compare its SHA-256"
_BROKEN = (OSError, ValueError, KeyError, TypeError, RuntimeError, EOFError, struct.error, zipfile.BadZipFile)
"""What json and zipfile raise for what isn't theirs."""


def _plain(text: bytes) -> dict[str, Any]:
    """Canonical JSON of keys and values, and nothing else."""
    said = json.loads(text)
    if not isinstance(said, dict) or canonical(said).encode() != text:
        raise ValueError
    return said


def _zip(path: Path, folder: Path, told: bytes, signed: bytes, names: Sequence[str]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as made:
        for name, held in ((LIST, told), (SIGNATURE, signed)):
            made.writestr(_info(name), held)
        for name in names:
            info = _info(name)
            source = folder / name
            info.file_size = source.stat().st_size
            with made.open(info, "w") as into, source.open("rb") as file:
                while some := file.read(1 << 20):
                    into.write(some)


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _DATE)
    info.create_system = 3
    info.external_attr = 0o644 << 16
    return info


def _unpacked(path: Path, folder: Path) -> tuple[bytes, bytes]:
    """The list and the signature; the other files into a folder."""
    folder.mkdir()
    with zipfile.ZipFile(path) as packed:
        infos = packed.infolist()
        if len(infos) > MOST_FILES or [i.filename for i in infos[:2]] != [LIST, SIGNATURE]:
            raise ValueError
        if any(i.compress_type or i.flag_bits & 1 for i in infos) or len({i.filename for i in infos}) != len(infos):
            raise ValueError
        if sum(i.file_size for i in infos) > path.stat().st_size:
            raise ValueError  # Stored, nothing unpacks to more than it takes up.
        for info in infos[2:]:
            name = Path(info.filename)
            if name.is_absolute() or ".." in name.parts or "\\" in info.filename or info.is_dir():
                raise ValueError
            to = folder / name
            to.parent.mkdir(parents=True, exist_ok=True)
            with packed.open(info) as source, to.open("xb") as into:
                while some := source.read(1 << 20):
                    into.write(some)
        return packed.read(LIST), packed.read(SIGNATURE)
