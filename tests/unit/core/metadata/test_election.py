"""One change to one partition, as a table: who is alive, what is wanted, what the record says.

Broker 1 to 4 are alive unless the case says otherwise; min.insync.replicas is 2.
"""

from dataclasses import dataclass, field
from typing import Any

import pytest

from holdwater.core.metadata.election import Election, ElectionRules, PartitionChange
from holdwater.core.metadata.partition import LOST_DIRECTORY, RECOVERED, RECOVERING, UNASSIGNED_DIRECTORY, PartitionState
from holdwater.wire.messages import PartitionChangeRecord

TOPIC = b"topic-id-16bytes"


def state(
    *,
    replicas: tuple[int, ...] = (1, 2, 3),
    isr: tuple[int, ...] = (1, 2, 3),
    leader: int = 1,
    elr: tuple[int, ...] = (),
    last_known: tuple[int, ...] = (),
    recovery: int = RECOVERED,
    adding: tuple[int, ...] = (),
    removing: tuple[int, ...] = (),
    directories: tuple[bytes, ...] | None = None,
) -> PartitionState:
    where = directories or tuple(bytes([replica]) * 16 for replica in replicas)
    return PartitionState(replicas, where, isr, removing, adding, leader, recovery, 7, 9, elr, last_known)


@dataclass
class Case:
    name: str
    state: PartitionState
    wanted: dict[str, Any]
    record: dict[str, Any] | None
    dead: tuple[int, ...] = ()
    election: Election = Election.ONLINE
    elr_enabled: bool = True
    last_known_may_return: bool = True
    min_isr: int = 2
    names: list[str] = field(default_factory=list)


CASES = [
    Case("nothing is wanted", state(), {}, None),
    Case("a follower leaves a large ISR", state(), {"isr": [1, 2]}, {"isr": [1, 2]}),
    Case("a follower leaves and stays eligible", state(isr=(1, 2)), {"isr": [1]}, {"isr": [1], "eligible_leader_replicas": [2]}),
    Case("no more than needed: one returns, the other is no longer eligible", state(isr=(1,), elr=(2, 3)), {"isr": [1, 2]},
         {"isr": [1, 2], "eligible_leader_replicas": []}),
    Case("the leader dies", state(), {"isr": [2, 3]}, {"isr": [2, 3], "leader": 2}, dead=(1,)),
    Case("the order of replicas decides, not of the ISR", state(replicas=(1, 3, 2)), {"isr": [2, 3]}, {"isr": [2, 3], "leader": 3}, dead=(1,)),
    Case("the last one dies: nobody leads, it is eligible and remembered", state(isr=(1,)), {"isr": []},
         {"isr": [], "leader": -1, "eligible_leader_replicas": [1], "last_known_elr": [1]}, dead=(1, 2, 3)),
    Case("an eligible replica leads when the ISR is empty", state(isr=(), leader=-1, elr=(2, 3), last_known=(3,)), {},
         {"isr": [2], "leader": 2, "eligible_leader_replicas": [3], "last_known_elr": []}, dead=(1, 3)),
    Case("eligible replicas wait while an ISR member is left", state(isr=(1,), elr=(2,)), {}, None),
    Case("an ISR member that cannot lead keeps eligible ones waiting", state(isr=(1,), elr=(2,)), {},
         {"leader": -1}, dead=(1,)),
    Case("an unclean stop leaves ISR and ELR", state(isr=(1,), elr=(2,)), {"isr": [], "unclean_shutdown": 1},
         {"isr": [2], "leader": 2, "eligible_leader_replicas": []}, dead=(1,)),
    Case("an unclean stop of the last one", state(isr=(1,)), {"isr": [], "unclean_shutdown": 1},
         {"isr": [], "leader": -1, "last_known_elr": [1]}, dead=(1, 2, 3)),
    Case("the last known leader returns", state(isr=(), leader=-1, last_known=(2,)), {},
         {"isr": [2], "leader": 2, "leader_recovery_state": RECOVERING, "last_known_elr": []}),
    Case("it does not while somebody is eligible", state(isr=(), leader=-1, elr=(3,), last_known=(2,)), {}, None, dead=(3,)),
    Case("it does not when that is switched off", state(isr=(), leader=-1, last_known=(2,)), {}, None, last_known_may_return=False),
    Case("it does not while it is dead", state(isr=(), leader=-1, last_known=(2,)), {}, None, dead=(2,)),
    Case("it does not when several are noted", state(isr=(), leader=-1, last_known=(2, 3)), {}, None),
    Case("nobody but an unclean leader", state(isr=(), leader=-1, elr=(1,), last_known=(1,)), {},
         {"isr": [2], "leader": 2, "leader_recovery_state": RECOVERING, "eligible_leader_replicas": [], "last_known_elr": []},
         dead=(1,), election=Election.UNCLEAN),
    Case("unclean is the last resort", state(isr=(1, 2)), {"isr": [2]}, {"isr": [2], "leader": 2, "eligible_leader_replicas": [1]},
         election=Election.UNCLEAN, dead=(1,)),
    Case("unclean again while recovering", state(isr=(1,), recovery=RECOVERING), {"isr": [], "unclean_shutdown": 1},
         {"isr": [2], "leader": 2}, dead=(1,), election=Election.UNCLEAN),
    Case("recovered", state(isr=(1,), recovery=RECOVERING), {"leader_recovery_state": RECOVERED}, {"leader_recovery_state": RECOVERED},
         min_isr=1),
    Case("preferred", state(leader=2), {}, {"leader": 1}, election=Election.PREFERRED),
    Case("preferred is dead", state(leader=2, isr=(2, 3)), {}, None, election=Election.PREFERRED, dead=(1,)),
    Case("preferred is not in sync", state(leader=2, isr=(2, 3)), {}, None, election=Election.PREFERRED),
    Case("without the feature the last member stays in the ISR", state(isr=(1,)), {"isr": []}, {"leader": -1}, elr_enabled=False,
         dead=(1, 2, 3)),
    Case("without the feature nobody is eligible", state(isr=(1, 2)), {"isr": [1]}, {"isr": [1]}, elr_enabled=False),
    Case("switched off, what was eligible is cleared", state(isr=(1,), elr=(2,)), {}, {"eligible_leader_replicas": []}, elr_enabled=False),
    Case("a directory that is lost", state(directories=(LOST_DIRECTORY, b"b" * 16, b"c" * 16)), {}, {"leader": 2}),
    Case("a new replica gets a directory", state(replicas=(1, 2), isr=(1, 2)), {"replicas": [1, 2, 4], "adding": [4]},
         {"replicas": [1, 2, 4], "adding_replicas": [4], "directories": [bytes([1]) * 16, bytes([2]) * 16, b"default-of-all.."]}),
    Case("a reassignment completes", state(replicas=(4, 1, 2), isr=(1, 2), adding=(4,), removing=(1,)), {"isr": [1, 2, 4]},
         {"isr": [2, 4], "replicas": [4, 2], "leader": 4, "adding_replicas": [], "removing_replicas": [],
          "directories": [bytes([4]) * 16, bytes([2]) * 16]}),
    Case("a reassignment waits for the new replica", state(replicas=(4, 1, 2), isr=(1, 2), adding=(4,), removing=(1,)), {"isr": [1]},
         {"isr": [1], "eligible_leader_replicas": [2]}),
    Case("a removed replica bumps the leader epoch", state(replicas=(1, 2, 3), isr=(1, 2, 3), removing=(3,)), {},
         {"isr": [1, 2], "replicas": [1, 2], "leader": 1, "removing_replicas": [], "directories": [bytes([1]) * 16, bytes([2]) * 16]}),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_change(case: Case) -> None:
    def can_lead(broker_id: int, directory: bytes) -> bool:
        return broker_id not in case.dead and directory != LOST_DIRECTORY

    rules = ElectionRules(can_lead, case.min_isr, case.elr_enabled, case.last_known_may_return, lambda _: b"default-of-all..")
    change = PartitionChange(TOPIC, 5, case.state, rules)
    change.election = case.election
    for name, value in case.wanted.items():
        setattr(change, name, value)
    expected = None if case.record is None else PartitionChangeRecord(topic_id=TOPIC, partition_id=5, **case.record)
    assert change.record() == expected


def test_epochs_after_a_change() -> None:
    named = state().changed_by(PartitionChangeRecord(leader=1))
    assert (named.leader, named.leader_epoch, named.partition_epoch) == (1, 8, 10)
    unnamed = state().changed_by(PartitionChangeRecord(isr=[1]))
    assert (unnamed.isr, unnamed.leader_epoch, unnamed.partition_epoch) == ((1,), 7, 10)


def test_directories_of_records_from_before_they_had_ids() -> None:
    change = PartitionChangeRecord(replicas=[1, 2])
    assert state().changed_by(change).directories == (bytes(16), bytes(16))
    assert state().directory(9) == UNASSIGNED_DIRECTORY
