"""The requester against a broker of a few lines: versions, limits, and every way in which an answer can fail to come."""

import socket
import time
from struct import pack
from typing import Any

import pytest
from tests.support.fake_broker import FakeBroker

from holdwater.rpc import BrokerError, Connection, ConnectionFailed, RequestTimedOut, RpcError, UnsupportedRequest
from holdwater.rpc.calls import (
    connect_to_any,
    describe_quorum,
    describe_topic,
    fetch,
    list_offsets,
    parse_bootstrap,
)
from holdwater.wire import messages
from holdwater.wire.codec import encode

Metadata = messages.MetadataResponse


def metadata(*names: str) -> Any:
    return lambda request, version: Metadata(topics=[Metadata.MetadataResponseTopic(name=name) for name in names])


def ask(broker: FakeBroker, **options: Any) -> Any:
    with Connection("127.0.0.1", broker.port, **options) as connection:
        return connection.call(messages.MetadataRequest(topics=None), messages.MetadataResponse)


class TestVersions:
    def test_the_highest_in_common(self) -> None:
        with FakeBroker({"MetadataRequest": metadata("a")}, versions={"MetadataRequest": (4, 99)}) as broker:
            assert [topic.name for topic in ask(broker).topics] == ["a"]
            assert [(name, version) for name, version, _ in broker.seen] == [("ApiVersionsRequest", 4), ("MetadataRequest", 13)]

    def test_an_older_broker(self) -> None:
        with FakeBroker({"MetadataRequest": metadata("a")}, versions={"MetadataRequest": (0, 8)}) as broker:
            ask(broker)
            assert broker.seen[-1][1] == 8

    def test_none_in_common(self) -> None:
        with (
            FakeBroker({"MetadataRequest": metadata()}, versions={"MetadataRequest": (90, 99)}) as broker,
            pytest.raises(UnsupportedRequest),
        ):
            ask(broker)

    def test_an_api_that_the_broker_does_not_have(self) -> None:
        with FakeBroker({}) as broker, Connection("127.0.0.1", broker.port) as connection:
            assert not connection.supports(messages.DescribeQuorumRequest)
            with pytest.raises(UnsupportedRequest, match="DescribeQuorumRequest"):
                describe_quorum(connection)

    def test_a_broker_that_does_not_know_our_version_of_api_versions(self) -> None:
        def old(request: Any, version: int) -> Any:
            key = messages.ApiVersionsResponse.ApiVersion(api_key=3, min_version=0, max_version=5)
            if version > 0:
                return pack(">i", 1) + encode(messages.ApiVersionsResponse(error_code=35), 0)
            return messages.ApiVersionsResponse(api_keys=[key])

        with FakeBroker({"ApiVersionsRequest": old, "MetadataRequest": metadata("a")}) as broker:
            ask(broker)
            assert [(name, version) for name, version, _ in broker.seen] == [
                ("ApiVersionsRequest", 4),
                ("ApiVersionsRequest", 0),
                ("MetadataRequest", 5),
            ]


class TestFailures:
    def test_nobody_listens(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        with pytest.raises(ConnectionFailed, match=f"127.0.0.1:{port}"):
            Connection("127.0.0.1", port)

    def test_no_answer_within_the_limit(self) -> None:
        with FakeBroker({"MetadataRequest": lambda request, version: None}) as broker:
            start = time.monotonic()
            with pytest.raises(RequestTimedOut, match=r"did not answer MetadataRequest within 0\.2 s"):
                ask(broker, timeout_s=0.2)
            assert time.monotonic() - start < 20

    def test_the_broker_closes_in_the_middle(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            import threading

            def half() -> None:
                connection, _ = server.accept()
                connection.recv(1000)
                connection.sendall(pack(">i", 1000) + b"only this")
                connection.close()

            thread = threading.Thread(target=half)
            thread.start()
            with pytest.raises(ConnectionFailed, match="closed the connection"):
                Connection("127.0.0.1", server.getsockname()[1])
            thread.join()

    @pytest.mark.parametrize(
        ("answer", "why"),
        [
            (pack(">i", 77) + b"\0", "answered request 77"),
            (pack(">i", 2) + b"\0" + b"\xff" * 40, "what is no MetadataResponse"),
            (pack(">i", 2) + b"\x01", "what is no MetadataResponse"),
        ],
    )
    def test_an_answer_that_is_none(self, answer: bytes, why: str) -> None:
        with FakeBroker({"MetadataRequest": lambda request, version: answer}) as broker, pytest.raises(RpcError, match=why):
            ask(broker)

    def test_a_frame_beyond_the_limit_is_not_read(self) -> None:
        limit = pytest.raises(RpcError, match=r"frame of 2000 bytes \(limit 1000\)")
        with FakeBroker({"MetadataRequest": lambda request, version: bytes(2000)}) as broker, limit:
            ask(broker, frame_limit_bytes=1000)

    def test_any_address_will_do(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            closed = server.getsockname()[1]
        with FakeBroker({}) as broker, connect_to_any([("127.0.0.1", closed), ("127.0.0.1", broker.port)]) as connection:
            assert connection.address == f"127.0.0.1:{broker.port}"
        with pytest.raises(ConnectionFailed):
            connect_to_any([("127.0.0.1", closed)])


class TestCalls:
    def test_a_long_topic_comes_in_pages(self) -> None:
        struct = messages.DescribeTopicPartitionsResponse

        def pages(request: Any, version: int) -> Any:
            first = request.cursor.partition_index if request.cursor else 0
            partitions = [
                struct.DescribeTopicPartitionsResponsePartition(
                    partition_index=first, leader_id=1, leader_epoch=2, replica_nodes=[1, 2], isr_nodes=[1], eligible_leader_replicas=[2]
                )
            ]
            cursor = struct.Cursor(topic_name="t", partition_index=first + 1) if first < 2 else None
            return struct(topics=[struct.DescribeTopicPartitionsResponseTopic(name="t", partitions=partitions)], next_cursor=cursor)

        with FakeBroker({"DescribeTopicPartitionsRequest": pages}) as broker, Connection("127.0.0.1", broker.port) as connection:
            found = describe_topic(connection, "t")
        assert found is not None
        assert found.partitions == tuple((partition, 1, 2, (1, 2), (1,), (2,)) for partition in range(3))

    def test_without_describe_topic_partitions_metadata_tells(self) -> None:
        partition = Metadata.MetadataResponsePartition(partition_index=0, leader_id=3, leader_epoch=5, replica_nodes=[3], isr_nodes=[3])
        answer = Metadata(topics=[Metadata.MetadataResponseTopic(name="t", partitions=[partition])])
        with FakeBroker({"MetadataRequest": lambda r, v: answer}) as broker, Connection("127.0.0.1", broker.port) as connection:
            found = describe_topic(connection, "t")
        assert found is not None
        assert found.partitions == ((0, 3, 5, (3,), (3,), ()),)

    @pytest.mark.parametrize("code", [3, 41])
    def test_an_unknown_topic_is_none_and_other_errors_are_raised(self, code: int) -> None:
        answer = Metadata(topics=[Metadata.MetadataResponseTopic(name="t", error_code=code)])
        with FakeBroker({"MetadataRequest": lambda r, v: answer}) as broker, Connection("127.0.0.1", broker.port) as connection:
            if code == 3:
                assert describe_topic(connection, "t") is None
            else:
                with pytest.raises(BrokerError, match=r"NOT_CONTROLLER \(41, retriable\)"):
                    describe_topic(connection, "t")

    def test_offsets_of_partitions_with_errors_are_left_out(self) -> None:
        struct = messages.ListOffsetsResponse
        parts = [
            struct.ListOffsetsPartitionResponse(partition_index=0, offset=10),
            struct.ListOffsetsPartitionResponse(partition_index=1, error_code=74, offset=-1),
        ]
        answer = struct(topics=[struct.ListOffsetsTopicResponse(name="t", partitions=parts)])
        with FakeBroker({"ListOffsetsRequest": lambda r, v: answer}) as broker, Connection("127.0.0.1", broker.port) as connection:
            assert list_offsets(connection, "t", {0: 4, 1: 4}) == {0: 10}
            asked = broker.seen[-1][2].topics[0].partitions
            assert [(one.partition_index, one.current_leader_epoch, one.timestamp) for one in asked] == [(0, 4, -1), (1, 4, -1)]

    def test_a_raw_fetch(self) -> None:
        struct = messages.FetchResponse
        part = struct.PartitionData(partition_index=2, high_watermark=9, log_start_offset=1, records=b"batches")
        answer = struct(responses=[struct.FetchableTopicResponse(topic_id=bytes(16), partitions=[part])])
        with FakeBroker({"FetchRequest": lambda r, v: answer}) as broker, Connection("127.0.0.1", broker.port) as connection:
            assert fetch(connection, "t", bytes(16), 2, 5) == (0, 9, 1, b"batches")
            request = broker.seen[-1][2]
        assert (request.session_epoch, request.isolation_level, request.topics[0].partitions[0].fetch_offset) == (-1, 0, 5)

    def test_a_fetch_that_answers_for_another_partition(self) -> None:
        answer = messages.FetchResponse()
        without = pytest.raises(RpcError, match="without it")
        with FakeBroker({"FetchRequest": lambda r, v: answer}) as broker, Connection("127.0.0.1", broker.port) as connection, without:
            fetch(connection, "t", bytes(16), 2, 5)


def test_bootstrap_addresses() -> None:
    assert parse_bootstrap("a:1, b:65535,[::1]:9092") == [("a", 1), ("b", 65535), ("::1", 9092)]


@pytest.mark.parametrize("text", ["", "a", "a:", ":1", "a:0", "a:65536", "a:1,", "a:x"])
def test_addresses_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="is no host:port"):
        parse_bootstrap(text)
