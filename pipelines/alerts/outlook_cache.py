"""What a forecast says of a threshold, kept by all that it rests on: each alert asks each day about months that stay as they are.

A forecast draws 10,000 paths, always the same ones. Whatever an outlook rests on is in its name: the months' figures, the
threshold, and the code that forecasts. An outlook under another name isn't found, and is forecast anew.
"""

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from affiliates.concurrency import atomic_write
from pipelines.alerts import expectations
from pipelines.alerts.expectations import Outlook
from pipelines.figures.figure_cache import code_digest
from pipelines.forecasting.series import Point

FILE = Path(".mauwatch") / "outlooks.json"
"""In a group directory; whoever removes the file makes the next run forecast again."""
_CODE = ("pipelines/forecasting", "pipelines/alerts/expectations.py", "affiliates/periods.py")
"""What decides an outlook, from the months on."""
_LIBRARIES = ("numpy",)


class OutlookCache:
    """The outlooks of a group directory's alerts. `probabilities` takes the place of `expectations.probabilities`."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE
        self._before = _read(self._path)
        self._used = dict[str, list[Any] | None]()

    def probabilities(self, points: Sequence[Point], threshold: int) -> Outlook | None:
        """What is expected of a threshold after the last of these months, as `expectations.probabilities`."""
        name = _name(points, threshold)
        if name in self._before:
            self._used[name] = self._before[name]
            return _outlook(self._before[name])
        outlook = expectations.probabilities(points, threshold)
        crossing = outlook.crossing.isoformat() if outlook and outlook.crossing else None
        self._used[name] = [outlook.within_year, outlook.within_quarter, crossing] if outlook else None
        return outlook

    def write(self) -> None:
        """Keep what was asked for, and nothing else. Where nothing can be written, the next run forecasts again."""
        if self._used == self._before:
            return
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(self._path, mode=0o600) as unfinished:
                unfinished.write_text(json.dumps(self._used), encoding="utf-8")


def _name(points: Sequence[Point], threshold: int) -> str:
    """SHA-256 in hex of all that an outlook rests on."""
    basis = [[asdict(point) for point in points], threshold, code_digest(_CODE, _LIBRARIES)]
    return hashlib.sha256(json.dumps(basis).encode()).hexdigest()


def _outlook(kept: Sequence[Any] | None) -> Outlook | None:
    """The outlook that was kept; null where there was none to be had."""
    if kept is None:
        return None
    within_year, within_quarter, crossing = kept
    return Outlook(within_year, within_quarter, date.fromisoformat(crossing) if crossing else None)


def _read(path: Path) -> dict[str, list[Any] | None]:
    """What was kept; nothing where the file isn't ours."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        for outlook in kept.values():
            _outlook(outlook)
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
    return dict(kept)
