"""The scenarios by name. Each module has one, with the options that it takes and what it promises."""

from collections.abc import Callable
from typing import NamedTuple

from holdwater.prove.scenario import Scenario
from holdwater.prove.scenarios import leader_election
from holdwater.prove.scenarios.options import Options


class Entry(NamedTuple):
    """One scenario in the catalogue."""

    summary: str
    build: Callable[[Options], Scenario]


CATALOGUE: dict[str, Entry] = {
    "leader-election": Entry(leader_election.SUMMARY, leader_election.build),
}
