"""Planted bugs: known ways to lose data, each of which the simulator must find. A checker that never failed proves nothing.

A bug is a small change of the shipped source, old text and new, made in memory while a run lasts: the shipped code holds no trace of it, and a
bug whose place has changed since is an error, not a bug that no longer bites. ``exhibits`` lists them.
"""

import inspect
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from types import CodeType, FunctionType
from typing import Any

from holdwater.sim.exhibit import Change, PlantedBug
from holdwater.sim.exhibits import EXHIBITS

BUGS: dict[str, PlantedBug] = {bug.name: bug for bug in EXHIBITS}
NAMES: tuple[str, ...] = tuple(BUGS)


class NotPlanted(ValueError):  # noqa: N818 - named for what a bug is not
    """A bug that there is none of, or whose place in the source has changed."""


@contextmanager
def planted(names: Sequence[str]) -> Iterator[None]:
    """Let the shipped code have these bugs. Raises ``NotPlanted``."""
    unknown = [name for name in names if name not in BUGS]
    if unknown:
        raise NotPlanted(f"there is no planted bug '{unknown[0]}'; there are {', '.join(NAMES)}")
    kept: list[tuple[FunctionType, CodeType]] = []
    try:
        for name in names:
            for function, code in _changed(BUGS[name]):
                kept.append((function, function.__code__))
                function.__code__ = code
        yield
    finally:
        for function, code in reversed(kept):
            function.__code__ = code


def _changed(bug: PlantedBug) -> list[tuple[FunctionType, CodeType]]:
    """The functions that a bug changes, each with its wrong code."""
    by_place: dict[tuple[str, str], list[Change]] = {}
    for change in bug.changes:
        by_place.setdefault((change.module, change.function), []).append(change)
    return [(_find(module, name), _wrong_code(bug.name, module, name, changes)) for (module, name), changes in by_place.items()]


def _find(module: str, name: str) -> FunctionType:
    """A function by its qualified name; a property's getter by the property's."""
    found: Any = import_module(f"holdwater.{module}")
    for part in name.split("."):
        found = inspect.getattr_static(found, part)
    if isinstance(found, property):
        found = found.fget
    if isinstance(found, staticmethod):
        found = found.__func__
    if not isinstance(found, FunctionType):
        raise NotPlanted(f"{module}.{name} is no function")
    return found


def _wrong_code(bug: str, module: str, name: str, changes: Sequence[Change]) -> CodeType:
    function = _find(module, name)
    source = textwrap.dedent(inspect.getsource(function))
    for change in changes:
        if source.count(change.old) != 1:
            raise NotPlanted(
                f"planted bug '{bug}': {module}.{name} has {source.count(change.old)} times {change.old!r}, and should have one"
            )
        source = source.replace(change.old, change.new)
    compiled = compile(f"from __future__ import annotations\n{source}", function.__code__.co_filename, "exec")
    wrong = next(code for code in compiled.co_consts if isinstance(code, CodeType) and code.co_name == function.__name__)
    if wrong.co_freevars != function.__code__.co_freevars:
        raise NotPlanted(f"planted bug '{bug}': {module}.{name} uses variables of what is around it")
    return wrong
