"""What the repository promises its readers: documents that are true, pins, a wheel that is whole."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

from tests.support import wrong_contributions
from tests.tools import cli_page, dependencies_page, documents, manifests_page
from tests.tools.documents import ROOT

MOST_BYTES = 8_000
"""Of README.md: a stranger reads it to its end."""


@pytest.mark.documents
@pytest.mark.parametrize("pages", documents.sets(), ids=lambda pages: " ".join(page.stem for page in pages))
def test_commands_of_a_page_print_what_it_says(pages: tuple[Path, ...]) -> None:
    """A reader who types what a page shows and sees something else trusts no page any more."""
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert documents.renewed(text) == text, f"python -m tests.tools.documents {page.relative_to(ROOT)}"


def test_a_page_may_leave_lines_out_and_may_not_change_one() -> None:
    """`...` that stands for whatever is printed would let a wrong number through."""
    page = "```console\n$ printf 'a 1\\nb 2\\nc 3\\n'\n...\nb {}\n...\n```\n"
    assert documents.renewed(page.format(2)) == page.format(2)
    assert documents.renewed(page.format(7)) == page.format(2)
    with pytest.raises(ValueError, match="no longer prints"):
        documents.renewed(page.replace("b {}", "d 2"))


def test_what_changes_from_run_to_run_leaves_a_page_as_it_is() -> None:
    """A page that changes with each day or key would hide a change that matters."""
    page = f"<!-- before: touch beside -->\n```console\n$ echo 31 bytes on 2026-11-21, {'a1' * 32}\n{{}}\n$ ls\nbeside\n```\n"
    shown = page.format(f"28 bytes on 2025-01-01, {'b2' * 32}")
    assert documents.renewed(shown) == shown


def test_no_test_imports_another() -> None:
    """A test that another needs can't be moved or changed by itself; what both need lies in tests/support."""
    imported = [
        (path, name)
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in _imported_modules(node)
    ]
    assert len(imported) > 1000
    tests = re.compile(r"tests\.(.+\.)?(test_\w+|conftest)(\.|$)")
    assert [f"{path.relative_to(ROOT)} imports {name}" for path, name in imported if tests.match(name)] == []


def _imported_modules(node: ast.AST) -> list[str]:
    """The full names that an import statement may mean."""
    if isinstance(node, ast.ImportFrom):
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_bytes()) <= MOST_BYTES


def test_the_page_of_commands_is_current() -> None:
    """An option that `--help` has and the page hasn't is found by nobody."""
    assert cli_page.PAGE.read_text(encoding="utf-8") == cli_page.page(), "python -m tests.tools.cli_page"


def test_the_page_of_manifests_is_current() -> None:
    """A key that the page has and the model hasn't is refused, and nobody knows why."""
    text = manifests_page.PAGE.read_text(encoding="utf-8")
    assert manifests_page.page(text) == text, "python -m tests.tools.manifests_page"
    assert re.findall("<!-- keys of (.+) -->", text) == list(manifests_page.FILES)
    assert manifests_page.without_meaning() == []


def test_the_table_of_wrong_contributions_is_the_tests() -> None:
    """Each row is a file that a test hands in, with what `receive` says of it."""
    assert wrong_contributions.table() in (ROOT / "docs" / "affiliates.md").read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize(
    "page", [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("findings/*.md")], ids=lambda page: page.stem
)
def test_links_lead_somewhere(page: Path) -> None:
    """To a file that is there, and to one of its headings."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", text):
        path = page.parent / target if target else page
        assert path.exists(), target
        assert not anchor or anchor in anchors(path), f"{target}#{anchor}"


def test_each_page_is_one_click_from_the_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    pages = {page.name for page in (ROOT / "docs").glob("*.md")}
    assert pages - {"index.md"} <= set(re.findall(r"\]\(([^)#]+)\)", index))


def test_each_path_of_the_architecture_is_there() -> None:
    """A page that sends a newcomer to a module that has moved is worse than none."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    paths = set(re.findall(r"`((?:affiliates|pipelines|dashboards|sql|tests)/[\w./-]*)`", text))
    assert len(paths) > 50
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []


def test_each_check_that_the_page_promises_is_a_test() -> None:
    """A promise that nothing tests would stand on the page long after the code has dropped the check."""
    text = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    assert rows
    for row in rows:
        named = re.findall(r"`(tests/[\w/.]+\.py)::(\w+)`", row.split(" | ")[-1])
        assert named, f"the row names no test: {row}"
        for path, name in named:
            assert re.search(rf"^\s*def {name}\(", (ROOT / path).read_text(encoding="utf-8"), flags=re.MULTILINE), row


def test_pins_are_names_and_versions_alone() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert lines
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line) for line in lines)
    pinned = {re.sub("[-_.]+", "-", line.partition("==")[0]).lower() for line in lines}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + [d for extra in project["optional-dependencies"].values() for d in extra]
    assert {re.split(r"[><=\[]", name)[0].lower() for name in wanted} <= pinned


def _locked(name: str) -> dict[str, str]:
    """By package, the version in a lock of requirements/, without what Windows alone would install; each has digests."""
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8").replace("\\\n", " ")
    rows = re.findall(
        r"^([\w.-]+)(?:\[[\w,-]+\])?==([\w.+!]+)( ;[^-]*?)?((?: +--hash=sha256:[0-9a-f]{64})+)\s*$", text, re.MULTILINE
    )
    assert len(rows) == len([line for line in text.splitlines() if line.strip()]), f"{name} has a line without a digest"
    return {re.sub("[-_.]+", "-", row[0]).lower(): row[1] for row in rows if "'win32'" not in row[2]}


@pytest.mark.parametrize("name", ["core.txt", "development.txt", "spark.txt"])
def test_the_lock_has_the_pins_and_a_digest_of_every_file(name: str) -> None:
    """A package that pip may fetch unseen is code of a stranger's on a machine that holds the group key."""
    pins = dict(line.lower().split("==") for line in (ROOT / "constraints.txt").read_text().splitlines())
    pins = {re.sub("[-_.]+", "-", package): version for package, version in pins.items()}
    for package, version in _locked(name).items():
        assert pins.get(package) == version, f"{package}: make lock"


def test_the_set_up_takes_nothing_without_a_digest() -> None:
    """What the two commands install comes from the lock alone."""
    makefile = (ROOT / "Makefile").read_text()
    installs = [line for line in makefile.splitlines() if "-m pip install" in line]
    loose = [line for line in installs if "--require-hashes" not in line and "--no-deps --no-build-isolation -e ." not in line]
    assert sorted(re.findall(r"(\.venv-\w+)", " ".join(loose))) == [".venv-bench", ".venv-lock"]
    assert {f"{path.name}" for path in (ROOT / "requirements").iterdir()} == {"core.txt", "development.txt", "spark.txt"}


def test_each_licence_of_what_is_installed_is_on_the_page() -> None:
    """A dependency whose licence nobody has read could bind whoever installs mauwatch."""
    listed = re.findall(r"^\| ([\w-]+) \| (yes)? *\| (.+) \|$", dependencies_page.PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert listed
    rows = {name: (in_core == "yes", licence) for name, in_core, licence in listed}
    here = {name: (in_core, dependencies_page.licence(name)) for name, in_core in dependencies_page.installed().items()}
    # Later versions of Python need fewer packages.
    assert here.items() <= rows.items(), "python -m tests.tools.dependencies_page"
    assert here == rows or sys.version_info >= (3, 12)


def test_the_readme_names_what_is_not_permissive() -> None:
    """LGPL is a word that counsel looks for before anybody installs anything."""
    paragraph = (ROOT / "README.md").read_text(encoding="utf-8").partition("\nLicence:")[2]
    reciprocal = [n for n in dependencies_page.installed() if dependencies_page.is_reciprocal(dependencies_page.licence(n))]
    assert {"fpdf2", "psycopg"} <= set(reciprocal)
    for name in reciprocal:
        assert re.sub(r"2?-binary$", "", name) in paragraph, name


def test_each_version_of_python_that_is_claimed_is_tested() -> None:
    """A claim of 3.13 that nobody has tried is a traceback on the first day."""
    claimed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert claimed == ">=3.11,<3.14"
    assert "for version in 3.12 3.13; do" in (ROOT / "Makefile").read_text()
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-4:] == ["make check", "make test", "make documents", "make pythons"]


def _decisions() -> dict[int, tuple[str, str]]:
    """Title and text of each decision by its number."""
    text = (ROOT / "DECISIONS.md").read_text(encoding="utf-8")
    parts = re.findall(r"^## (\d+)\. (.+)\n((?:(?!## ).*\n)*)", text, flags=re.MULTILINE)
    return {int(number): (title, body.strip()) for number, title, body in parts}


def test_no_test_rebuilds_the_environment() -> None:
    """A native thread that reads a variable meanwhile ends the process: once in a few runs of all tests."""
    whole = "patch.dict(" + "os.environ"
    assert [path.name for path in (ROOT / "tests").rglob("*.py") if whole in path.read_text()] == []


def test_decisions_are_numbered_and_short() -> None:
    decisions = _decisions()
    assert list(decisions) == list(range(1, len(decisions) + 1))
    assert all(len(body.splitlines()) <= 14 for _, body in decisions.values())


def test_the_index_of_decisions_is_complete_and_says_what_is_in_force() -> None:
    """A reader who believes the index must not build on a decision that a later one has taken back."""
    decisions = _decisions()
    index = (ROOT / "DECISIONS.md").read_text(encoding="utf-8").partition("\n## ")[0]
    rows = re.findall(r"^\|[^|]*\| (\d+) \| \[(.+)\]\(#(.+)\) \| (.+) \|$", index, flags=re.MULTILINE)
    assert sorted(int(number) for number, *_ in rows) == list(decisions)
    status = {}
    for text, title, anchor, row_status in rows:
        number = int(text)
        status[number] = row_status
        assert title == decisions[number][0]
        assert anchor.startswith(f"{number}-")
        superseded = re.fullmatch(r"superseded by (\d+)( in part)?", row_status)
        assert superseded or row_status == "in force"
        assert superseded is None or number < int(superseded[1]) <= len(decisions)
    stated = [
        (int(old), new)
        for new, (_, body) in decisions.items()
        for old in re.findall(r"\bSupersedes (?:the last clause of )?(\d+)", body)
    ]
    assert stated
    for old, new in stated:
        assert re.match(rf"superseded by {new}\b", status[old]), (old, new)


def test_a_commits_hooks_are_local_and_are_what_make_check_runs() -> None:
    """A hook from elsewhere would bring other versions than the pins."""
    repositories = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert {repository["repo"] for repository in repositories} == {"local"}
    entries = [hook["entry"] for repository in repositories for hook in repository["hooks"]]
    check = (ROOT / "Makefile").read_text().partition("\ncheck:")[2].partition("\n\n")[0]
    assert entries == [f".venv/bin/{command}" for command in re.findall(r"^\t\$\(BIN\)/(.+)$", check, flags=re.MULTILINE)]


def test_owners_are_teams_of_what_there_is() -> None:
    for line in (ROOT / "CODEOWNERS").read_text().splitlines():
        if line.startswith("#"):
            continue
        pattern, *owners = line.split()
        assert pattern == "*" or (ROOT / pattern.strip("/")).exists(), pattern
        assert owners
        assert all(re.fullmatch(r"@mauwatch/[a-z]+", owner) for owner in owners)


def test_findings_are_at_most_eight_scripts_of_pinned_packages() -> None:
    """Without pins a script would one day show another version than the one that its head names."""
    listed = (ROOT / "findings" / "README.md").read_text(encoding="utf-8")
    scripts = sorted((ROOT / "findings").glob("*.sh"))
    assert 0 < len(scripts) <= 8
    for script in scripts:
        text = script.read_text(encoding="utf-8")
        assert f"]({script.name})" in listed
        assert os.access(script, os.X_OK)
        assert "mktemp -d" in text
        assert "trap 'rm -rf \"$folder\"' EXIT" in text
        install = re.search(r"pip install ((?:.*\\\n)*.*)\n", text)
        assert install
        packages = [word for word in install[1].split() if word != "\\" and not word.startswith("--")]
        assert packages
        assert all(re.fullmatch(r"[a-z0-9-]+==[0-9.]+", package) for package in packages)


def test_the_wheel_holds_what_runs_from_it(tmp_path: Path) -> None:
    """sql/ and demo/ are no packages: left out, an installed mauwatch would fail at its first run."""
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    unpacked = tmp_path / "unpacked"
    zipfile.ZipFile(wheel).extractall(unpacked)
    # numba takes loops that are compiled already from a folder beside a source of the same moment and size.
    loops = Path("affiliates") / "sketches" / "kernels"
    for source in (ROOT / loops).glob("*.py"):
        shutil.copystat(source, unpacked / loops / source.name)
    (unpacked / loops / "__pycache__").mkdir()
    for compiled in (ROOT / loops / "__pycache__").glob("*.nb[ci]"):
        shutil.copy(compiled, unpacked / loops / "__pycache__")
    assert not (unpacked / "tests").exists()
    assert not (unpacked / "sql").exists()
    assert (unpacked / "affiliates" / "identity" / "normalisation_v1.json").is_file()
    assert all((unpacked / package / "py.typed").is_file() for package in ("affiliates", "pipelines", "dashboards"))
    (licence,) = unpacked.glob("mauwatch-*.dist-info/licenses/LICENSE")
    assert licence.read_text() == (ROOT / "LICENSE").read_text()
    ours = sorted(path.relative_to(ROOT / "demo") for path in (ROOT / "demo").rglob("*") if path.is_file())
    assert (
        sorted(
            p.relative_to(unpacked / "dashboards" / "demo" / "data")
            for p in (unpacked / "dashboards" / "demo" / "data").rglob("*.*")
        )
        == ours
    )
    code = (
        f"import sys; sys.path.insert(0, {str(unpacked)!r}); import dashboards; "
        f"assert dashboards.__file__.startswith({str(unpacked)!r}); "
        "sys.argv = ['mauwatch', *sys.argv[1:]]; from dashboards.cli.main import main; main()"
    )
    run = ["run", "--group", "made", "--from", "2025-01-01", "--to", "2025-01-31"]
    for command in (["init", "made"], run, ["licences", "--group", "made", "--json"]):
        ran = subprocess.run(
            [sys.executable, "-P", "-c", code, *command], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stderr
    assert '"llama-4"' in ran.stdout


@pytest.mark.parametrize("folder", ["affiliates", "pipelines", "dashboards", "tests", "sql", "demo"])
def test_no_raw_address_of_a_person(folder: str) -> None:
    """Only example.com and example.org, and what normalisation is documented with."""
    allowed = re.compile(r"@(?:[a-z.]+\.)?example\.(?:com|org)|@(?:gmail|googlemail)\.com", re.IGNORECASE)
    for path in (ROOT / folder).rglob("*"):
        if path.suffix in {".py", ".yaml", ".md", ".csv", ".sql"}:
            for address in re.findall(r"[\w.+-]+@[\w-]+\.[\w.-]+", path.read_text(encoding="utf-8")):
                assert allowed.search(address), (path.name, address)
