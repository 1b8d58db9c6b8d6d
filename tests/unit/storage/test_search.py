"""Searches by timestamp where the log starts inside a batch, as it does after DeleteRecords."""

import pytest
from tests.support.logs import append, batch, new_log


@pytest.mark.parametrize(("stamps", "timestamp_type"), [(5_000, "LogAppendTime"), (1_000, "CreateTime")])
def test_a_record_below_the_log_start_is_not_found_and_the_next_one_is(stamps: int, timestamp_type: str) -> None:
    log = new_log(message_timestamp_type=timestamp_type)
    append(log, batch("a", "b", "c"), wall_ms=5_000)
    append(log, batch("d"), wall_ms=6_000)
    log.advance_log_start(1)
    found = log.offset_for_timestamp(500, 4)
    assert found is not None
    assert (found.offset, found.timestamp_ms) == (1, stamps)
