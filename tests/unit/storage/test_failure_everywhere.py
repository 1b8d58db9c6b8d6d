"""A scripted life of one partition in which every single disk operation fails once, for a bad disk or a full one, and the life goes on.

What must hold: a failure is a ``DiskFailure`` and nothing else; afterwards the log is as it was, or as it was to be, or takes nothing more;
and the next process finds what it finds after a crash (R12, test_crash_everywhere).
"""

from copy import deepcopy

import pytest
from tests.support.log_life import (
    FIRST,
    HOME,
    PARTITION,
    SCRIPT,
    TOTAL,
    Life,
    check,
    facts,
    failing_at,
    life_until,
    new_disk,
    normal,
    open_directories,
)
from tests.support.logs import append, batch, producer_facts, read_all

from holdwater.kernel.ports import DiskFailure
from holdwater.kernel.rng import Rng
from holdwater.sim.disk import Fault, Operation, SimDisk
from holdwater.wire.records import Record

FAILURES = [Fault.IO_ERROR, Fault.FULL]


def failing_life(number: int, fault: Fault, *, count: int = 1) -> Life:
    """The life that goes on after failed operations, as long as its log takes anything."""
    life = Life(new_disk())
    failing_at(life, number, fault, count=count)
    if life.attempt(Life.create):
        for step in SCRIPT:
            if not life.attempt(step):
                break
    life.disk.on_operation = None
    return life


@pytest.mark.parametrize("fault", FAILURES)
@pytest.mark.parametrize("power", [False, True])
@pytest.mark.parametrize("count", [1, 3])
def test_a_failure_of_every_disk_operation(fault: Fault, power: bool, count: int) -> None:
    for number in range(FIRST, TOTAL + 2):
        life = failing_life(number, fault, count=count)
        disk = life.disk
        if power:
            disk.power_loss(Rng(number))
        else:
            disk.crash()
        directories = open_directories(disk)
        if PARTITION in directories.logs:
            first = facts(directories)
            disk.crash()
            directories = open_directories(disk)
            assert facts(directories) == first, "recovering twice is recovering once"
        check(life, directories, power_lost=power or life.lost_pages)


@pytest.mark.parametrize("fault", FAILURES)
def test_a_log_that_took_something_after_a_failure_has_all_of_it(fault: Fault) -> None:
    """A full disk is not the end: the next append either continues an intact log or fails too."""
    went_on = 0
    for number in range(FIRST, TOTAL + 2):
        life = life_until(number, fault)
        log = life.directories.logs.get(PARTITION)
        if log is None:
            continue
        try:
            append(log, batch("after"), epoch=life.epoch + 1)
        except DiskFailure:
            continue
        went_on += 1
        records = read_all(log)
        assert normal(records[:-1]) in life.states[-2:]
        assert records[-1] == Record(len(records) - 1, 1_000, None, b"after")
        known = log.epoch_entries(), producer_facts(log)
        life.disk.crash()
        again = open_directories(life.disk).logs[PARTITION]
        assert read_all(again) == records
        assert (again.epoch_entries(), producer_facts(again)) == known
    assert went_on > 20


@pytest.mark.parametrize("fault", FAILURES)
def test_a_log_whose_sync_failed_takes_and_syncs_nothing_more(fault: Fault) -> None:
    """Trying again would be told that all is well, though what the kernel has dropped is on no disk."""
    tried = 0
    for number in range(FIRST, TOTAL + 2):
        life = life_until(number, fault)
        if not life.lost_pages or PARTITION not in life.directories.logs or life.log.failure is None:
            continue
        tried += 1
        synced_end = life.log.synced_end_offset
        for _ in range(2):
            with pytest.raises(DiskFailure):
                life.log.sync()
        with pytest.raises(DiskFailure):
            append(life.log, batch("after"), epoch=life.epoch)
        if life.log.log_end_offset > life.log.log_start_offset:
            with pytest.raises(DiskFailure):
                life.log.truncate_to(life.log.log_start_offset)  # a cut heals a failed append, not this
        with pytest.raises(DiskFailure):
            append(life.log, batch("after"), epoch=life.epoch)
        assert life.log.synced_end_offset <= synced_end
    assert tried > 5


@pytest.mark.parametrize("fault", FAILURES)
def test_a_failure_of_every_operation_of_recovery(fault: Fault) -> None:
    """The directory goes offline, or the start fails; the next one finds what it would have found at once."""
    for number in range(FIRST, TOTAL + 2, 5):
        life = life_until(number, Fault.CRASH_TORN)
        life.disk.power_loss(Rng(number))
        expected = found(deepcopy(life.disk))
        at = 0
        while True:
            at += 1
            disk = deepcopy(life.disk)
            touched = fail_recovery(disk, disk.operation_count + at, fault)
            disk.crash()
            assert found(disk) == expected
            if not touched:
                break


def fail_recovery(disk: SimDisk, number: int, fault: Fault) -> bool:
    """Open the directory on a disk that fails once; whether it did."""
    disk.on_operation = lambda operation: fault if operation.number == number else None
    try:
        directories = open_directories(disk)
    except DiskFailure:
        return True
    finally:
        disk.on_operation = None
    return directories.directories[0].failure is not None


def found(disk: SimDisk) -> tuple[object, ...] | None:
    """What recovery finds."""
    directories = open_directories(disk)
    assert directories.directories[0].failure is None
    return facts(directories) if PARTITION in directories.logs else None


@pytest.mark.parametrize("fault", FAILURES)
@pytest.mark.parametrize("power", [False, True])
def test_a_failure_of_every_operation_of_a_clean_stop(fault: Fault, power: bool) -> None:
    """The stop goes through, without a failed directory's part in it, and its mark is only where all of it went well."""
    reference = life_until(1 << 30, Fault.CRASH)
    before = reference.disk.operation_count
    reference.directories.close(7, {})
    for number in range(before + 1, reference.disk.operation_count + 1):
        life = life_until(1 << 30, Fault.CRASH)
        failing_at(life, number, fault)
        life.directories.close(7, {})
        life.disk.on_operation = None
        failed = life.directories.directories[0].failure is not None
        assert life.disk.exists(f"{HOME}/.kafka_cleanshutdown") is not failed
        if not failed:
            life.synced = life.states[-1]
        if power:
            life.disk.power_loss(Rng(number))
        else:
            life.disk.crash()
        check(life, open_directories(life.disk), power_lost=power or life.lost_pages)


@pytest.mark.parametrize("fault", FAILURES)
def test_a_stop_after_a_failure_is_not_clean(fault: Fault) -> None:
    """A log that takes nothing more is not closed as if all of it were on disk."""
    for number in range(FIRST, TOTAL + 2):
        life = life_until(number, fault)
        if PARTITION not in life.directories.logs or life.log.failure is None:
            continue
        life.directories.close(7, {})
        assert not life.disk.exists(f"{HOME}/.kafka_cleanshutdown")
        life.disk.power_loss(Rng(number))
        check(life, open_directories(life.disk), power_lost=True)


def test_failures_are_met() -> None:
    """The faults above reach appends, syncs, replaced files, truncations and directories, not reads alone."""
    met: dict[str, None] = {}

    def on_operation(operation: Operation) -> None:
        met[operation.name] = None

    life = Life(new_disk())
    life.disk.on_operation = on_operation
    life.run()
    assert {"append", "sync", "replace_file", "truncate", "sync_directory", "remove_file", "open", "read"} <= met.keys()
