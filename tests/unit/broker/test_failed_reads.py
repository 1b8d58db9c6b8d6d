"""A fetch of what can't be read: its partition is answered with an error, and what was wrong is known. Kafka answers the same."""

from tests.support.logs import DIRECTORY, append, fill, marker, new_disk, new_log, produced, reopen

from holdwater.broker.fetch_context import READ_COMMITTED, FetchContext, FetchItem, ItemResult, look
from holdwater.broker.partitions import HostedPartition
from holdwater.core.replica import LeaderReplica
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.identifiers import TopicPartition
from holdwater.sim.disk import Fault
from holdwater.storage.log import PartitionLog

TOPIC_ID = bytes(15) + b"\x07"
SEGMENT = f"{DIRECTORY}/00000000000000000000.log"


def fetched(log: PartitionLog, isolation: int = 0) -> ItemResult:
    """What a consumer's fetch of a partition finds, all of which is committed."""
    partition = HostedPartition(TopicPartition("t", 0), TOPIC_ID, log, {})
    partition.replica = LeaderReplica(
        broker_id=1, log=log, leader_epoch=0, partition_epoch=0, replicas=(1,), isr=(1,), min_isr=1,
        high_watermark=log.log_end_offset, live_brokers={1: 1}, mono_ms=0,
    )  # fmt: skip
    item = FetchItem(FetchContext(0, -1), "t", TOPIC_ID, 0)
    item.bind(partition, 0)
    item.max_bytes = 1 << 20
    return look(item, isolation, 1 << 20, at_least_one=True)


def test_a_batch_that_is_none() -> None:
    disk = new_disk()
    log = new_log(disk)
    fill(log, 1, 1)
    log.close()
    log = reopen(disk, clean=True, recovery_point=2)
    disk.damage(SEGMENT, 8, 0x80)
    result = fetched(log)
    assert (result.error_code, result.records, result.disk_failure) == (ErrorCode.CORRUPT_MESSAGE, b"", None)


def test_a_disk_that_fails() -> None:
    disk = new_disk()
    log = new_log(disk)
    fill(log, 1, 1)
    disk.arm(lambda operation: Fault.IO_ERROR if operation.name == "read" else None)
    result = fetched(log)
    assert (result.error_code, result.records) == (ErrorCode.KAFKA_STORAGE_ERROR, b"")
    assert result.disk_failure is not None
    assert result.disk_failure.path == SEGMENT
    disk.disarm_all()
    assert fetched(log).records


def test_a_disk_that_fails_to_tell_of_aborted_transactions() -> None:
    disk = new_disk()
    log = new_log(disk, segment_bytes=250)
    append(log, produced(7, 0, "a", transactional=True))
    append(log, marker(7, committed=False))
    fill(log, 20)
    assert log.segment_count == 2
    log.close()
    log = reopen(disk, clean=True, recovery_point=22, segment_bytes=250)
    disk.arm(lambda operation: Fault.IO_ERROR if operation.name == "read_file" and operation.path.endswith(".txnindex") else None)
    result = fetched(log, READ_COMMITTED)
    assert (result.error_code, result.records, result.aborted) == (ErrorCode.KAFKA_STORAGE_ERROR, b"", None)
    assert result.disk_failure is not None
    disk.disarm_all()
    assert fetched(log, READ_COMMITTED).aborted
