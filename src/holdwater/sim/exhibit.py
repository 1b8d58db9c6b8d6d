"""What a planted bug is made of."""

from typing import NamedTuple


class Change(NamedTuple):
    """One function's source with ``old`` replaced by ``new``. ``module`` is below the package, ``function`` qualified."""

    module: str
    function: str
    old: str
    new: str


class PlantedBug(NamedTuple):
    """One exhibit."""

    name: str
    summary: str
    codes: tuple[str, ...]
    """By which invariants it may be found."""
    changes: tuple[Change, ...]
