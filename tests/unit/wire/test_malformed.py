"""Hand-made malformed input, one case per rule: always ``ProtocolError``, and nothing allocated from what the bytes claim."""

import time
import tracemalloc

import pytest

from holdwater.wire.codec import ElementBudget, ProtocolError, decode, decoder, encode
from holdwater.wire.codec.varint import put_varint
from holdwater.wire.messages import (
    ApiVersionsRequest,
    ApiVersionsResponse,
    DescribeTopicPartitionsRequest,
    FetchRequest,
    HeartbeatRequest,
    MetadataRequest,
    MetadataResponse,
    RegisterBrokerRecord,
    TopicRecord,
)

HEARTBEAT_V0 = encode(HeartbeatRequest("g", 1, "m"), 0)
TOPIC = encode(TopicRecord(name="orders"), 0)


def varint(value: int) -> bytes:
    out = bytearray()
    put_varint(out, value)
    return bytes(out)


def tags(*fields: tuple[int, bytes]) -> bytes:
    return varint(len(fields)) + b"".join(varint(tag) + varint(len(body)) + body for tag, body in fields)


def fetch_of_topics(count: int) -> bytes:
    """A FetchRequest v12 with so many topics of three bytes: no name, no partitions, no tags."""
    head = encode(FetchRequest(max_wait_ms=1, min_bytes=1), 12)
    position = len(head) - 4  # the topics, forgotten topics, rack id and tags of an empty request take a byte each
    return head[:position] + varint(count + 1) + b"\x01\x01\x00" * count + head[position + 1 :]


def test_every_truncation_and_every_extra_byte() -> None:
    for raw, message_class, version in ((HEARTBEAT_V0, HeartbeatRequest, 0), (TOPIC, TopicRecord, 0)):
        for end in range(len(raw)):
            with pytest.raises(ProtocolError, match=rf"{message_class.__name__} v{version}"):
                decode(message_class, version, raw[:end])
        with pytest.raises(ProtocolError, match="bytes left over"):
            decode(message_class, version, raw + b"\x00")


def test_a_decoder_stops_at_its_end_although_more_data_follows() -> None:
    function = decoder(TopicRecord, 0)
    for end in range(len(TOPIC)):
        with pytest.raises(ProtocolError):
            function(TOPIC + bytes(1000), 0, end, ElementBudget.CLIENT)
    assert function(b"xx" + TOPIC + b"yy", 2, 2 + len(TOPIC), ElementBudget.CLIENT).name == "orders"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"\xff\xff", "null, or longer"),
        (b"\xff\xfe", "null, or longer"),
        (b"\x80\x00", "null, or longer"),
        (b"\x7f\xff", "null, or longer"),
        (b"\x00\x02\xc3\x28" + HEARTBEAT_V0[3:], "not UTF-8"),
        (b"\x00\x03\xed\xa0\x80" + HEARTBEAT_V0[3:], "not UTF-8"),
        (b"\x00", "cut short"),
        (b"", "cut short"),
    ],
)
def test_bad_strings(body: bytes, why: str) -> None:
    with pytest.raises(ProtocolError, match=why):
        decode(HeartbeatRequest, 0, body)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"\x00", "null, or longer"),
        (b"\xff\xff\xff\xff\x0f", "string of 4294967294 bytes"),
        (b"\x81\x80\x02" + bytes(32768) + bytes(16) + b"\x00", "string of 32768 bytes"),
        (b"\xff\xff\xff\xff\x1f", "varint longer than 32 bits"),
        (b"\x80\x80\x80\x80\x80\x01", "varint longer than 32 bits"),
        (b"\x80", "cut short"),
    ],
)
def test_bad_compact_strings(body: bytes, why: str) -> None:
    with pytest.raises(ProtocolError, match=why):
        decode(TopicRecord, 0, body)


def test_a_nullable_length_has_one_null() -> None:
    assert decode(MetadataRequest, 1, b"\xff\xff\xff\xff").topics is None
    for count in (b"\xff\xff\xff\xfe", b"\x80\x00\x00\x00", b"\x7f\xff\xff\xff", b"\x00\x00\x00\x01"):
        with pytest.raises(ProtocolError):
            decode(MetadataRequest, 1, count)


def test_a_nullable_struct_is_null_or_present() -> None:
    cursor = DescribeTopicPartitionsRequest.Cursor("t", 1)
    raw = encode(DescribeTopicPartitionsRequest(response_partition_limit=1, cursor=cursor), 0)
    position = raw.index(b"\x01\x02t")
    assert decode(DescribeTopicPartitionsRequest, 0, raw).cursor == cursor
    for marker in (0, 2, 127, 128, 254):
        with pytest.raises(ProtocolError, match="Cursor: neither null nor present"):
            decode(DescribeTopicPartitionsRequest, 0, raw[:position] + bytes([marker]) + raw[position + 1 :])


@pytest.mark.parametrize(
    "section",
    [
        tags((5, b"a"), (4, b"b")),
        tags((5, b"a"), (5, b"b")),
        varint(1) + varint(5) + varint(100) + b"a",
        varint(1) + varint(5) + b"\xff\xff\xff\xff\x0f",
        varint(2**31) + varint(5) + varint(0),
        varint(3) + varint(1) + varint(0),
        b"\xff\xff\xff\xff\xff",
        b"\x80",
    ],
)
def test_bad_tag_sections(section: bytes) -> None:
    for message_class, version in ((ApiVersionsRequest, 3), (RegisterBrokerRecord, 3)):  # no tag known, and one
        with pytest.raises(ProtocolError):
            decode(message_class, version, encode(message_class(), version)[:-1] + section)


def test_a_known_tag_must_fill_its_size() -> None:
    head = encode(ApiVersionsResponse(), 3)[:-1]
    assert decode(ApiVersionsResponse, 3, head + tags((1, bytes(7) + b"\x05"))).finalized_features_epoch == 5
    for body in (bytes(7), bytes(9), b""):
        with pytest.raises(ProtocolError):
            decode(ApiVersionsResponse, 3, head + tags((1, body)))
    with pytest.raises(ProtocolError):  # an array inside a tag may not reach past the tag
        decode(ApiVersionsResponse, 3, head + tags((0, b"\x03\x02a"), (3, bytes(30))))


def test_a_version_that_does_not_exist() -> None:
    for version in (-1, 1, 32767):
        with pytest.raises(ProtocolError, match="TopicRecord has versions 0 to 0"):
            decode(TopicRecord, version, TOPIC)


def test_the_element_budget_counts_array_elements_of_every_kind() -> None:
    assert len(decode(FetchRequest, 12, fetch_of_topics(20_000)).topics) == 20_000
    with pytest.raises(ProtocolError, match="too many elements"):
        decode(FetchRequest, 12, fetch_of_topics(20_001))
    with pytest.raises(ProtocolError, match="too many elements"):
        decode(FetchRequest, 12, fetch_of_topics(1_001), budget=ElementBudget.BEFORE_AUTHENTICATION)
    nodes = MetadataResponse.MetadataResponseTopic(
        partitions=[MetadataResponse.MetadataResponsePartition(replica_nodes=list(range(10)), isr_nodes=list(range(10)))]
    )
    raw = encode(MetadataResponse(topics=[nodes]), 12)
    assert decode(MetadataResponse, 12, raw, budget=22).topics == [nodes]
    with pytest.raises(ProtocolError, match="too many elements"):
        decode(MetadataResponse, 12, raw, budget=21)


def test_the_element_budget_counts_unknown_tags() -> None:
    raw = encode(ApiVersionsRequest(unknown_tags=dict.fromkeys(range(100), b"")), 3)
    assert len(decode(ApiVersionsRequest, 3, raw, budget=100).unknown_tags or ()) == 100
    with pytest.raises(ProtocolError, match="too many tagged fields"):
        decode(ApiVersionsRequest, 3, raw, budget=99)


def test_a_mebibyte_of_tiny_structs_costs_next_to_nothing() -> None:
    frame = fetch_of_topics(350_000)
    function = decoder(FetchRequest, 12)
    tracemalloc.start()
    started = time.thread_time()
    try:
        with pytest.raises(ProtocolError, match="too many elements"):
            function(frame, 0, len(frame), ElementBudget.CLIENT)
        assert tracemalloc.get_traced_memory()[1] < 20_000
    finally:
        tracemalloc.stop()
    assert time.thread_time() - started < 0.05
