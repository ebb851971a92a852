"""docs/dependencies.md: each package that an installation brings, and its licence.

`python -m tests.tools.dependencies_page` renews the page.
What a package's metadata say in one of many ways is told as an SPDX expression. A licence that nobody has looked at is an error:
whoever adds a dependency reads its licence, and writes it down here.
"""

import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

PAGE = Path(__file__).parents[2] / "docs" / "dependencies.md"
EXTRAS = ("group", "database", "objects", "postgres")
"""All that users install; what developers install besides goes to nobody."""

PERMISSIVE = {
    "0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MIT-0",
    "MIT-CMU", "PSF-2.0", "Zlib",
}  # fmt: skip
"""Licences that ask for their text to be passed on, and for no more."""
RECIPROCAL = {"LGPL-3.0-only", "LGPL-3.0-or-later WITH openvpn-openssl-exception", "MPL-2.0"}
"""Licences that bind whoever changes the package itself; the README names the packages."""

WORDS = {
    "Apache 2.0": "Apache-2.0", "Apache License 2.0": "Apache-2.0", "Apache License Version 2.0": "Apache-2.0",
    "MIT license": "MIT", "MIT License": "MIT", "ISC License": "ISC", "3-Clause BSD License": "BSD-3-Clause",
    "BSD 3-Clause": "BSD-3-Clause", "PSFL": "PSF-2.0",
}  # fmt: skip
"""What stands in the metadata's field, as SPDX writes it."""
READ = {
    "antlr4-python3-runtime": "BSD-3-Clause", "blinker": "MIT", "comm": "BSD-3-Clause", "contourpy": "BSD-3-Clause",
    "cycler": "BSD-3-Clause", "itsdangerous": "BSD-3-Clause", "janus": "Apache-2.0", "jinja2": "BSD-3-Clause",
    "kiwisolver": "BSD-3-Clause", "markdown-it-py": "MIT", "matplotlib": "PSF-2.0", "mdurl": "MIT",
    "nest-asyncio": "BSD-2-Clause", "numba": "BSD-2-Clause", "obstore": "MIT", "pathlib-abc": "PSF-2.0", "polars": "MIT",
    "polars-hash": "MIT", "polars-runtime-32": "MIT", "psycopg2-binary": "LGPL-3.0-or-later WITH openvpn-openssl-exception",
    "python-dateutil": "Apache-2.0 OR BSD-3-Clause",
}  # fmt: skip
"""Read in the package's licence, or in its repository, where the metadata don't say it exactly."""


def installed() -> dict[str, bool]:
    """Names of the packages that mauwatch brings here, each with whether an affiliate's machine needs it, too."""
    core = _closure(())
    return {name: name in core for name in sorted(_closure(EXTRAS))}


def _closure(extras: tuple[str, ...]) -> set[str]:
    seen = set[tuple[str, str]]()
    waiting = [("mauwatch", extra) for extra in ("", *extras)]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) not in seen:
            seen.add((name, extra))
            waiting += _requirements(name, extra)
    return {name for name, _ in seen} - {"mauwatch"}


def _requirements(name: str, extra: str) -> Iterator[tuple[str, str]]:
    for text in metadata.distribution(name).requires or []:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            for further in ("", *requirement.extras):
                yield re.sub("[-_.]+", "-", requirement.name).lower(), further


def licence(name: str) -> str:
    """A package's licence, as an SPDX expression. Raises `ValueError` for one that nobody has read."""
    of_package = metadata.metadata(name).json
    said = str(of_package.get("license_expression") or of_package.get("license") or "").strip()
    expression = READ.get(name) or WORDS.get(said, said)
    unknown = {part for part in re.split(r" (?:AND|OR) ", expression) if part not in PERMISSIVE | RECIPROCAL}
    if unknown:
        raise ValueError(f"{name}: read its licence, and write it into {Path(__file__).name}: {said[:60]!r}")
    return expression


def is_reciprocal(expression: str) -> bool:
    """Whether a licence binds whoever changes the package."""
    return any(part in RECIPROCAL for part in re.split(r" (?:AND|OR) ", expression))


def page() -> str:
    """The page."""
    rows = [f"| {name} | {'yes' if in_core else ''} | {licence(name)} |" for name, in_core in installed().items()]
    return "\n".join([
        "# What mauwatch installs, and under which licences",
        "mauwatch is under [Apache-2.0](../LICENSE). It installs these packages, and holds none of their code.",
        "An affiliate's machine needs those with a yes; headquarters needs all. Versions and hashes stand in `requirements/`.",
        "LGPL and MPL bind whoever changes such a package, or passes it on. mauwatch does neither: pip fetches each.",
        "The table is made by `python -m tests.tools.dependencies_page`, and a test compares it with what is installed.",
        "",
        "| package | affiliate | licence |",
        "|---|---|---|",
        *rows,
        "",
    ])  # fmt: skip


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
