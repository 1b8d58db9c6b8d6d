"""Every seed that counts has enough in it, whatever kept its faults and its clients from their work."""

from holdwater.sim.coverage import SEED_FAULTS, below_minimum, fault_count
from holdwater.sim.run import LATE_FAULT, WHOLE_SEED_MS, Plan, simulate

FEW_FAULTS = 265969
"""A disk is replaced while another node stands still for most of the time: nothing else may happen to the disks and processes."""


def test_faults_come_late_when_they_had_to_wait() -> None:
    outcome = simulate(FEW_FAULTS)
    late = [fault for fault in outcome.schedule if fault.at_ms >= WHOLE_SEED_MS]
    assert {fault.kind for fault in late} == {LATE_FAULT}
    assert (outcome.held, below_minimum(outcome), fault_count(outcome)) == (True, "", SEED_FAULTS)


def test_they_belong_to_what_is_played_again() -> None:
    outcome = simulate(FEW_FAULTS)
    assert simulate(FEW_FAULTS, Plan(schedule=outcome.schedule)).digest == outcome.digest
