"""``cleaner-offset-checkpoint``: up to where each log is compacted, and which logs may have gaps."""

import pytest
from tests.support.compaction import keyed, put
from tests.support.log_life import HOME, META, PARTITION, TOPIC_ID, new_disk
from tests.support.logs import raw

from holdwater.kernel.identifiers import TopicPartition
from holdwater.kernel.rng import Rng
from holdwater.sim.disk import SimDisk
from holdwater.storage.config import LogConfig
from holdwater.storage.directories import LogDirectories

FILE = f"{HOME}/cleaner-offset-checkpoint"
OTHER = TopicPartition("u", 3)
COMPACTED = LogConfig(compact=True)


def open_directories(disk: SimDisk) -> LogDirectories:
    directories = LogDirectories(disk, [HOME], cluster_id=META.cluster_id, node_id=META.node_id)
    directories.open()
    for _ in directories.load(lambda partition: LogConfig(), 1_000):
        pass
    return directories


@pytest.fixture
def made() -> tuple[SimDisk, LogDirectories]:
    """Two logs of ten records each."""
    disk = new_disk()
    directories = open_directories(disk)
    for partition in (PARTITION, OTHER):
        log = directories.create(partition, TOPIC_ID, COMPACTED, 1_000)
        for n in range(10):
            put(log, ("a", str(n)))
        log.sync()
    return disk, directories


def test_it_is_written_as_apache_kafka_writes_it(made: tuple[SimDisk, LogDirectories]) -> None:
    disk, directories = made
    assert directories.cleaner_offset(PARTITION) is None
    directories.checkpoint_cleaner(OTHER, 7)
    directories.checkpoint_cleaner(PARTITION, 5)
    assert disk.read_file(FILE) == b"0\n2\nt 0 5\nu 3 7\n"
    disk.power_loss()
    again = open_directories(disk)
    assert (again.cleaner_offset(PARTITION), again.cleaner_offset(OTHER)) == (5, 7)


def test_it_is_lowered_before_a_cut(made: tuple[SimDisk, LogDirectories]) -> None:
    disk, directories = made
    directories.checkpoint_cleaner(PARTITION, 5)
    directories.logs[PARTITION].truncate_to(8)
    assert directories.cleaner_offset(PARTITION) == 5
    directories.logs[PARTITION].truncate_to(3)
    assert directories.cleaner_offset(PARTITION) == 3
    assert disk.read_file(FILE) == b"0\n1\nt 0 3\n"


def test_it_forgets_a_log_that_is_deleted(made: tuple[SimDisk, LogDirectories]) -> None:
    disk, directories = made
    directories.checkpoint_cleaner(PARTITION, 5)
    directories.delete(PARTITION, Rng(9).uuid())
    assert disk.read_file(FILE) == b"0\n0\n"


def test_a_follower_gets_its_entry_with_its_first_gap_and_is_recovered_with_its_gaps(made: tuple[SimDisk, LogDirectories]) -> None:
    disk, directories = made
    log = directories.logs[PARTITION]
    log.append_as_follower(keyed(("b", "1"), base_offset=10, leader_epoch=0), 1_000)
    assert directories.cleaner_offset(PARTITION) is None
    log.append_as_follower(keyed(("b", "2"), base_offset=20, leader_epoch=0), 1_000)
    assert directories.cleaner_offset(PARTITION) == 0
    directories.checkpoint_cleaner(PARTITION, 6)
    log.append_as_follower(keyed(("b", "3"), base_offset=30, leader_epoch=0), 1_000)
    assert directories.cleaner_offset(PARTITION) == 6
    content = raw(log)
    disk.crash()
    again = open_directories(disk)
    assert raw(again.logs[PARTITION]) == content
    assert not again.logs[OTHER].may_have_gaps


def test_an_empty_file_as_apache_kafka_makes_it_does_not_spoil_a_clean_stop(made: tuple[SimDisk, LogDirectories]) -> None:
    disk, directories = made
    directories.close(7, {})
    disk.replace_file(FILE, b"", durable=True)
    again = open_directories(disk)
    assert again.clean_broker_epoch == 7
    assert all(log.may_have_gaps for log in again.logs.values())
