"""Each block of a page is run as it stands: a reader copies it, and what is refused then is believed of no other page either."""

import os
import re
import shutil
import subprocess
import sys
from importlib import util
from pathlib import Path

import pytest

from dashboards.cli import scaffold
from tests.support.command import mauwatch
from tests.support.paths import ROOT
from tests.tools import documents, page_blocks
from tests.tools.page_blocks import Block

# Of JSON and SQL only what a command prints is shown, under the command, in a block of the kind console.
KINDS = {"console", "python", "sh", "text", "yaml"}
BLOCKS = list(page_blocks.blocks())


def of_kind(kind: str) -> list[Block]:
    return [block for block in BLOCKS if block.kind == kind]


@pytest.fixture
def acme(tmp_path: Path) -> Path:
    """The group that the pages make by `mauwatch init acme`."""
    scaffold.write(tmp_path / "acme", "acme", "UTC")
    return tmp_path / "acme"


def test_no_block_is_left_out() -> None:
    """A block of a kind that nobody runs, or that the pattern doesn't see, is one that nobody looks at."""
    assert {block.kind for block in BLOCKS} == KINDS
    fences = [line for page in documents.pages() for line in page.read_text().splitlines() if re.match(r"[ \t>]*(```|~~~)", line)]
    assert len(fences) == 2 * len(BLOCKS)
    console = sum(len(re.findall("^```console$", page.read_text(), re.MULTILINE)) for page in documents.pages())
    run = [page for pages in documents.sets() for page in pages]
    assert console == len(of_kind("console"))
    assert {page.name for page in run} == {block.where.partition(":")[0] for block in of_kind("console")}


@pytest.mark.parametrize("block", of_kind("console"), ids=lambda block: block.where)
def test_a_block_of_commands_begins_with_one(block: Block) -> None:
    """What stands before the first `$ ` is compared with nothing."""
    assert block.text.startswith("$ ")


@pytest.mark.parametrize("block", of_kind("text"), ids=lambda block: block.where)
def test_a_block_of_text_holds_no_command(block: Block) -> None:
    """A command in it would be one that nobody runs."""
    assert not re.search(r"^\s*(\$ |mauwatch |pip |make |select )", block.text, re.MULTILINE)


@pytest.mark.parametrize("block", of_kind("yaml"), ids=lambda block: block.where)
def test_a_block_of_yaml_is_read(block: Block, acme: Path) -> None:
    """As it stands, in the file that the page means, by the reader that a user's file goes through."""
    path = page_blocks.put(block, acme)
    assert all(line in path.read_text() for line in block.text.splitlines())
    done = mauwatch("validate", "--group", acme)
    assert done.returncode == 0, done.stdout


def test_a_block_of_yaml_that_names_no_file_is_refused(acme: Path) -> None:
    with pytest.raises(ValueError, match=r"page.md:7: no line above says into which file"):
        page_blocks.put(Block("page.md:7", "yaml", "", "a: 1\n"), acme)


@pytest.mark.parametrize("block", of_kind("python"), ids=lambda block: block.where)
def test_a_block_of_python_runs(block: Block, acme: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", block.text], cwd=acme.parent, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("block", of_kind("sh"), ids=lambda block: block.where)
def test_a_block_of_shell_runs(block: Block, tmp_path: Path) -> None:
    """pip takes the wheel of this checkout and installs it alone: nothing of it comes from elsewhere."""
    wheels, target, programs = tmp_path / "wheels", tmp_path / "target", tmp_path / "bin"
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels)]
    assert subprocess.run(build, cwd=ROOT, capture_output=True, check=False).returncode == 0
    programs.mkdir()
    (programs / "pip").write_text(f'#!/bin/sh\nPYTHONPATH="{_pip()}" exec "{sys.executable}" -m pip "$@"\n')
    (programs / "pip").chmod(0o755)
    settings = {"NO_INDEX": "1", "FIND_LINKS": str(wheels), "NO_DEPS": "1", "TARGET": str(target), "NO_CACHE_DIR": "1"}
    of_pip = {f"PIP_{name}": value for name, value in settings.items()}
    done = subprocess.run(
        [shutil.which("sh") or "sh", "-e"], input=block.text, cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, **of_pip, "PATH": f"{programs}:{os.environ['PATH']}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (target / "dashboards" / "cli" / "main.py").is_file()


def _pip() -> str:
    """Where Python has pip, if the environment has none of its own."""
    if util.find_spec("pip"):
        return ""
    import ensurepip

    return str(next((Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl")))
