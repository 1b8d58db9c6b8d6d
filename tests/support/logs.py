"""Short words for tests about logs: batches of small records, a log on a simulated disk, what a log holds."""

from holdwater.kernel.ports import AppendResult, Log
from holdwater.sim.disk import SimDisk
from holdwater.storage.config import LogConfig
from holdwater.storage.log import PartitionLog
from holdwater.storage.recovery import Checkpoints, load_now
from holdwater.wire.records import Record, batches, build_batch, end_transaction_batch, parse_header, read_records

DIRECTORY = "/data/t-0"


def batch(*values: str, timestamp_ms: int = 1_000, **how: int | bool) -> bytes:
    """A batch with one record for each value."""
    return build_batch([Record(0, timestamp_ms, None, value.encode()) for value in values], **how)  # pyright: ignore[reportArgumentType]


def produced(
    producer_id: int, sequence: int, *values: str, epoch: int = 0, transactional: bool = False, timestamp_ms: int = 1_000
) -> bytes:
    """A batch of an idempotent or transactional producer."""
    return batch(
        *values,
        timestamp_ms=timestamp_ms,
        producer_id=producer_id,
        producer_epoch=epoch,
        base_sequence=sequence,
        transactional=transactional,
    )


def marker(producer_id: int, *, committed: bool, epoch: int = 0, coordinator_epoch: int = 0, timestamp_ms: int = 1_000) -> bytes:
    """A COMMIT or ABORT marker."""
    return end_transaction_batch(
        committed=committed,
        producer_id=producer_id,
        producer_epoch=epoch,
        coordinator_epoch=coordinator_epoch,
        timestamp_ms=timestamp_ms,
    )


def new_disk() -> SimDisk:
    """A simulated disk with an empty, durable partition directory."""
    disk = SimDisk()
    disk.make_directories(DIRECTORY)
    disk.sync_directory("/")
    disk.sync_directory("/data")
    return disk


def new_log(disk: SimDisk | None = None, **settings: object) -> PartitionLog:
    """An empty log in ``DIRECTORY``; settings are ``LogConfig``'s."""
    return PartitionLog.create(disk or new_disk(), DIRECTORY, LogConfig(**settings), 0)  # pyright: ignore[reportArgumentType]


def append(log: PartitionLog, data: bytes, *, epoch: int = 0, wall_ms: int = 1_000, **how: int) -> AppendResult:
    """Append as the leader of ``epoch``."""
    return log.append_as_leader(data, parse_header(data), epoch, wall_ms, **how)


def fill(log: PartitionLog, *counts: int, epoch: int = 0, timestamp_ms: int = 1_000) -> None:
    """Append one batch for each count, with that many records whose values are their offsets."""
    for count in counts:
        end = log.log_end_offset
        result = append(log, batch(*[str(end + n) for n in range(count)], timestamp_ms=timestamp_ms), epoch=epoch)
        assert result.error_code == 0


def read_all(log: Log, *, max_bytes: int = 1 << 20) -> list[Record]:
    """Every record from the log start to the log end, by reads of ``max_bytes``."""
    records: list[Record] = []
    offset = log.log_start_offset
    while offset < log.log_end_offset:
        data = log.read(offset, max_bytes, log.log_end_offset, at_least_one=True)
        assert data, f"nothing at offset {offset} below the log end {log.log_end_offset}"
        for position, header, _ in batches(data):
            records += read_records(data, position, header)
            offset = header.base_offset + header.last_offset_delta + 1
    return [record for record in records if record.offset >= log.log_start_offset]


def values(log: Log) -> list[str]:
    """The values of ``read_all``."""
    return [(record.value or b"").decode("utf-8", "replace") for record in read_all(log)]


def raw(log: Log) -> bytes:
    """All bytes of the batches from the log start on."""
    parts: list[bytes] = []
    offset = log.log_start_offset
    while offset < log.log_end_offset:
        data = log.read(offset, 1 << 20, log.log_end_offset, at_least_one=True)
        for _, header, _ in batches(data):
            offset = header.base_offset + header.last_offset_delta + 1
        parts.append(data)
    return b"".join(parts)


def reopen(
    disk: SimDisk,
    *,
    clean: bool = False,
    recovery_point: int = 0,
    log_start_offset: int = 0,
    high_watermark: int = 0,
    compacted_to: int = 0,
    wall_ms: int = 1_000,
    **settings: object,
) -> PartitionLog:
    """Open the log in ``DIRECTORY`` again, as after a crash unless ``clean``."""
    return load_now(
        disk,
        DIRECTORY,
        LogConfig(**settings),  # pyright: ignore[reportArgumentType]
        clean=clean,
        checkpoints=Checkpoints(
            recovery_point, log_start_offset, high_watermark, compacted_to=compacted_to, has_log_start=log_start_offset > 0
        ),
        wall_ms=wall_ms,
    )


def producer_facts(log: PartitionLog) -> tuple[object, ...]:
    """Everything known of the producers, for comparison."""
    producers = log.producers
    return producers.states, producers.open, producers.completed
