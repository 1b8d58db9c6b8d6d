"""What one append and one read of a partition's log cost. ``python -m benchmarks.log``

Prints microseconds per call, the best of many runs of a hundred calls, so that a busy machine disturbs little: the log alone (over files that
do nothing), the bare system call, and both together on a temporary directory. Nothing is asserted: machines differ.
"""

import gc
import os
import tempfile
import time
from collections.abc import Callable

from holdwater.kernel.ports import BatchHeader
from holdwater.node.disk import RealDisk
from holdwater.storage.config import LogConfig
from holdwater.storage.log import PartitionLog
from holdwater.wire.records import HEAD_BYTES, Record, batches, build_batch, check_crc, parse_header

COUNT = 5_000
REPEATS = 5
RUN = 100


class _NoFile:
    """A file that forgets."""

    def __init__(self) -> None:
        self.size = 0

    def append(self, *parts: bytes) -> None:
        self.size += sum(map(len, parts))

    def read(self, position: int, length: int) -> bytes:
        return b""


class _NoDisk(RealDisk):
    def open(self, path: str) -> _NoFile:  # pyright: ignore[reportIncompatibleMethodOverride]
        return _NoFile()

    def replace_file(self, path: str, content: bytes, *, durable: bool) -> None:
        return


def _best(prepare: Callable[[], Callable[[], None]]) -> float:
    """Microseconds per call of what ``prepare`` returns, each repeat on a fresh one."""
    best = float("inf")
    for _ in range(REPEATS):
        call = prepare()
        gc.disable()
        for _ in range(COUNT // RUN):
            started = time.perf_counter()
            for _ in range(RUN):
                call()
            best = min(best, time.perf_counter() - started)
        gc.enable()
    return best / RUN * 1e6


def _appends(log: PartitionLog, data: bytes, producer_id: int) -> Callable[[], None]:
    header = parse_header(data)
    headers: list[BatchHeader] = [header] * COUNT
    if producer_id >= 0:
        headers = [header._replace(producer_id=producer_id, producer_epoch=0, base_sequence=16 * n) for n in range(COUNT)]
    pending = iter(headers)

    def append() -> None:
        log.append_as_leader(data, next(pending), 1, 1_000)

    return append


def main() -> None:
    """Print the table."""
    data = build_batch([Record(0, 1_000, None, bytes(1_000))] * 16)
    header = parse_header(data)
    config = LogConfig()
    print(f"a batch of {len(data)} bytes")

    def line(name: str, prepare: Callable[[], Callable[[], None]]) -> None:
        print(f"{name:<58}{_best(prepare):8.1f} us")

    line("check the CRC", lambda: lambda: check_crc(data, 0, header))
    line("append, the log alone", lambda: _appends(PartitionLog.create(_NoDisk(), "/x", config, 0), data, -1))
    line("append of an idempotent producer, the log alone", lambda: _appends(PartitionLog.create(_NoDisk(), "/x", config, 0), data, 7))

    filled = PartitionLog.create(_NoDisk(), "/x", config, 0)
    add = _appends(filled, data, -1)
    for _ in range(COUNT):
        add()
    end = filled.log_end_offset
    line("read of the newest batch, the log alone", lambda: lambda: _ignore(filled.read(end - 16, 1 << 20, end, at_least_one=True)))
    line(
        "read below a high watermark, the log alone", lambda: lambda: _ignore(filled.read(end - 800, 1 << 20, end - 16, at_least_one=True))
    )

    with tempfile.TemporaryDirectory() as directory:
        _on_disk(directory, data, config, line)


def _on_disk(directory: str, data: bytes, config: LogConfig, line: Callable[[str, Callable[[], Callable[[], None]]], None]) -> None:
    descriptor = os.open(f"{directory}/raw", os.O_RDWR | os.O_CREAT | os.O_APPEND)
    parts = (data[:HEAD_BYTES], data[HEAD_BYTES:])
    line("writev, the call alone", lambda: lambda: _ignore(os.writev(descriptor, parts)))
    line("pread, the call alone", lambda: lambda: _ignore(os.pread(descriptor, len(data), 1_000_000)))
    os.close(descriptor)
    os.unlink(f"{directory}/raw")
    made = 0

    def fresh() -> PartitionLog:
        nonlocal made
        made += 1
        os.mkdir(f"{directory}/t-{made}")
        return PartitionLog.create(RealDisk(), f"{directory}/t-{made}", config, 0)

    line("append to disk", lambda: _appends(fresh(), data, -1))
    log = fresh()
    add = _appends(log, data, -1)
    for _ in range(COUNT):
        add()
    end = log.log_end_offset
    line("read of the newest batch from disk", lambda: lambda: _ignore(log.read(end - 16, 1 << 20, end, at_least_one=True)))
    offsets = iter([(7_919 * n) % (end // 4) for n in range(COUNT * REPEATS)])
    log._active.drop_table()
    line("read of any old batch through the index", lambda: lambda: _ignore(log.read(next(offsets), 16_384, end, at_least_one=True)))
    chunk = log.read(0, 1 << 20, end, at_least_one=True)
    count = sum(1 for _ in batches(chunk))
    line(f"read of 1 MiB of old batches ({count})", lambda: lambda: _ignore(log.read(0, 1 << 20, end, at_least_one=True)))
    log.close()


def _ignore(result: object) -> None:
    """Make a value of no interest."""


if __name__ == "__main__":
    main()
