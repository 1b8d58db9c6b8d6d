"""The pure half has no clock, no randomness and no IO of its own, and nothing in it iterates over a set."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "holdwater"
PURE = ("kernel", "wire", "storage", "core", "broker")
FORBIDDEN = frozenset(
    {
        "asyncio",
        "socket",
        "ssl",
        "threading",
        "subprocess",
        "time",
        "datetime",
        "random",
        "secrets",
        "uuid",
        "os",
        "pathlib",
        "logging",
        "multiprocessing",
        "select",
        "signal",
        "tempfile",
    }
)
ALLOWED = {("kernel/rng.py", "random")}
"""The one place where a generator is made, from a seed that it is given."""
LONGEST_FUNCTION = 90
"""A ratchet: no function below ``node`` is longer; lower it when the longest gets shorter."""


def pure_files() -> list[Path]:
    return sorted(path for folder in PURE for path in (SOURCE / folder).rglob("*.py"))


def imported(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0:
            names.add(node.module.partition(".")[0])
    return names


@pytest.mark.parametrize("path", pure_files(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_nothing_impure_is_imported(path: Path) -> None:
    name = str(path.relative_to(SOURCE))
    found = {module for module in imported(ast.parse(path.read_text())) & FORBIDDEN if (name, module) not in ALLOWED}
    assert not found, f"{name} imports {sorted(found)}; clock, randomness and IO come in as arguments below node/"


@pytest.mark.parametrize("path", pure_files(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_loop_over_a_set_literal_or_call(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        iterated = [node.iter] if isinstance(node, ast.For) else [g.iter for g in getattr(node, "generators", [])]
        for each in iterated:
            is_set = isinstance(each, ast.Set | ast.SetComp) or (
                isinstance(each, ast.Call) and isinstance(each.func, ast.Name) and each.func.id in {"set", "frozenset"}
            )
            assert not is_set, f"{path.name}:{each.lineno} iterates over a set, whose order is not the same everywhere"


@pytest.mark.parametrize("path", pure_files(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_functions_fit_a_screen(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= LONGEST_FUNCTION, f"{path.name}: {node.name} has {length} lines"
