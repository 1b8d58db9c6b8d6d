"""When a produced batch is opened, and what is checked inside.

Batches stay closed, with two exceptions: a compacted topic takes no record without a key, as Apache Kafka refuses it (compaction could never
keep it), and ``holdwater.record.validation=records`` opens every batch. Whatever is opened is bounded before it is unpacked.
"""

from collections.abc import Mapping
from typing import NamedTuple

from holdwater.kernel.configs.broker import BrokerConfig
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.ports import BatchHeader, CorruptRecords
from holdwater.wire.records import read_records


class RecordCheck(NamedTuple):
    """How one topic's batches are opened."""

    needs_keys: bool
    limit_bytes: int
    """Most bytes that one batch may unpack to."""


def record_check(texts: Mapping[str, str], config: BrokerConfig) -> RecordCheck | None:
    """The check that a topic's effective configuration asks for; ``None``: batches stay closed."""
    needs_keys = "compact" in texts["cleanup.policy"]
    if not needs_keys and config.string("holdwater.record.validation") != "records":
        return None
    expanded = config.int("holdwater.max.record.expansion") * int(texts["max.message.bytes"])
    return RecordCheck(needs_keys, min(expanded, int(texts["max.decompressed.message.bytes"])))


def check_records(check: RecordCheck, data: bytes, header: BatchHeader) -> None:
    """Open the batch. Raises ``CorruptRecords``: unreadable, unpacked too large, offsets with gaps, or a key missing where one is needed."""
    records = read_records(data, 0, header, expansion_limit_bytes=check.limit_bytes)
    for index, record in enumerate(records, header.base_offset):
        if record.offset != index:
            raise CorruptRecords(f"record {index} of the batch has offset {record.offset}", ErrorCode.INVALID_RECORD)
        if check.needs_keys and record.key is None:
            raise CorruptRecords("Compacted topic cannot accept message without key.", ErrorCode.INVALID_RECORD)
