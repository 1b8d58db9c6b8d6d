"""Log directories: identity, placement, checkpoints, deletion, failure, clean and unclean stops."""

from collections.abc import Mapping

import pytest
from tests.support.logs import fill, values

from holdwater.kernel.identifiers import METADATA_TOPIC, TopicPartition, uuid_to_text
from holdwater.kernel.ports import DiskFailure, SnapshotId, Vote
from holdwater.kernel.rng import Rng
from holdwater.sim.disk import Fault, SimDisk
from holdwater.storage.checkpoints import read_offsets
from holdwater.storage.config import LogConfig
from holdwater.storage.directories import METADATA_PARTITION, DirectoryRefused, LogDirectories, MetaProperties, format_directory

CLUSTER = "5L6g3nShT-eMCtK--X86sw"
NODE = 3
ONE, TWO = "/one", "/two/logs"
A0, A1, B0 = TopicPartition("a", 0), TopicPartition("a", 1), TopicPartition("b", 0)
ID_A, ID_B = Rng(1).uuid(), Rng(2).uuid()
CONFIG = LogConfig()


def formatted(*paths: str, node_id: int = NODE) -> SimDisk:
    disk = SimDisk()
    for number, path in enumerate(paths):
        disk.make_directories(path)
        for parent in ("/", "/two"):
            disk.sync_directory(parent)
        format_directory(disk, path, MetaProperties(CLUSTER, node_id, Rng(10 + number).uuid()))
    return disk


def opened(disk: SimDisk, *paths: str, metadata_path: str | None = None) -> LogDirectories:
    directories = LogDirectories(disk, paths or [ONE, TWO], cluster_id=CLUSTER, node_id=NODE, metadata_path=metadata_path)
    directories.open()
    for _ in directories.load(lambda partition: CONFIG, 1_000):
        pass
    return directories


def stop(directories: LogDirectories, high_watermarks: Mapping[TopicPartition, int] | None = None, broker_epoch: int = 17) -> None:
    directories.close(broker_epoch, high_watermarks or {})


# Identity


def test_meta_properties_are_kafkas() -> None:
    disk = formatted(ONE)
    text = disk.read_file(f"{ONE}/meta.properties").decode()
    assert text == f"#\ncluster.id={CLUSTER}\ndirectory.id={uuid_to_text(Rng(10).uuid())}\nnode.id=3\nversion=1\n"
    java = f"#\n#Mon Jan 01 00:00:00 UTC 2024\nnode.id=3\ndirectory.id={uuid_to_text(Rng(10).uuid())}\nversion=1\ncluster.id=5L6g3nShT-eMCtK--X86sw\n"
    disk.replace_file(f"{ONE}/meta.properties", java.encode(), durable=True)
    assert opened(disk, ONE).directories[0].directory_id == Rng(10).uuid()


def test_only_empty_directories_are_formatted() -> None:
    disk = formatted(ONE)
    with pytest.raises(DirectoryRefused, match=r"/one is not empty \(it belongs to node 3 of cluster 5L6"):
        format_directory(disk, ONE, MetaProperties(CLUSTER, NODE, Rng(9).uuid()))
    disk.make_directories("/other/lost+found")
    format_directory(disk, "/other", MetaProperties(CLUSTER, NODE, Rng(9).uuid()))
    disk.make_directories("/full/x")
    with pytest.raises(DirectoryRefused, match="holds other files"):
        format_directory(disk, "/full", MetaProperties(CLUSTER, NODE, Rng(9).uuid()))


def refused(disk: SimDisk, *paths: str) -> str:
    with pytest.raises(DirectoryRefused) as caught:
        opened(disk, *paths)
    return str(caught.value)


def test_directories_of_others_are_refused_with_both_values() -> None:
    disk = formatted(ONE)
    disk.replace_file(f"{ONE}/meta.properties", b"cluster.id=other\nnode.id=3\ndirectory.id=" + b"A" * 21 + b"Q\nversion=1\n", durable=True)
    message = refused(disk, ONE)
    assert all(part in message for part in (ONE, "cluster other", f"this is cluster {CLUSTER}", "log.dirs"))
    message = refused(formatted(ONE, node_id=8), ONE)
    assert all(part in message for part in (ONE, "node 8", "this is node 3", "node.id"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "has no version"),
        (b"version=0\nbroker.id=3\n", "version 0"),
        (b"version=1\ncluster.id=x\nnode.id=3\n", "has no directory.id"),
        (b"version=1\ncluster.id=x\nnode.id=three\ndirectory.id=" + b"A" * 22, "three"),
        (f"version=1\ncluster.id={CLUSTER}\nnode.id=3\ndirectory.id={'A' * 22}".encode(), "reserved directory.id"),
    ],
)
def test_damaged_meta_properties_are_refused_with_the_reason(content: bytes, said: str) -> None:
    disk = formatted(ONE)
    disk.replace_file(f"{ONE}/meta.properties", content, durable=True)
    message = refused(disk, ONE)
    assert ONE in message
    assert said in message


def test_a_directory_without_meta_properties_is_refused() -> None:
    disk = formatted(ONE)
    disk.make_directories(f"{TWO}/a-0")
    assert f"{TWO} has no meta.properties" in refused(disk, ONE, TWO)
    assert "/nowhere does not exist" in refused(disk, ONE, "/nowhere")


def test_a_copied_directory_is_refused() -> None:
    disk = formatted(ONE, TWO)
    disk.replace_file(f"{TWO}/meta.properties", disk.read_file(f"{ONE}/meta.properties"), durable=True)
    message = refused(disk, ONE, TWO)
    assert all(part in message for part in (ONE, TWO, "same directory.id"))
    assert "twice" in refused(disk, ONE, ONE)


def test_a_partition_in_two_directories_is_refused() -> None:
    disk = formatted(ONE, TWO)
    for path in (ONE, TWO):
        disk.make_directories(f"{path}/a-0")
        disk.replace_file(f"{path}/a-0/{0:020}.log", b"records", durable=True)
    message = refused(disk, ONE, TWO)
    assert all(part in message for part in ("a-0", ONE, TWO))


# Partitions


def test_partitions_are_spread_over_the_directories() -> None:
    disk = formatted(ONE, TWO)
    directories = opened(disk)
    for partition in (A0, A1, B0):
        directories.create(partition, ID_A, CONFIG, 1_000)
    assert [directories.directory_of(partition).path for partition in (A0, A1, B0)] == [ONE, TWO, ONE]  # pyright: ignore[reportOptionalMemberAccess]
    assert disk.read_file(f"{ONE}/a-0/partition.metadata") == f"version: 0\ntopic_id: {uuid_to_text(ID_A)}".encode()
    second = directories.directories[1].directory_id
    directories.create(TopicPartition("c", 0), ID_B, CONFIG, 1_000, directory_id=second)
    assert disk.exists(f"{TWO}/c-0")
    with pytest.raises(LookupError):
        directories.create(TopicPartition("c", 1), ID_B, CONFIG, 1_000, directory_id=Rng(77).uuid())


@pytest.mark.parametrize("topic", ["", ".", "..", "a/b", "../x", "a b", "é", "a\n", "x" * 250])
def test_names_that_must_not_become_paths_are_refused(topic: str) -> None:
    disk = formatted(ONE)
    directories = opened(disk, ONE)
    with pytest.raises(ValueError, match="legal topic name"):
        directories.create(TopicPartition(topic, 0), ID_A, CONFIG, 1_000)
    assert disk.list_directory(ONE) == ["meta.properties"]


def test_a_partition_is_created_once() -> None:
    directories = opened(formatted(ONE), ONE)
    directories.create(A0, ID_A, CONFIG, 1_000)
    with pytest.raises(DirectoryRefused, match="exists already"):
        directories.create(A0, ID_B, CONFIG, 1_000)


def test_names_with_dashes_and_digits_are_told_apart() -> None:
    disk = formatted(ONE)
    directories = opened(disk, ONE)
    partitions = [
        TopicPartition("a-1", 2),
        TopicPartition("a", 12),
        TopicPartition("a.b_c-d", 0),
        TopicPartition("-", 0),
        TopicPartition("a-delete", 1),
    ]
    for partition in partitions:
        directories.create(partition, ID_A, CONFIG, 1_000)
    stop(directories)
    assert sorted(opened(disk, ONE).logs) == sorted(partitions)


def test_a_topic_id_lost_with_the_power_can_be_given_again() -> None:
    disk = formatted(ONE)
    directories = opened(disk, ONE)
    directories.create(A0, ID_A, CONFIG, 1_000)
    disk.replace_file(f"{ONE}/a-0/partition.metadata", b"", durable=True)
    directories = opened(disk, ONE)
    assert directories.topic_ids == {A0: None}
    directories.set_topic_id(A0, ID_A)
    assert opened(disk, ONE).topic_ids == {A0: ID_A}


def test_the_first_sync_makes_a_whole_new_partition_durable() -> None:
    disk = formatted(ONE)
    directories = opened(disk, ONE)
    for partition in (A0, B0):
        fill(directories.create(partition, ID_A, CONFIG, 1_000), 2, epoch=4)
    directories.logs[A0].sync()
    disk.power_loss()
    directories = opened(disk, ONE)
    assert directories.topic_ids == {A0: ID_A, B0: ID_A}
    assert values(directories.logs[A0]) == ["0", "1"]
    assert values(directories.logs[B0]) == []
    assert directories.logs[A0].latest_epoch == 4


@pytest.mark.parametrize("seed", range(60))
def test_no_records_outlive_the_file_that_says_of_which_topic_they_are(seed: int) -> None:
    """Seeds 281, 1342 and 1965: such records were taken for those of another topic of that name."""
    disk = formatted(ONE)
    directories = opened(disk, ONE)
    log = directories.create(A0, ID_A, CONFIG, 1_000)
    if seed % 3 == 0:
        disk.crash()
        directories = opened(disk, ONE)
        log = directories.logs[A0]
    fill(log, 2, 3)
    disk.power_loss(Rng(seed))
    directories = opened(disk, ONE)
    assert not directories.damaged
    if A0 in directories.logs and values(directories.logs[A0]):
        assert directories.topic_ids == {A0: ID_A}


def test_a_clean_stop_of_an_empty_log_makes_the_file_that_says_of_which_topic_it_is_durable() -> None:
    disk = formatted(ONE)
    directories = opened(disk, ONE)
    directories.create(A0, ID_A, CONFIG, 1_000)
    stop(directories)
    directories = opened(disk, ONE)
    fill(directories.logs[A0], 2)
    directories.logs[A0].sync()
    disk.power_loss()
    directories = opened(disk, ONE)
    assert directories.topic_ids == {A0: ID_A}
    assert values(directories.logs[A0]) == ["0", "1"]


def test_records_of_nobody_knows_which_topic_are_kept_offline() -> None:
    disk = formatted(ONE)
    directories = opened(disk, ONE)
    fill(directories.create(A0, ID_A, CONFIG, 1_000), 2)
    disk.crash()
    disk.remove_file(f"{ONE}/a-0/partition.metadata")
    directories = opened(disk, ONE)
    assert A0 not in directories.logs
    damage = directories.damaged[A0].damage
    assert damage is not None
    assert "nobody can say whether these records are of the topic of that name" in damage.reason
    directories.set_topic_id(A0, ID_B)
    directories.cut_damage(A0)
    assert values(directories.logs[A0]) == []
    disk.sync_directory(ONE)
    fill(directories.logs[A0], 1)
    disk.power_loss()
    assert opened(disk, ONE).topic_ids == {A0: ID_B}


def test_a_clean_directory_of_an_old_kafka_may_hold_records_without_topic_id() -> None:
    disk = formatted(ONE)
    directories = opened(disk, ONE)
    fill(directories.create(A0, ID_A, CONFIG, 1_000), 2)
    stop(directories, {A0: 2})
    disk.remove_file(f"{ONE}/a-0/partition.metadata")
    directories = opened(disk, ONE)
    assert directories.topic_ids == {A0: None}
    assert values(directories.logs[A0]) == ["0", "1"]


def test_a_log_with_a_stored_high_watermark_has_a_stored_log_start() -> None:
    """Of a log of Apache Kafka's it may be missing; ours is known to have lost its first segment when that is gone."""
    disk = formatted(ONE)
    directories = opened(disk, ONE)
    log = directories.create(A0, ID_A, LogConfig(segment_bytes=200), 1_000)
    fill(log, 1, 1, 1, 1)
    log.sync()
    directories.checkpoint_high_watermarks({A0: 2})
    assert len([name for name in disk.list_directory(f"{ONE}/a-0") if name.endswith(".log")]) > 1
    disk.remove_file(f"{ONE}/a-0/00000000000000000000.log")
    disk.remove_file(f"{ONE}/a-0/leader-epoch-checkpoint")
    damage = opened(disk, ONE).damaged[A0].damage
    assert damage is not None
    assert "the log began at offset 0" in damage.reason


def test_a_deleted_partition_is_gone_at_once_and_its_files_later() -> None:
    disk = formatted(ONE)
    directories = opened(disk, ONE)
    fill(directories.create(A0, ID_A, CONFIG, 1_000), 3)
    directories.logs[A0].sync()
    directories.checkpoint_recovery_points()
    uuid = bytes(range(16))
    directories.delete(A0, uuid)
    assert A0 not in directories.logs
    name = "a-0.000102030405060708090a0b0c0d0e0f-delete"
    assert name in disk.list_directory(ONE)
    assert read_offsets(disk, f"{ONE}/recovery-point-offset-checkpoint") == {}
    fill(directories.create(A0, ID_B, CONFIG, 1_000), 1)
    disk.crash()
    directories = opened(disk, ONE)
    assert values(directories.logs[A0]) == ["0"]
    assert directories.logs[A0].damage is None
    assert directories.remove_deleted()
    assert not directories.remove_deleted()
    assert name not in disk.list_directory(ONE)
    with pytest.raises(LookupError):
        directories.delete(B0, uuid)


def test_a_deleted_directory_name_fits_the_file_system() -> None:
    disk = formatted(ONE)
    directories = opened(disk, ONE)
    longest = TopicPartition("t" * 249, 100)
    directories.create(longest, ID_A, CONFIG, 1_000)
    directories.delete(longest, bytes(16))
    assert len([name for name in disk.list_directory(ONE) if name.endswith("-delete")][0]) == 255  # noqa: RUF015


# Stops and starts


def test_a_clean_stop_is_remembered_with_its_broker_epoch_and_only_once() -> None:
    disk = formatted(ONE, TWO)
    directories = opened(disk)
    assert directories.clean_broker_epoch == -1
    for partition in (A0, B0):
        fill(directories.create(partition, ID_A, CONFIG, 1_000), 2, 2, epoch=1)
    directories.logs[A0].advance_log_start(3)
    stop(directories, {A0: 4, B0: 2}, broker_epoch=55)
    assert disk.read_file(f"{ONE}/.kafka_cleanshutdown") == b'{"version":0,"brokerEpoch":55}'
    assert disk.read_file(f"{ONE}/replication-offset-checkpoint") == b"0\n1\na 0 4\n"
    assert disk.read_file(f"{ONE}/recovery-point-offset-checkpoint") == b"0\n1\na 0 4\n"
    assert disk.read_file(f"{ONE}/log-start-offset-checkpoint") == b"0\n1\na 0 3\n"
    disk.power_loss()
    directories = opened(disk)
    assert directories.clean_broker_epoch == 55
    assert (directories.high_watermark(A0), directories.high_watermark(B0), directories.high_watermark(A1)) == (4, 2, 0)
    assert (directories.logs[A0].log_start_offset, directories.logs[A0].log_end_offset) == (3, 4)
    assert all(log.synced_end_offset == log.log_end_offset for log in directories.logs.values())
    assert not disk.exists(f"{ONE}/.kafka_cleanshutdown")
    disk.power_loss()
    assert opened(disk).clean_broker_epoch == -1, "the mark went before anything else happened, durably"


@pytest.mark.parametrize("seed", range(40))
def test_what_a_cut_has_removed_never_comes_back(seed: int) -> None:
    """Seeds 30061 and 930194: a cut was undone by a power loss, beside records that had come after those which took its place."""
    disk = formatted(ONE)
    directories = opened(disk, ONE)
    fill(directories.create(A0, ID_A, CONFIG, 1_000), 3, 2, epoch=0)
    stop(directories, {A0: 3})
    directories = opened(disk, ONE)
    log = directories.logs[A0]
    log.truncate_to(3)
    log.configure(LogConfig(segment_bytes=256))
    fill(log, *[2] * 10, epoch=1)
    assert log.segment_count > 2
    disk.power_loss(Rng(seed))
    log = opened(disk, ONE).logs[A0]
    assert [log.epoch_at(offset) for offset in range(3, log.log_end_offset)] == [1] * (log.log_end_offset - 3)


def test_an_unclean_directory_makes_the_whole_stop_unclean() -> None:
    disk = formatted(ONE, TWO)
    stop(opened(disk))
    disk.remove_file(f"{TWO}/.kafka_cleanshutdown")
    assert opened(disk).clean_broker_epoch == -1


def test_checkpoints_bound_what_a_start_after_a_crash_scans() -> None:
    disk = formatted(ONE)
    directories = opened(disk, ONE)
    log = directories.create(A0, ID_A, LogConfig(segment_bytes=200), 1_000)
    fill(log, *[1] * 9)
    log.sync()
    directories.checkpoint_recovery_points()
    directories.checkpoint_high_watermarks({A0: 8, B0: 99})
    assert read_offsets(disk, f"{ONE}/recovery-point-offset-checkpoint") == {A0: 9}
    assert read_offsets(disk, f"{ONE}/replication-offset-checkpoint") == {A0: 8}
    log.truncate_to(4)
    assert read_offsets(disk, f"{ONE}/recovery-point-offset-checkpoint") == {A0: 4}, "lowered before the cut"
    disk.crash()
    directories = opened(disk, ONE)
    assert directories.logs[A0].log_end_offset == 4
    assert directories.high_watermark(A0) == 4, "so was this one"
    assert directories.logs[A0].events == [], "nothing is missing that was not removed on purpose"


def test_a_damaged_checkpoint_file_costs_a_scan() -> None:
    disk = formatted(ONE)
    directories = opened(disk, ONE)
    fill(directories.create(A0, ID_A, CONFIG, 1_000), 3)
    stop(directories, {A0: 3})
    for name in ("recovery-point-offset-checkpoint", "replication-offset-checkpoint", "log-start-offset-checkpoint"):
        disk.replace_file(f"{ONE}/{name}", b"0\n9\na 0 1\n", durable=True)
    directories = opened(disk, ONE)
    assert len(directories.directories[0].events) == 3
    assert values(directories.logs[A0]) == ["0", "1", "2"]
    assert directories.clean_broker_epoch == -1


def test_a_damaged_log_is_kept_apart_and_found_damaged_again() -> None:
    disk = formatted(ONE)
    directories = opened(disk, ONE)
    for partition in (A0, B0):
        fill(directories.create(partition, ID_A, CONFIG, 1_000), 1, 1, 1)
        directories.logs[partition].sync()
    directories.checkpoint_recovery_points()
    disk.damage(f"{ONE}/a-0/{0:020d}.log", 100, 1)
    disk.crash()
    for _ in range(2):
        directories = opened(disk, ONE)
        assert list(directories.logs) == [B0]
        assert directories.damaged[A0].damage is not None
        directories.checkpoint_recovery_points()
        stop(directories)
        assert not disk.exists(f"{ONE}/.kafka_cleanshutdown")
    directories = opened(disk, ONE)
    directories.cut_damage(A0)
    assert values(directories.logs[A0]) == ["0"]
    disk.crash()
    directories = opened(disk, ONE)
    assert values(directories.logs[A0]) == ["0"], "what was cut knowingly is no damage at the next start"
    directories.delete(A0, bytes(16))
    directories.create(A0, ID_A, CONFIG, 1_000)


def test_a_failed_directory_takes_its_partitions_offline_and_leaves_the_others() -> None:
    disk = formatted(ONE, TWO)
    directories = opened(disk)
    for partition in (A0, A1, B0):
        fill(directories.create(partition, ID_A, CONFIG, 1_000), 1)
    disk.on_operation = lambda operation: Fault.IO_ERROR if operation.path.startswith(ONE) else None
    with pytest.raises(DiskFailure) as caught:
        fill(directories.logs[A0], 1)
    assert sorted(directories.fail(caught.value.path, caught.value)) == [A0, B0]
    assert directories.fail(caught.value.path, caught.value) == []
    assert list(directories.logs) == [A1]
    fill(directories.logs[A1], 1)
    directories.checkpoint_recovery_points()
    directories.create(TopicPartition("c", 0), ID_B, CONFIG, 1_000)
    assert disk.exists(f"{TWO}/c-0")
    stop(directories)
    disk.on_operation = None
    assert disk.exists(f"{TWO}/.kafka_cleanshutdown")
    assert not disk.exists(f"{ONE}/.kafka_cleanshutdown")
    directories = opened(disk)
    assert sorted(directories.logs) == [A0, A1, B0, TopicPartition("c", 0)]


def test_a_directory_that_cannot_be_read_at_start_is_offline() -> None:
    disk = formatted(ONE, TWO)
    stop(opened(disk))
    disk.on_operation = lambda operation: Fault.IO_ERROR if operation.path.startswith(TWO) else None
    directories = opened(disk)
    assert [directory.path for directory in directories.online()] == [ONE]
    assert directories.clean_broker_epoch == -1
    disk.on_operation = lambda operation: Fault.IO_ERROR if operation.path.startswith(ONE) else None
    with pytest.raises(DiskFailure):
        opened(disk)


def test_with_every_directory_gone_nothing_can_be_created() -> None:
    disk = formatted(ONE)
    directories = opened(disk, ONE)
    directories.fail(ONE, DiskFailure(ONE, "append", "Input/output error"))
    with pytest.raises(LookupError, match="no log directory is online"):
        directories.create(A0, ID_A, CONFIG, 1_000)


# The metadata quorum


@pytest.mark.parametrize("metadata_path", [None, "/two/logs", "/meta"])
def test_the_metadata_log_lives_in_its_directory(metadata_path: str | None) -> None:
    disk = formatted(ONE, TWO, "/meta")
    directories = opened(disk, metadata_path=metadata_path)
    log = directories.open_metadata_log(CONFIG, 1_000)
    fill(log, 2, 2, epoch=3)
    log.sync()
    home = metadata_path or ONE
    assert disk.exists(f"{home}/__cluster_metadata-0/{0:020d}.log")
    snapshots, votes = directories.snapshot_store(), directories.vote_store()
    snapshots.write(SnapshotId(2, 3), b"snapshot")
    votes.save(Vote(3, 1, -1, bytes(16)))
    directories.create(A0, ID_A, CONFIG, 1_000)
    assert disk.exists(f"{TWO if home == ONE else ONE}/a-0") or metadata_path is not None
    assert not disk.exists("/meta/a-0")
    assert METADATA_PARTITION not in directories.logs
    stop(directories)
    directories = opened(disk, metadata_path=metadata_path)
    assert directories.clean_broker_epoch == 17
    assert METADATA_TOPIC not in {partition.topic for partition in directories.logs}
    assert values(directories.open_metadata_log(CONFIG, 1_000)) == ["0", "1", "2", "3"]
    assert directories.snapshot_store().latest() == SnapshotId(2, 3)
    assert directories.vote_store().load() == Vote(3, 1, -1, bytes(16))


def test_no_vote_rests_on_a_damaged_metadata_log() -> None:
    disk = formatted(ONE)
    directories = opened(disk, ONE)
    log = directories.open_metadata_log(CONFIG, 1_000)
    fill(log, 1, 1, 1)
    log.sync()
    directories.checkpoint_recovery_points()
    disk.damage(f"{ONE}/__cluster_metadata-0/{0:020d}.log", 100, 1)
    disk.crash()
    with pytest.raises(DirectoryRefused, match="damaged"):
        opened(disk, ONE).open_metadata_log(CONFIG, 1_000)


def test_a_metadata_log_that_starts_at_its_snapshot_is_kept() -> None:
    """Apache Kafka stores neither a start nor a high watermark for it."""
    disk = formatted(ONE)
    directories = opened(disk, ONE)
    log = directories.open_metadata_log(CONFIG, 1_000)
    fill(log, 3, epoch=1)
    log.truncate_fully_and_start_at(9)
    fill(log, 3, epoch=2)
    log.sync()
    disk.crash()
    disk.remove_file(f"{ONE}/log-start-offset-checkpoint")
    log = opened(disk, ONE).open_metadata_log(CONFIG, 1_000)
    assert (log.log_start_offset, log.log_end_offset) == (9, 12)


def test_a_log_that_starts_over_below_its_start_keeps_what_it_takes_in() -> None:
    disk = formatted(ONE)
    directories = opened(disk, ONE)
    log = directories.create(A0, ID_A, CONFIG, 1_000)
    fill(log, 12)
    log.advance_log_start(9)
    directories.checkpoint_log_starts()
    log.truncate_fully_and_start_at(0)
    fill(log, 5)
    disk.crash()
    again = opened(disk, ONE).logs[A0]
    assert (again.log_start_offset, again.log_end_offset, again.damage) == (0, 5, None)


def test_a_cut_inside_the_batch_that_holds_the_log_start_keeps_it() -> None:
    disk = formatted(ONE)
    directories = opened(disk, ONE)
    log = directories.create(A0, ID_A, CONFIG, 1_000)
    fill(log, 5, 10)
    log.advance_log_start(9)
    directories.checkpoint_log_starts()
    log.truncate_to(9)
    fill(log, 10)
    disk.crash()
    again = opened(disk, ONE).logs[A0]
    assert (again.log_start_offset, again.log_end_offset, again.damage) == (9, 19, None)


def test_a_log_that_starts_over_where_it_starts_stores_that_first() -> None:
    disk = formatted(ONE)
    directories = opened(disk, ONE)
    log = directories.create(A0, ID_A, CONFIG, 1_000)
    fill(log, 12)
    log.advance_log_start(9)
    log.truncate_fully_and_start_at(9)
    fill(log, 5)
    disk.crash()
    again = opened(disk, ONE).logs[A0]
    assert (again.log_start_offset, again.log_end_offset, again.damage) == (9, 14, None)


@pytest.mark.parametrize("stored", [0, 1, 2])
@pytest.mark.parametrize("synced", [False, True])
@pytest.mark.parametrize("end", ["crash", "power_loss"])
def test_a_log_that_starts_over_below_its_start_and_above_the_stored_one(stored: int, synced: bool, end: str) -> None:
    """A log start that DeleteRecords raises is stored by the next checkpoint, unless segments go."""
    disk = formatted(ONE)
    directories = opened(disk, ONE)
    log = directories.create(A0, ID_A, CONFIG, 1_000)
    fill(log, *[1] * 12, epoch=1)
    if stored:
        log.advance_log_start(stored)
        directories.checkpoint_log_starts()
    log.advance_log_start(9)
    if synced:
        log.sync()
        directories.checkpoint_recovery_points()
        directories.checkpoint_high_watermarks({A0: 12})
    log.truncate_fully_and_start_at(3)
    fill(log, *[1] * 5, epoch=3)
    if synced or end == "power_loss":
        log.sync()
    if synced:
        directories.checkpoint_recovery_points()
    getattr(disk, end)()
    again = opened(disk, ONE).logs[A0]
    assert (again.log_start_offset, again.log_end_offset, again.damage) == (3, 8, None)


def test_a_log_that_starts_over_stores_where_first() -> None:
    disk = formatted(ONE)
    directories = opened(disk, ONE)
    log = directories.create(A0, ID_A, CONFIG, 1_000)
    fill(log, 3)
    log.truncate_fully_and_start_at(9)
    assert read_offsets(disk, f"{ONE}/log-start-offset-checkpoint") == {A0: 9}
    fill(log, 3)
    disk.crash()
    again = opened(disk, ONE).logs[A0]
    assert (again.log_start_offset, again.log_end_offset, again.damage) == (9, 12, None)
