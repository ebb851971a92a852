"""Figures that were measured and aren't published, such as those of a release day's group: kept, so that each is measured once.

Whatever a figure rests on is in its name: the digest of its inputs, the settings, and the code that counts. A figure under
another name isn't found, and is measured anew; so is one whose file can't be read.
"""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from affiliates.concurrency import atomic_write, private_folder
from affiliates.manifests.group import Group
from pipelines.counting.figure import Coverage, Figure
from pipelines.counting.inputs import Inputs
from pipelines.counting.measure import Measured

FOLDER = Path(".mauwatch") / "figures"
"""In a group directory; whoever removes the folder makes the next run measure again."""
_CODE = (
    "pipelines/counting",
    "affiliates/manifests/namespaces.py",
    "affiliates/sketches",
    "affiliates/periods.py",
    "pipelines/records.py",
    "pipelines/figures",
)
"""What decides a figure, from the inputs on."""
_LIBRARIES = ("datasketches", "numpy", "numba")
_SCOPES = ("affiliates", "products")


class FigureCache:
    """Files of measured figures in a group directory, one for each name."""

    def __init__(self, directory: Path, group: Group) -> None:
        self._folder = directory / FOLDER
        self._settings = _settings_digest(group)
        self._used = set[Path]()

    def read(self, inputs: Inputs) -> Measured | None:
        """The figures that were kept of these inputs; null where there are none that can be read."""
        path = self._path(inputs)
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            figures = {scope: {name: _figure(fields) for name, fields in kept[scope].items()} for scope in _SCOPES}
            measured = Measured(inputs, _figure(kept["group"]), figures["affiliates"], figures["products"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        self._used.add(path)
        return measured

    def keep(self, measured: Measured) -> None:
        """Keep figures. Where nothing can be written, the next run measures again."""
        path = self._path(measured.inputs)
        kept = {"group": measured.group.to_dict()} | {
            scope: {name: figure.to_dict() for name, figure in getattr(measured, scope).items()} for scope in _SCOPES
        }
        self._used.add(path)
        with suppress(OSError):
            private_folder(path.parent)
            with atomic_write(path, mode=0o600) as unfinished:
                unfinished.write_text(json.dumps(kept), encoding="utf-8")

    def remove_unused(self) -> None:
        """Remove the files that nobody has asked for: their inputs are no longer what the store has."""
        with suppress(OSError):
            for path in self._folder.glob("*.json"):
                if path not in self._used:
                    path.unlink(missing_ok=True)

    def _path(self, inputs: Inputs) -> Path:
        """The file of these inputs' figures."""
        content = (inputs.digest, str(inputs.method), self._settings, code_digest(_CODE, _LIBRARIES))
        return self._folder / f"{hashlib.sha256('|'.join(content).encode()).hexdigest()}.json"


@cache
def code_digest(paths: tuple[str, ...], libraries: tuple[str, ...]) -> str:
    """SHA-256 in hex of this installation's source files below these paths, and of the libraries' versions."""
    root = Path(__file__).parents[2]
    digest = hashlib.sha256()
    for name in paths:
        path = root / name
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(f"{file.relative_to(root)}\n".encode() + file.read_bytes())
    for library in libraries:
        digest.update(f"{library}=={metadata.version(library)}\n".encode())
    return digest.hexdigest()


def _settings_digest(group: Group) -> str:
    """SHA-256 in hex of all manifests: more than a figure rests on, so a change of any of them measures anew."""
    parts = [group.settings.model_dump_json(exclude={"legend"}), group.readings.model_dump_json()]
    parts += [entity.model_dump_json() for _, entity in sorted(group.entities.items())]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _figure(fields: Mapping[str, Any]) -> Figure:
    """The figure that `to_dict` wrote."""
    return Figure(**{**fields, "coverage": Coverage(**fields["coverage"]), "reasons": tuple(fields["reasons"])})
