"""Counts how readable a checkout is: `python tests/tools/count_house.py [CHECKOUT] [--check]`.

The bars are for the product: the modules of affiliates/, pipelines/ and dashboards/. Other Python stands beside, without a bar.
`--check` ends with 1 where a bar is missed. What is counted, and how:

- packed assignments: a tuple of targets from a tuple written out (`a, b = x, y`), by all assignments by a plain `=`
- vague names: `found`, `said`, `told` and `made` bound inside a function, its parameters among them; counted once a function
  and name, and beside it every occurrence
- comments: lines with a comment, by lines with code; what only steers a tool (noqa, type, fmt) is none, a docstring is no code
- without a docstring: modules, and classes, functions and methods whose own name and whose owners' names begin without an
  underscore; no nested functions, no `@overload`, and no method that overrides one of a class in the same module
- modules: without `__init__.py`; their lines are all lines
"""

import argparse
import ast
import io
import sys
import tokenize
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

PRODUCT = ("affiliates", "pipelines", "dashboards")
BESIDE = ("sql", "findings", "tests")
VAGUE = ("found", "said", "told", "made")
PARTICIPLES = frozenset(
    [
        "alerting",
        "answering",
        "attested",
        "bundled",
        "closing",
        "collected",
        "contributed",
        "contributing",
        "crossed",
        "erased",
        "erasing",
        "evidencing",
        "found",
        "given",
        "granted",
        "held",
        "kept",
        "known",
        "left_out",
        "licensing",
        "logged",
        "made",
        "measuring",
        "published",
        "receiving",
        "removed",
        "replaced",
        "replacing",
        "ruled_out",
        "said",
        "sent",
        "shown",
        "simulated",
        "sweeping",
        "taken",
        "taking",
        "telling",
        "told",
        "verifying",
        "watched",
        "watching",
    ]
)
"""Participles of words of every day, as whole names of modules; `signing` and `forecasting` are nouns of the field."""
STEERING = ("# noqa", "# type:", "# fmt:", "# pragma:", "# mypy:", "# ruff:")
LONGEST, MEDIAN = 400, 150
README, PROJECT = 8192, 200
PACKED, SKIPPED, VAGUE_BOUND, COMMENTED = 0.02, 30, 100, 0.03
TOPS = {"affiliates": (9, 4), "pipelines": (12, 6)}
"""Packages at most, and modules at most, at the top of each."""

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass
class Counts:
    """The counts of some modules; they add up."""

    assignments: int = 0
    packed: int = 0
    skips: int = 0
    bound: int = 0
    """Pairs of a function and a vague name that it binds."""
    occurrences: int = 0
    """Of vague names, wherever they stand."""
    comments: int = 0
    code: int = 0
    bare: list[str] = field(default_factory=list)
    """Public definitions without a docstring, as `path:line name`."""
    lengths: list[tuple[str, int]] = field(default_factory=list)
    """Each module's path and lines."""
    classes: Counter[str] = field(default_factory=Counter)
    where_packed: list[str] = field(default_factory=list)
    where_bound: list[str] = field(default_factory=list)

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(mine + theirs for mine, theirs in zip(vars(self).values(), vars(other).values(), strict=True)))

    @property
    def packed_share(self) -> float:
        """Packed assignments by all assignments."""
        return self.packed / max(self.assignments, 1)

    @property
    def comment_share(self) -> float:
        """Lines with a comment by lines with code."""
        return self.comments / max(self.code, 1)

    @property
    def ambiguous(self) -> list[str]:
        """Names that more than one class has."""
        return sorted(name for name, number in self.classes.items() if number > 1)

    @property
    def long(self) -> list[str]:
        """Modules over the longest length."""
        return sorted(path for path, lines in self.lengths if lines > LONGEST)

    @property
    def median(self) -> float:
        """Of the lengths of modules, in lines."""
        return median(lines for _, lines in self.lengths) if self.lengths else 0

    @property
    def participles(self) -> list[str]:
        """Modules and packages with a participle for a name."""
        parts = {part for path, _ in self.lengths for part in (Path(path), *Path(path).parents)}
        return sorted(str(part) for part in parts if part.stem in PARTICIPLES)


def of_text(text: str, path: str) -> Counts:
    """The counts of one module, given as text; raises `SyntaxError` where it isn't Python."""
    tree = ast.parse(text)
    counts = Counts()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            counts.assignments += 1
            if _is_packed(node):
                counts.packed += 1
                counts.where_packed.append(f"{path}:{node.lineno}")
        name = node.id if isinstance(node, ast.Name) else node.arg if isinstance(node, ast.arg) else None
        counts.occurrences += name in VAGUE
        if isinstance(node, ast.ClassDef):
            counts.classes[node.name] += 1
    for function, names in _bindings(tree):
        counts.bound += len(names)
        counts.where_bound += [f"{path}:{function} {name}" for name in sorted(names)]
    counts.bare = [f"{path}:{line} {name}" for line, name in _without_docstring(tree)]
    if Path(path).name != "__init__.py":
        counts.lengths.append((path, len(text.splitlines())))
    return counts + _of_tokens(text, tree)


def _is_packed(node: ast.Assign) -> bool:
    return isinstance(node.value, ast.Tuple) and any(isinstance(target, ast.Tuple) for target in node.targets)


def _bindings(tree: ast.AST) -> Iterator[tuple[int, set[str]]]:
    """Each function's line and the vague names that it binds itself, not by a function inside it."""
    for node in ast.walk(tree):
        if isinstance(node, Function):
            arguments = node.args
            names = {
                a.arg
                for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg)
                if a
            }
            body = [node.body] if isinstance(node, ast.Lambda) else node.body
            names |= {name for part in body for name in _bound_in(part)}
            if vague := names & set(VAGUE):
                yield node.lineno, vague


def _bound_in(node: ast.AST) -> Iterator[str]:
    if isinstance(node, Function | ast.ClassDef):
        return
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    for child in ast.iter_child_nodes(node):
        yield from _bound_in(child)


def _without_docstring(tree: ast.Module) -> Iterator[tuple[int, str]]:
    if tree.body and not ast.get_docstring(tree):
        yield 1, "(module)"
    methods = {node.name: _methods(node) for node in tree.body if isinstance(node, ast.ClassDef)}
    for node in tree.body:
        if _is_bare(node):
            yield node.lineno, node.name  # type: ignore[attr-defined]
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            inherited = {name for base in node.bases if isinstance(base, ast.Name) for name in methods.get(base.id, ())}
            for inner in node.body:
                if _is_bare(inner) and inner.name not in inherited:  # type: ignore[attr-defined]
                    yield inner.lineno, f"{node.name}.{inner.name}"  # type: ignore[attr-defined]


def _methods(node: ast.ClassDef) -> set[str]:
    return {inner.name for inner in node.body if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef)}


def _is_bare(node: ast.stmt) -> bool:
    """Whether it is a public definition without a docstring."""
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or node.name.startswith("_"):
        return False
    overload = any(ast.unparse(decorator).split(".")[-1] == "overload" for decorator in node.decorator_list)
    return not overload and not ast.get_docstring(node)


def _of_tokens(text: str, tree: ast.Module) -> Counts:
    """The counts that no syntax tree has: comments, lines of code, and what the formatter is told to skip."""
    documentation = set(_docstring_lines(tree))
    comments, code, skips = set[int](), set[int](), 0
    idle = {tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING, tokenize.ENDMARKER}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        line = token.start[0]
        if token.type == tokenize.COMMENT:
            skips += token.string.startswith("# fmt: skip")
            if not token.string.startswith(STEERING):
                comments.add(line)
        elif token.type not in idle:
            code |= set(range(line, token.end[0] + 1)) - documentation
    return Counts(comments=len(comments), code=len(code), skips=skips)


def _docstring_lines(tree: ast.Module) -> Iterator[int]:
    """Lines of texts that stand by themselves: docstrings, and those beneath a constant or a field."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield from range(node.lineno, (node.end_lineno or node.lineno) + 1)


def of_folder(checkout: Path, folder: str) -> Counts:
    """The counts of all Python in a folder of a checkout."""
    total = Counts()
    for path in sorted((checkout / folder).rglob("*.py")):
        total += of_text(path.read_text(encoding="utf-8"), str(path.relative_to(checkout)))
    return total


def tops(checkout: Path, folder: str) -> tuple[list[str], list[str]]:
    """The packages and the modules at the top of a package."""
    packages = sorted(path.parent.name for path in (checkout / folder).glob("*/*.py") if path.name == "__init__.py")
    return packages, sorted(path.stem for path in (checkout / folder).glob("*.py") if path.name != "__init__.py")


ROWS: dict[str, Callable[[Counts], str]] = {
    "modules": lambda counts: f"{len(counts.lengths)}",
    "lines, median": lambda counts: f"{counts.median:.0f}",
    f"modules over {LONGEST} lines": lambda counts: f"{len(counts.long)}",
    "assignments": lambda counts: f"{counts.assignments:,}",
    "packed assignments": lambda counts: f"{counts.packed:,}",
    "packed, share": lambda counts: f"{counts.packed_share:.1%}",
    "fmt: skip": lambda counts: f"{counts.skips}",
    "vague names bound": lambda counts: f"{counts.bound:,}",
    "vague names, occurrences": lambda counts: f"{counts.occurrences:,}",
    "lines of code": lambda counts: f"{counts.code:,}",
    "lines with a comment": lambda counts: f"{counts.comments:,}",
    "comments, share": lambda counts: f"{counts.comment_share:.1%}",
    "without a docstring": lambda counts: f"{len(counts.bare)}",
    "class names defined twice": lambda counts: f"{len(counts.ambiguous)}",
    "named by a participle": lambda counts: f"{len(counts.participles)}",
}


def bars(checkout: Path, product: Counts) -> Iterator[tuple[bool, str]]:
    """Each bar: whether it is held, and what was counted."""
    yield product.packed_share < PACKED, f"packed assignments {product.packed_share:.1%}, under {PACKED:.0%}"
    yield product.skips < SKIPPED, f"fmt: skip {product.skips}, under {SKIPPED}"
    yield product.bound < VAGUE_BOUND, f"locals named found, said, told, made {product.bound}, under {VAGUE_BOUND}"
    yield product.comment_share >= COMMENTED, f"comments {product.comment_share:.1%}, {COMMENTED:.0%} or more"
    yield not product.bare, f"public definitions without a docstring {len(product.bare)}, none"
    yield (
        not product.long,
        f"modules over {LONGEST} lines {len(product.long)}, none: {', '.join(product.long)}".removesuffix(": "),
    )
    yield product.median < MEDIAN, f"median of a module's lines {product.median:.0f}, under {MEDIAN}"
    names = product.ambiguous
    yield not names, f"class names that mean two things {len(names)}, none: {', '.join(names)}".removesuffix(": ")
    named = product.participles
    yield not named, f"modules named by a participle {len(named)}, none: {', '.join(named)}".removesuffix(": ")
    for folder, (packages, modules) in TOPS.items():
        top = tops(checkout, folder)
        yield len(top[0]) <= packages, f"{folder}/: {len(top[0])} packages, at most {packages}"
        yield len(top[1]) <= modules, f"{folder}/: {len(top[1])} modules at the top, at most {modules}"
    size = (checkout / "README.md").stat().st_size
    yield size <= README, f"README.md {size:,} bytes, at most {README:,}"
    lines = len((checkout / "pyproject.toml").read_text(encoding="utf-8").splitlines())
    yield lines < PROJECT, f"pyproject.toml {lines} lines, under {PROJECT}"


def show(checkout: Path, details: bool) -> bool:
    """Prints the table and the bars of a checkout; whether all bars are held."""
    counted = {folder: of_folder(checkout, folder) for folder in (*PRODUCT, *BESIDE) if (checkout / folder).is_dir()}
    product = sum((counted[folder] for folder in PRODUCT), Counts())
    columns = {**{folder: counted[folder] for folder in PRODUCT}, "product": product}
    columns |= {folder: counts for folder, counts in counted.items() if folder in BESIDE}
    print(" " * 28 + "".join(f"{name:>12}" for name in columns))
    for row, cell in ROWS.items():
        print(f"{row:28}" + "".join(f"{cell(counts):>12}" for counts in columns.values()))
    held = True
    for fine, text in bars(checkout, product):
        held &= fine
        print(f"{'held  ' if fine else 'missed'}  {text}")
    if details:
        for title, lines in (("packed", product.where_packed), ("bound", product.where_bound), ("no docstring", product.bare)):
            print(*(f"{title}: {line}" for line in lines), sep="\n")
    return held


def main() -> None:
    """Reads the arguments; the checkout is by default the one that this stands in."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkout", type=Path, nargs="?", default=Path(__file__).parents[2])
    parser.add_argument("--check", action="store_true", help="end with 1 where a bar is missed")
    parser.add_argument("--details", action="store_true", help="name the lines, too")
    given = parser.parse_args()
    held = show(given.checkout, given.details)
    sys.exit(1 if given.check and not held else 0)


if __name__ == "__main__":
    main()
