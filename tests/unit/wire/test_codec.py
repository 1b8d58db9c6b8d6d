"""Encoding and decoding where the schema has rules of its own: tagged fields, absent fields, values that do not fit, segments."""

import pytest

from holdwater.wire.codec import EncodeError, decode, encode, encode_segments, encoder
from holdwater.wire.codec.classes import Message
from holdwater.wire.codec.encode_source import SEGMENT_BYTES
from holdwater.wire.messages import (
    ApiVersionsRequest,
    ApiVersionsResponse,
    ConsumerGroupMemberMetadataValue,
    CreateTopicsRequest,
    FetchRequest,
    FetchResponse,
    FetchSnapshotResponse,
    JoinGroupRequest,
    MetadataRequest,
    ProduceRequest,
    RegisterBrokerRecord,
    RequestHeader,
    TopicRecord,
)


def test_known_tags_are_written_by_tag_and_only_when_not_default() -> None:
    head = encode(ApiVersionsResponse(), 3)
    assert head.endswith(b"\x00")
    features = [ApiVersionsResponse.FinalizedFeatureKey("f", 2, 1)]
    raw = encode(ApiVersionsResponse(finalized_features=features, finalized_features_epoch=7), 3)
    assert raw == head[:-1] + b"\x02" + b"\x01\x08" + (7).to_bytes(8, "big") + b"\x02\x08" + b"\x02\x02f\x00\x02\x00\x01\x00"
    assert decode(ApiVersionsResponse, 3, raw).finalized_features == features


def test_unknown_tags_are_kept_and_merged_in_the_order_of_tags() -> None:
    response = ApiVersionsResponse(finalized_features_epoch=7, zk_migration_ready=True, unknown_tags={200: b"z", 4: b"ab"})
    raw = encode(response, 3)
    tags = raw[len(encode(ApiVersionsResponse(), 3)) - 1 :]
    assert tags == b"\x04" + b"\x01\x08" + (7).to_bytes(8, "big") + b"\x03\x01\x01" + b"\x04\x02ab" + b"\xc8\x01\x01z"
    again = decode(ApiVersionsResponse, 3, raw)
    assert again == response
    assert encode(again, 3) == raw


def test_a_tag_of_a_later_version_is_unknown_before_it() -> None:
    raw = encode(RegisterBrokerRecord(log_dirs=[bytes(16)]), 3)
    older = decode(RegisterBrokerRecord, 2, raw)
    assert older.log_dirs == []
    assert older.unknown_tags == {0: b"\x02" + bytes(16)}
    assert encode(older, 2) == raw


def test_an_unknown_tag_may_not_be_a_known_one() -> None:
    with pytest.raises(EncodeError, match="tag 1 is a field of this version"):
        encode(ApiVersionsResponse(unknown_tags={1: b""}), 3)


def test_a_tagged_struct_of_defaults_is_not_written() -> None:
    plain = FetchResponse.PartitionData()
    spelled = FetchResponse.PartitionData(diverging_epoch=FetchResponse.EpochEndOffset())
    set_ = FetchResponse.PartitionData(diverging_epoch=FetchResponse.EpochEndOffset(3, 40))

    def raw(partition: FetchResponse.PartitionData) -> bytes:
        return encode(FetchResponse(responses=[FetchResponse.FetchableTopicResponse(partitions=[partition])]), 17)

    assert raw(spelled) == raw(plain)
    assert decode(FetchResponse, 17, raw(set_)).responses[0].partitions[0] == set_


def test_a_nullable_struct_in_a_tag_says_null_with_a_zero() -> None:
    value = ConsumerGroupMemberMetadataValue(classic_member_metadata=None)
    raw = encode(value, 0)
    assert raw.endswith(b"\x01\x00\x01\x00")
    assert decode(ConsumerGroupMemberMetadataValue, 0, raw) == value


def test_a_value_that_the_version_lacks_is_refused_by_name() -> None:
    with pytest.raises(EncodeError, match=r"JoinGroupRequest v4 has no GroupInstanceId = 'static-1'"):
        encode(JoinGroupRequest("g", group_instance_id="static-1"), 4)
    with pytest.raises(EncodeError, match=r"MetadataRequest v3 has no AllowAutoTopicCreation = False"):
        encode(MetadataRequest(topics=[], allow_auto_topic_creation=False), 3)
    partition = FetchRequest.FetchPartition(last_fetched_epoch=5)
    with pytest.raises(EncodeError, match="FetchRequest v11: FetchPartition has no LastFetchedEpoch = 5"):
        encode(FetchRequest(topics=[FetchRequest.FetchTopic(partitions=[partition])]), 11)


def test_an_ignorable_value_that_the_version_lacks_is_dropped() -> None:
    assert encode(FetchRequest(rack_id="r"), 10) == encode(FetchRequest(), 10)
    assert decode(FetchRequest, 11, encode(FetchRequest(rack_id="r"), 11)).rack_id == "r"


@pytest.mark.parametrize(
    ("message", "version", "why"),
    [
        (TopicRecord(name=None), 0, "name is None"),  # pyright: ignore[reportArgumentType]
        (TopicRecord(name=5), 0, "name is int, not str"),  # pyright: ignore[reportArgumentType]
        (TopicRecord(name="\ud800"), 0, "name holds characters that UTF-8 cannot"),
        (TopicRecord(name="x" * 32768), 0, "string of 32768 bytes"),
        (TopicRecord(topic_id=bytes(15)), 0, "topic_id = .* is no uuid"),
        (ProduceRequest(acks=40_000), 9, "acks = 40000 is no int16"),
        (ProduceRequest("t" * 32768), 3, "transactional_id is 32768 bytes long"),
        (MetadataRequest(topics=None), 0, "topics is None"),
        (
            FetchRequest(topics=[FetchRequest.FetchTopic(partitions=[FetchRequest.FetchPartition(fetch_offset=2**63)])]),
            17,
            "fetch_offset = 9",
        ),
        (FetchRequest(topics=[FetchRequest.FetchTopic()], max_bytes="many"), 17, "max_bytes = 'many' is no int32"),  # pyright: ignore[reportArgumentType]
    ],
)
def test_a_value_that_does_not_fit_is_named(message: Message, version: int, why: str) -> None:
    with pytest.raises(EncodeError, match=why):
        encode(message, version)


def test_a_version_that_does_not_exist() -> None:
    for version in (2, 14):
        with pytest.raises(EncodeError, match="ProduceRequest has versions 3 to 13"):
            encoder(ProduceRequest, version)


def test_the_client_id_of_a_request_header_is_never_compact() -> None:
    assert encode(RequestHeader(3, 12, 1, "ab"), 2) == b"\x00\x03\x00\x0c\x00\x00\x00\x01\x00\x02ab\x00"
    assert encode(RequestHeader(3, 12, 1, None), 1) == b"\x00\x03\x00\x0c\x00\x00\x00\x01\xff\xff"


def test_number_arrays_on_both_sides_of_the_prepared_lengths() -> None:
    for length in (0, 1, 15, 16, 17, 200):
        numbers = list(range(-length, 0))
        assignment = CreateTopicsRequest.CreatableReplicaAssignment(0, numbers)
        request = CreateTopicsRequest([CreateTopicsRequest.CreatableTopic("t", assignments=[assignment])])
        for version in (2, 7):
            assert decode(CreateTopicsRequest, version, encode(request, version)) == request


def test_lengths_on_both_sides_of_a_varint_byte() -> None:
    for length in (0, 1, 126, 127, 128, 16_382, 16_383, 16_384, 32_767):
        request = ApiVersionsRequest("x" * length, "1")
        assert decode(ApiVersionsRequest, 3, encode(request, 3)) == request


def fetch_response(*records: bytes | None) -> FetchResponse:
    partitions = [FetchResponse.PartitionData(number, records=data) for number, data in enumerate(records)]
    return FetchResponse(responses=[FetchResponse.FetchableTopicResponse("t", partitions=partitions)])


def test_large_records_leave_a_segment_encoder_as_they_are() -> None:
    large, small = b"L" * SEGMENT_BYTES, b"s" * (SEGMENT_BYTES - 1)
    for version in (4, 12):
        message = fetch_response(small, large, None, large, b"")
        parts = encode_segments(message, version)
        assert sum(part is large for part in parts) == 2
        assert len(parts) == 5
        assert b"".join(parts) == encode(message, version)
    assert len(encode_segments(fetch_response(small, None), 12)) == 1


def test_records_that_may_not_be_null_default_to_nothing() -> None:
    partition = FetchSnapshotResponse.PartitionSnapshot()
    assert partition.unaligned_records == b""
    topic = FetchSnapshotResponse.TopicSnapshot("t", [partition])
    message = FetchSnapshotResponse(topics=[topic])
    assert decode(FetchSnapshotResponse, 0, encode(message, 0)) == message
