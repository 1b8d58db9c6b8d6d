"""Frames, headers, the API table, and the framing of metadata records."""

import pytest

from holdwater.wire.codec import EncodeError, ProtocolError, encode
from holdwater.wire.codec import frames as f
from holdwater.wire.messages import (
    ApiVersionsRequest,
    ApiVersionsResponse,
    FetchResponse,
    HeartbeatRequest,
    HeartbeatResponse,
    RequestHeader,
    TopicRecord,
    VoteResponse,
)
from holdwater.wire.metadata_records import RECORD_NAMES, decode_record, encode_record, read_head, record_class


def test_the_api_table_has_every_live_api() -> None:
    assert len(f.API_TABLE) == 91
    assert list(f.API_TABLE) == sorted(f.API_TABLE)
    assert f.API_TABLE[0] == f.Api(0, "Produce", 3, 13, 9, ("broker",), False)
    assert f.API_TABLE[52].listeners == ("controller",)
    assert not {4, 5, 6, 7} & set(f.API_TABLE)  # left Kafka with ZooKeeper
    assert f.API_TABLE[17].flexible_from == 32767
    for key, api in f.API_TABLE.items():
        request, response = f.request_class(key), f.response_class(key)
        assert (key, key) == (request.API_KEY, response.API_KEY)
        assert (api.min_version, api.max_version, api.flexible_from) == (request.MIN_VERSION, request.MAX_VERSION, request.FLEXIBLE_FROM)
        assert api.listeners == request.LISTENERS


def test_header_versions() -> None:
    assert [f.request_header_version(18, version) for version in (0, 2, 3, 4, 999)] == [1, 1, 2, 2, 2]
    assert [f.response_header_version(18, version) for version in (0, 3, 999)] == [0, 0, 0]
    assert [f.response_header_version(12, version) for version in (3, 4)] == [0, 1]
    assert (f.request_header_version(17, 1), f.response_header_version(17, 1)) == (1, 0)


@pytest.mark.parametrize("version", [0, 3, 4])
def test_a_request_frame(version: int) -> None:
    request = HeartbeatRequest("g", 5, "m")
    frame = f.encode_request(request, version, 77, "client")
    assert f.frame_size(frame, 0, 1000) == len(frame) - 4
    header, body = f.decode_request(frame[4:])
    assert (header.request_api_key, header.request_api_version, header.correlation_id, header.client_id) == (12, version, 77, "client")
    assert body == request


def test_a_header_keeps_its_unknown_tags() -> None:
    raw = encode(RequestHeader(12, 4, 1, None, unknown_tags={3: b"x"}), 2)
    header, position = f.decode_request_header(b"...." + raw + b"body", 4)
    assert header.unknown_tags == {3: b"x"}
    assert position == 4 + len(raw)


@pytest.mark.parametrize("version", [0, 3, 4])
def test_a_response_frame(version: int) -> None:
    response = HeartbeatResponse(error_code=27)
    frame = f.encode_response(response, version, 77)
    assert frame == b"".join(f.encode_response_segments(response, version, 77))
    assert f.frame_size(frame, 0, 1000) == len(frame) - 4
    assert f.decode_response(frame[4:], 12, version) == (77, response)


def test_an_api_versions_response_has_the_oldest_header() -> None:
    frame = f.encode_response(ApiVersionsResponse(error_code=35), 3, 5)
    assert frame[4:10] == b"\x00\x00\x00\x05\x00\x23"


def test_a_fetch_response_in_segments_is_the_same_frame() -> None:
    records = b"r" * 100_000
    partitions = [FetchResponse.PartitionData(records=records), FetchResponse.PartitionData(records=b"small")]
    message = FetchResponse(responses=[FetchResponse.FetchableTopicResponse(partitions=partitions)])
    for version in (4, 11, 12, 18):
        parts = f.encode_response_segments(message, version, 9)
        assert parts[1] is records
        assert b"".join(parts) == f.encode_response(message, version, 9)


@pytest.mark.parametrize(
    "raw",
    [b"", b"\x00\x12\x00\x03\x00\x00\x00", b"\x00\x12\x00\x03\x00\x00\x00\x01\x00\x09abc", b"\x00\x12\x00\x03\x00\x00\x00\x01\xff\xff"],
)
def test_headers_cut_short(raw: bytes) -> None:
    with pytest.raises(ProtocolError, match=r"cut short|longer than"):
        f.decode_request_header(raw)


def test_unknown_apis_and_versions() -> None:
    for key in (-1, 4, 5, 6, 7, 9999):
        with pytest.raises(ProtocolError, match=f"no API has the key {key}"):
            f.decode_request_header(key.to_bytes(2, "big", signed=True) + bytes(20))
    frame = f.encode_request(ApiVersionsRequest(), 3, 1, None)
    newer = frame[4:6] + (99).to_bytes(2, "big") + frame[8:]
    header, _ = f.decode_request_header(newer)  # a broker must read it to answer UNSUPPORTED_VERSION
    assert (header.request_api_key, header.request_api_version) == (18, 99)
    with pytest.raises(ProtocolError, match="not 99"):
        f.decode_request(newer)


@pytest.mark.parametrize("size", [-1, -(2**31), 101, 2**31 - 1])
def test_frame_sizes_out_of_bounds(size: int) -> None:
    with pytest.raises(ProtocolError, match="this listener takes up to 100"):
        f.frame_size(size.to_bytes(4, "big", signed=True), 0, 100)


def test_metadata_records_are_framed_with_key_and_version() -> None:
    record = TopicRecord("orders", bytes(15) + b"\x09")
    raw = encode_record(record, 0)
    assert raw == b"\x01\x02\x00" + encode(record, 0)
    assert read_head(raw) == (2, 0, 3)
    assert decode_record(raw) == record
    assert len(RECORD_NAMES) == 27
    assert all(key == record_class(key).API_KEY for key in RECORD_NAMES)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "cut short"),
        (b"\x01\x02", "cut short"),
        (b"\x00\x02\x00", "frame version 0"),
        (b"\x02\x02\x00", "frame version 2"),
        (b"\x01\x7f\x00", "no metadata record has the key 127"),
        (b"\x01\x02\x05", "TopicRecord has versions 0 to 0, not 5"),
        (b"\x01\x02\xff\xff\xff\xff\x0f", "not 4294967295"),
        (b"\x01\xff\xff\xff\xff\xff\x01\x00", "longer than 32 bits"),
        (b"\x01\x02\x00" + encode(TopicRecord("a"), 0) + b"\x00", "left over"),
    ],
)
def test_bad_metadata_records(raw: bytes, why: str) -> None:
    with pytest.raises(ProtocolError, match=why):
        decode_record(raw)


def test_only_metadata_records_are_framed_as_such() -> None:
    with pytest.raises(EncodeError, match="VoteResponse is no metadata record"):
        encode_record(VoteResponse(), 0)
