"""A scripted life of one partition, ended before every single disk operation, by a crash or by a power loss.

What must hold (R12): the recovered log is a prefix of a state that the log had, holds everything that was synced and not cut since, and
recovering it again, even after crashes inside recovery, changes nothing.
"""

import pytest
from tests.support.log_life import (
    FIRST,
    HOME,
    PARTITION,
    TOPIC_ID,
    TOTAL,
    check,
    facts,
    life_until,
    open_directories,
)
from tests.support.logs import append, batch, fill

from holdwater.kernel.rng import Rng
from holdwater.sim.disk import Crashed, Fault, Operation


@pytest.mark.parametrize("fault", [Fault.CRASH, Fault.CRASH_TORN])
@pytest.mark.parametrize("power", ["kept", "lost", "random"])
def test_a_crash_at_every_disk_operation(fault: Fault, power: str) -> None:
    for number in range(FIRST, TOTAL + 2):
        seeds = range(4) if power == "random" else [0]
        for seed in seeds:
            life = life_until(number, fault)
            disk = life.disk
            if power == "kept":
                disk.crash()
            else:
                disk.power_loss(Rng(1_000 * number + seed) if power == "random" else None)
            directories = open_directories(disk)
            if PARTITION in directories.logs:
                first = facts(directories)
                disk.crash()
                directories = open_directories(disk)
                assert facts(directories) == first, "recovering twice is recovering once"
            check(life, directories, power_lost=power != "kept")


def test_a_crash_at_every_operation_of_recovery() -> None:
    for number in range(FIRST, TOTAL + 2, 5):
        life = life_until(number, Fault.CRASH_TORN)
        disk = life.disk
        disk.power_loss(Rng(number))
        first: tuple[object, ...] | None = None
        at = 0
        while True:
            at += 1
            last = disk.operation_count + at
            disk.on_operation = lambda operation, last=last: Fault.CRASH if operation.number == last else None
            try:
                directories = open_directories(disk)
            except Crashed:
                disk.power_loss(Rng(at)) if at % 2 else disk.crash()
                continue
            disk.on_operation = None
            break
        if PARTITION in directories.logs:
            first = facts(directories)
            disk.crash()
            directories = open_directories(disk)
            assert facts(directories) == first
        check(life, directories, power_lost=True)


def test_a_crash_at_every_operation_of_a_clean_stop() -> None:
    reference = life_until(1 << 30, Fault.CRASH)
    before = reference.disk.operation_count
    reference.restart()
    for number in range(before + 1, reference.disk.operation_count + 1):
        for power in (False, True):
            life = life_until(1 << 30, Fault.CRASH)
            promised = life.synced

            def on_operation(operation: Operation, number: int = number) -> Fault | None:
                return Fault.CRASH_TORN if operation.number == number else None

            life.disk.on_operation = on_operation
            with pytest.raises(Crashed):
                life.restart()
            life.disk.on_operation = None
            clean = life.disk.exists(f"{HOME}/.kafka_cleanshutdown")
            if not clean:
                life.synced = promised
            if power:
                life.disk.power_loss()
            else:
                life.disk.crash()
            check(life, open_directories(life.disk), power_lost=power)


@pytest.mark.parametrize("power", [False, True])
def test_what_is_synced_after_a_recovery_survives_the_next_power_loss(power: bool) -> None:
    """What a killed process left in the page cache is promised by the next sync as much as what came later: records, epochs, topic id."""
    for number in range(FIRST, TOTAL + 2):
        life = life_until(number, Fault.CRASH_TORN)
        disk = life.disk
        if power:
            disk.power_loss(Rng(number))
        else:
            disk.crash()
        directories = open_directories(disk)
        if PARTITION not in directories.logs:
            continue
        if directories.topic_ids[PARTITION] is None:
            directories.set_topic_id(PARTITION, TOPIC_ID)
        log = directories.logs[PARTITION]
        log.assign_epoch(life.epoch + 1)
        fill(log, 1, 2, 3, epoch=life.epoch + 1)
        log.sync()
        synced = facts(directories)
        if number % 2:
            directories.checkpoint_recovery_points()
        append(log, batch("lost"), epoch=life.epoch + 1)
        disk.power_loss()
        directories = open_directories(disk)
        assert directories.topic_ids[PARTITION] == TOPIC_ID
        assert facts(directories) == synced
