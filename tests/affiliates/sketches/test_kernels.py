"""The modules of compiled loops: numba's cache would silently keep a loop of yesterday where a module needs another one."""

import ast
from pathlib import Path

import pytest

from affiliates.sketches import kernels

MODULES = [path for folder in kernels.__path__ for path in sorted(Path(folder).glob("*.py")) if path.stem != "__init__"]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_loop_rests_on_no_other_module_of_loops(path: Path) -> None:
    """A helper or a constant of another module would be compiled in, and a change of it not be noticed on users' machines."""
    imports = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.ImportFrom)]
    own = {node.module: {name.name for name in node.names} for node in imports if str(node.module).startswith("affiliates")}
    assert own.pop("affiliates.sketches.kernels.compiler", set()) <= {"compiled", "machine_instruction"}
    assert own.keys() <= {"affiliates.sketches.arrays"}, "arrays has types alone"
