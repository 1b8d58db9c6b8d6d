"""Two partitions of one name: a topic was deleted and made again while the directory with the old one was offline."""

import pytest
from tests.support.logs import fill, values

from holdwater.kernel.identifiers import TopicPartition
from holdwater.kernel.ports import DiskFailure
from holdwater.kernel.rng import Rng
from holdwater.sim.disk import Fault, Operation, SimDisk
from holdwater.storage.config import LogConfig
from holdwater.storage.directories import DirectoryRefused, LogDirectories, MetaProperties, format_directory
from holdwater.storage.log import PartitionLog

ONE, TWO = "/one", "/two"
PARTITION = TopicPartition("t", 0)
OLD_ID, NEW_ID, OTHER_ID = (Rng(seed).uuid() for seed in (1, 2, 3))


def opened(disk: SimDisk) -> LogDirectories:
    directories = LogDirectories(disk, [ONE, TWO], cluster_id="c", node_id=1)
    directories.open()
    for _ in directories.load(lambda partition: LogConfig(), 1_000):
        pass
    return directories


def life(*, same: bool = False) -> SimDisk:
    """The old partition in one directory with a record, the new one in the other with two."""
    disk = SimDisk()
    for number, path in enumerate((ONE, TWO)):
        format_directory(disk, path, MetaProperties("c", 1, Rng(10 + number).uuid()))
    directories = opened(disk)
    fill(directories.create(PARTITION, OLD_ID, LogConfig(), 1_000), 1)
    home = directories.directory_of(PARTITION)
    assert home is not None
    directories.fail(home.path, DiskFailure(home.path, "append", "Input/output error"))
    again = LogDirectories(disk, [TWO if home.path == ONE else ONE], cluster_id="c", node_id=1)
    again.open()
    fill(again.create(PARTITION, OLD_ID if same else NEW_ID, LogConfig(), 1_000), 1, 1)
    disk.crash()
    return disk


@pytest.mark.parametrize(("topic_id", "kept"), [(OLD_ID, ["0"]), (NEW_ID, ["0", "1"])])
def test_the_one_of_the_topic_that_there_is_stays(topic_id: bytes, kept: list[str]) -> None:
    disk = life()
    directories = opened(disk)
    assert list(directories.rivals) == [PARTITION]
    assert PARTITION not in directories.logs
    assert directories.directory_of(PARTITION) is None
    directories.settle(PARTITION, topic_id, 1_000, Rng(5).uuid())
    assert values(directories.logs[PARTITION]) == kept
    assert directories.topic_ids[PARTITION] == topic_id
    while directories.remove_deleted():
        pass
    directories.close(7, {})
    directories = opened(disk)
    assert not directories.rivals
    assert values(directories.logs[PARTITION]) == kept


@pytest.mark.parametrize("topic_id", [OTHER_ID, None])
def test_none_stays_when_there_is_another_topic_or_none(topic_id: bytes | None) -> None:
    disk = life()
    directories = opened(disk)
    directories.settle(PARTITION, topic_id, 1_000, Rng(5).uuid())
    assert PARTITION not in directories.logs
    assert not disk.exists(f"{ONE}/t-0")
    assert not disk.exists(f"{TWO}/t-0")
    directories.create(PARTITION, OTHER_ID, LogConfig(), 1_000)


def test_one_whose_topic_id_a_power_loss_has_taken_stays_when_no_other_fits() -> None:
    for topic_id, kept in ((NEW_ID, ["0", "1"]), (OTHER_ID, ["0"]), (None, None)):
        disk = life()
        home = ONE if values(opened_alone(disk, ONE)) == ["0"] else TWO
        disk.crash()
        disk.remove_file(f"{home}/t-0/partition.metadata")
        directories = opened(disk)
        directories.settle(PARTITION, topic_id, 1_000, Rng(5).uuid())
        log = directories.logs.get(PARTITION) or directories.damaged.get(PARTITION)
        assert (values(log) if log is not None else None) == kept
        assert (PARTITION in directories.damaged) == (kept == ["0"]), "whose records these are nobody knows"


def opened_alone(disk: SimDisk, path: str) -> PartitionLog:
    directories = LogDirectories(disk, [path], cluster_id="c", node_id=1)
    directories.open()
    for _ in directories.load(lambda partition: LogConfig(), 1_000):
        pass
    return directories.logs[PARTITION]


def test_one_and_the_same_in_two_directories_is_for_a_person_to_decide() -> None:
    with pytest.raises(DirectoryRefused, match="look which one is newer"):
        opened(life(same=True))


@pytest.mark.parametrize("filled", ["neither", "old", "new", "both"])
def test_two_without_a_topic_id(filled: str) -> None:
    """The disks failed while the directories were made (seed 205495): no record was ever in them, unless a power loss has taken the id."""
    disk = life()
    of_old, of_new = homes(disk)
    for name, home in (("old", of_old), ("new", of_new)):
        disk.remove_file(f"{home}/t-0/partition.metadata")
        if filled not in (name, "both"):
            disk.remove_file(f"{home}/t-0/{0:020}.log")
    if filled == "both":
        with pytest.raises(DirectoryRefused, match="look which one is newer"):
            opened(disk)
        return
    directories = opened(disk)
    directories.settle(PARTITION, NEW_ID, 1_000, Rng(5).uuid())
    assert not directories.rivals
    found = directories.directory_of(PARTITION)
    assert found is not None
    assert filled == "neither" or found.path == {"old": of_old, "new": of_new}[filled]


def fail_once(disk: SimDisk, directories: LogDirectories, name: str, path: str) -> None:
    """``settle`` for the new topic, while the first operation of that name under that path fails; then what the broker does about it."""

    def on_operation(operation: Operation) -> Fault | None:
        return Fault.IO_ERROR if operation.name == name and operation.path.startswith(path) else None

    disk.on_operation = on_operation
    with pytest.raises(DiskFailure) as caught:
        directories.settle(PARTITION, NEW_ID, 1_000, Rng(5).uuid())
    disk.on_operation = None
    assert caught.value.path.startswith(path)
    directories.fail(caught.value.path, caught.value)


def homes(disk: SimDisk) -> tuple[str, str]:
    """The directories with the old one and with the new one."""
    is_first = values(opened_alone(disk, ONE)) == ["0"]
    disk.crash()
    return (ONE, TWO) if is_first else (TWO, ONE)


def test_the_right_one_has_its_home_though_the_wrong_one_could_not_be_deleted() -> None:
    disk = life()
    old, new = homes(disk)
    directories = opened(disk)
    fail_once(disk, directories, "rename", f"{old}/t-0")
    assert values(directories.logs[PARTITION]) == ["0", "1"]
    home = directories.directory_of(PARTITION)
    assert home is not None
    assert home.path == new
    log = directories.logs[PARTITION]
    directories.settle(PARTITION, NEW_ID, 1_000, Rng(5).uuid())
    assert directories.logs[PARTITION] is log, "it is not opened a second time"
    assert not directories.rivals


def test_the_right_one_is_found_though_the_topic_id_of_the_wrong_one_could_not_be_read() -> None:
    disk = life()
    old, _ = homes(disk)
    directories = opened(disk)
    fail_once(disk, directories, "read_file", f"{old}/t-0")
    directories.settle(PARTITION, NEW_ID, 1_000, Rng(5).uuid())
    assert values(directories.logs[PARTITION]) == ["0", "1"]


def test_one_that_was_kept_goes_when_its_topic_has_gone_before_the_others_were_deleted() -> None:
    disk = life()
    old, new = homes(disk)
    directories = opened(disk)
    fail_once(disk, directories, "rename", f"{old}/t-0")
    directories.settle(PARTITION, None, 1_000, Rng(5).uuid())
    assert PARTITION not in directories.logs
    assert directories.directory_of(PARTITION) is None
    assert not disk.exists(f"{new}/t-0")


def test_a_disk_that_fails_while_the_right_one_is_opened_is_told_of_and_its_place_is_known() -> None:
    disk = life()
    old, new = homes(disk)
    directories = opened(disk)
    fail_once(disk, directories, "list_directory", f"{new}/t-0")
    home = directories.directory_of(PARTITION)
    assert home is not None
    assert home.path == new
    directories.settle(PARTITION, NEW_ID, 1_000, Rng(5).uuid())
    assert directories.directory_of(PARTITION) is home
    assert not disk.exists(f"{old}/t-0")
