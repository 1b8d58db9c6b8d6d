"""Keys and values of the coordinators' logs."""

import pytest

from holdwater.wire.codec import EncodeError, ProtocolError, encode
from holdwater.wire.coordinator_records import decode_key, decode_value, encode_key, encode_value, record_names
from holdwater.wire.messages import (
    GroupMetadataKey,
    OffsetCommitKey,
    OffsetCommitValue,
    TopicRecord,
    TransactionLogKey,
    TransactionLogValue,
)


def test_keys_carry_their_type_and_values_their_version() -> None:
    key, value = OffsetCommitKey("g", "orders", 3), OffsetCommitValue(40, 5, "", 1_000)
    assert encode_key(key) == b"\x00\x01" + encode(key, OffsetCommitKey.MAX_VERSION)
    assert encode_value(value, 3) == b"\x00\x03" + encode(value, 3)
    assert decode_key("group", encode_key(key)) == key
    assert decode_value("group", key.API_KEY, encode_value(value, 3)) == value


def test_the_same_type_is_another_record_for_another_coordinator() -> None:
    key = TransactionLogKey("t")
    assert decode_key("transaction", encode_key(key)) == key
    assert record_names("group", "coordinator-key")[0] != record_names("transaction", "coordinator-key")[0]
    assert len(record_names("group", "coordinator-key")) == len(record_names("group", "coordinator-value"))


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x7f\xff", b"\xff\xff", encode_key(GroupMetadataKey("g")) + b"x"])
def test_bad_keys(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_key("group", data)


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x00\x63", b"\xff\xff", encode_value(TransactionLogValue(), 1) + b"x"])
def test_bad_values(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_value("transaction", 0, data)


def test_a_value_of_an_unknown_type() -> None:
    with pytest.raises(ProtocolError, match="no coordinator-value of the share coordinator has the type 99"):
        decode_value("share", 99, b"\x00\x00")


def test_other_messages_are_refused() -> None:
    with pytest.raises(EncodeError, match="TopicRecord is no coordinator-key"):
        encode_key(TopicRecord())
    with pytest.raises(EncodeError, match="OffsetCommitKey is no coordinator-value"):
        encode_value(OffsetCommitKey(), 0)
    with pytest.raises(EncodeError, match="OffsetCommitValue has versions"):
        encode_value(OffsetCommitValue(), 99)
