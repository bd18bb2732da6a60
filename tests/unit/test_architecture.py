"""The dependency rule and the house rules, read from the source.

Who may import whom, from the bottom to the top (README.md, "Architecture"):

    values < rules < plugins < search < runs < command line and interface < pages

Each layer may import the layers below it; a layer's modules may import each other, but plugin packages never do.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ttc_core.settings import REPOSITORY

MAX_LINES = 330  # "about 300"
LONGER: dict[str, int] = {}
# A name covers the module and everything below it. The first part of a module's name that is listed decides.
LAYERS: tuple[tuple[str, ...], ...] = (
    (
        "ttc_core",
        "ttc_core.types",
        "ttc_core.jobs",
        "ttc_core.errors",
        "ttc_core.files",
        "ttc_core.seeds",
        "ttc_core.settings",
    ),
    (
        "ttc_core.registry",
        "ttc_core.accounting",
        "ttc_core.chains",
        "ttc_core.drawing",
        "ttc_core.models",
        "ttc_core.models_file",
        "ttc_core.prompts",
        "ttc_core.policies",
        "ttc_core.reading",
        "ttc_core.selection",
        "ttc_core.solutions",
        "ttc_core.stepwise",
        "ttc_core.tree",
        "ttc_core.treewise",
        "ttc_core.trying",
    ),
    (
        "ttc_core.strategies",
        "ttc_core.verifiers",
        "ttc_core.engines",
        "ttc_core.datasets",
        "ttc_core.grading",
        "ttc_core.analysis",
        "ttc_core.figures",
    ),
    (
        "ttc_core.backend",
        "ttc_core.scoring",
        "ttc_core.search",
        "ttc_core.shared",
        "ttc_core.lanes",
        "ttc_core.scheduler",
        "ttc_core.runs_views",
    ),
    (
        "ttc_core.store",
        "ttc_core.export",
        "ttc_core.bundle",
        "ttc_core.doctor",
        "ttc_core.runs_checks",
        "ttc_core.runs_continued",
        "ttc_core.runs_steps",
        "ttc_core.runs_documents",
        "ttc_core.runs_driver",
        "ttc_core.runs_shipped",
        "ttc_core.runs",
        "ttc_core.access",
        "ttc_core.saved_figures",
        "ttc_core.studies",
        "ttc_core.studies_asked",
        "ttc_core.studies_chosen",
        "ttc_core.studies_crew",
        "ttc_core.studies_driver",
        "ttc_core.studies_file",
        "ttc_core.studies_frames",
        "ttc_core.studies_plan",
        "ttc_core.studies_export",
        "ttc_core.studies_pools",
        "ttc_core.studies_ray",
        "ttc_core.studies_time",
        "ttc_core.studies_views",
        "ttc_core.studies_written",
        "ttc_core.toml_lines",
        "ttc_core.importing",
        "ttc_core.lab",
        "ttc_core.bench",
    ),
    ("ttc_core.worker", "ttc_core.cli", "ttc_core.ui", "ttc_core.__main__"),
    ("pages", "app"),
)
PLUGINS = LAYERS[2]
APART = (
    *PLUGINS,
    "ttc_core.lab",
    "ttc_core.bench",
    "ttc_core.store",
    "ttc_core.export",
    "ttc_core.ui",
    "ttc_core.cli",
    "pages",
)
ALLOWED_IN = {  # third-party package: where it may be imported at all
    "streamlit": ("ttc_core.ui", "pages", "app"),
    "sqlalchemy": ("ttc_core.store",),
    "alembic": ("ttc_core.store",),
}
# Only inside the functions that need them.
HEAVY = ("torch", "transformers", "vllm", "ray", "httpx", "math_verify", "sympy", "datasets", "pyarrow", "matplotlib")
DANGEROUS_CALLS = ("eval", "exec", "compile", "__import__")
DANGEROUS_MODULES = ("pickle", "dill", "cloudpickle", "shelve", "marshal")


def sources() -> list[Path]:
    """Every Python file of the program."""
    found = [*REPOSITORY.glob("ttc_core/**/*.py"), *REPOSITORY.glob("pages/*.py"), REPOSITORY / "app.py"]
    return sorted(path for path in found if path.is_file())


def module(path: Path) -> str:
    """ttc_core/store/schema.py -> ttc_core.store.schema."""
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(tree: ast.AST) -> Iterator[tuple[str, bool]]:
    """(imported module, whether at module level) of every import; TYPE_CHECKING blocks do not run and do not count."""

    def visit(node: ast.AST, top: bool) -> Iterator[tuple[str, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            if isinstance(child, ast.Import):
                yield from ((name.name, top) for name in child.names)
            elif isinstance(child, ast.ImportFrom):
                base = child.module or ""
                yield from ((f"{base}.{name.name}" if base else name.name, top) for name in child.names)
            else:
                yield from visit(child, top and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef))

    yield from visit(tree, True)


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def home(name: str) -> tuple[int, str] | None:
    """Layer number and listed name of a module, None for a module that is not ours."""
    if name.split(".")[0] not in ("ttc_core", "pages", "app"):
        return None
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        prefix = ".".join(parts[:length])
        for number, layer in enumerate(LAYERS):
            if prefix in layer and (prefix != "ttc_core" or length == len(parts)):
                return number, prefix
    return None


def wrong_imports(name: str, tree: ast.AST) -> list[str]:
    """What a module imports against the rules, each as one sentence."""
    mine = home(name)
    if mine is None:
        return [f"{name} is in no layer: add it to LAYERS in tests/unit/test_architecture.py"]
    complaints = []
    for imported, top in imports(tree):
        package = imported.split(".")[0]
        allowed = ALLOWED_IN.get(package)
        if allowed is not None and not any(within(name, place) for place in allowed):
            complaints.append(f"{name} imports {package}, which only {' and '.join(allowed)} may")
        if package in HEAVY and top and not within(name, "ttc_core.lab"):
            complaints.append(f"{name} imports {package} at module level")
        if package in DANGEROUS_MODULES:
            complaints.append(f"{name} imports {package}")
        theirs = home(imported)
        if theirs is None or imported == "ttc_core":
            continue
        if theirs[0] > mine[0]:
            complaints.append(f"{name} imports {imported}, which is in a higher layer")
        elif theirs[1] in APART and mine[1] != theirs[1] and theirs[0] == mine[0] and _siblings(mine[1], theirs[1]):
            complaints.append(f"{name} imports its sibling {theirs[1]}")
    return complaints


def _siblings(mine: str, theirs: str) -> bool:
    return mine in APART and theirs in APART


def wrong_code(name: str, tree: ast.AST) -> list[str]:
    """Statements that have no place in the program."""
    complaints = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert) and not within(name, "ttc_core.lab"):
            complaints.append(f"{name}, line {node.lineno}: assert checks nothing under python -O; raise an error")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in DANGEROUS_CALLS:
            complaints.append(f"{name}, line {node.lineno}: {node.func.id}()")
        if isinstance(node, ast.ImportFrom) and node.level:
            complaints.append(f"{name}, line {node.lineno}: a relative import")
    return complaints


@pytest.mark.parametrize("path", sources(), ids=module)
def test_a_file_keeps_the_rules(path):
    text = path.read_text("utf-8")
    tree = ast.parse(text)
    assert wrong_imports(module(path), tree) + wrong_code(module(path), tree) == []
    assert text.count("\n") <= LONGER.get(module(path), MAX_LINES)


def test_the_strategies_are_pure():
    impure = ("random", "numpy", "time", "asyncio", "threading", "os", "socket", "subprocess", "ttc_core.engines")
    for path in (REPOSITORY / "ttc_core/strategies").glob("*.py"):
        found = {name for name, _ in imports(ast.parse(path.read_text("utf-8")))}
        used = {n for n in found if any(within(n, i) for i in impure)} - {"random.Random"}
        assert used == set(), path.name


@pytest.mark.parametrize(
    ("name", "code", "complaint"),
    [
        ("ttc_core.types", "from ttc_core import registry", "higher layer"),
        ("ttc_core.strategies.x", "from ttc_core.scheduler import Scheduler", "higher layer"),
        ("ttc_core.strategies.x", "from ttc_core import engines", "sibling"),
        ("ttc_core.verifiers.x", "import ttc_core.engines.scripted", "sibling"),
        ("ttc_core.cli.x", "def f():\n    from ttc_core.ui import words", "sibling"),
        ("ttc_core.runs", "import streamlit as st", "streamlit"),
        ("ttc_core.ui.x", "def f():\n    from sqlalchemy import text", "sqlalchemy"),
        ("ttc_core.engines.x", "import torch", "module level"),
        ("ttc_core.engines.x", "class A:\n    import torch.nn", "module level"),
        ("ttc_core.engines.x", "import pickle", "pickle"),
        ("ttc_core.brand_new", "import os", "in no layer"),
    ],
)
def test_the_rules_can_be_broken(name, code, complaint):
    assert any(complaint in found for found in wrong_imports(name, ast.parse(code)))


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("ttc_core.strategies.x", "from ttc_core.types import Node\nfrom ttc_core import registry"),
        ("ttc_core.engines.x", "def f():\n    import torch"),
        ("ttc_core.types", "if TYPE_CHECKING:\n    from ttc_core import registry"),
        ("pages.solve", "import streamlit\nfrom ttc_core import runs\nfrom ttc_core.ui import words"),
    ],
)
def test_what_the_rules_allow(name, code):
    assert wrong_imports(name, ast.parse(code)) == []


@pytest.mark.parametrize("code", ["assert x", "eval('1')", "exec('1')", "from . import types"])
def test_code_that_has_no_place(code):
    assert wrong_code("ttc_core.runs", ast.parse(code)) != []


def loaded_after(statement: str) -> set[str]:
    """Top-level packages in memory after a statement, in a fresh interpreter."""
    code = f"{statement}\nimport sys; print(' '.join({{m.split('.')[0] for m in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=True
    )
    return set(done.stdout.split())


def test_importing_the_core_is_light():
    heavy = {"torch", "transformers", "vllm", "ray", "streamlit", "sqlalchemy", "numpy", "pandas", "scipy"}
    assert loaded_after("import ttc_core, ttc_core.types, ttc_core.registry, ttc_core.selection") & heavy == set()


@pytest.mark.lab
def test_the_facade_and_every_plugin_come_without_torch():
    statement = "from ttc_core import runs, registry\nfor kind in registry.PACKAGES: registry.names(kind)"
    assert loaded_after(statement) & {"torch", "transformers", "vllm", "ray", "streamlit"} == set()
