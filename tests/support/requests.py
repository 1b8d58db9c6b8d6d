"""Single raw requests to a running cluster, for what a client library would retry, hide or refuse to send."""

import socket
import struct
from typing import Self

from tests.support.cluster import Brokers, eventually

from holdwater.kernel.identifiers import ZERO_UUID
from holdwater.rpc import calls
from holdwater.wire import messages as m
from holdwater.wire.codec import decode, encode
from holdwater.wire.codec.frames import decode_response_header, request_header_version


def frame(api_key: int, version: int, body: bytes, *, correlation_id: int = 7, client_id: str | None = "test") -> bytes:
    """A whole request frame, its length included."""
    header = m.RequestHeader(request_api_key=api_key, request_api_version=version, correlation_id=correlation_id, client_id=client_id)
    data = encode(header, request_header_version(api_key, version)) + body
    return struct.pack(">i", len(data)) + data


class RawConnection:
    """A socket to one listener, for bytes of any kind."""

    def __init__(self, port: int, timeout_s: float = 10.0) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send it all."""
        self.socket.sendall(data)

    def read_exactly(self, size: int) -> bytes:
        """That many bytes; fails when the connection ends before."""
        data = b""
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            assert part, f"the broker closed the connection after {len(data)} of {size} bytes"
            data += part
        return data

    def read_frame(self) -> bytes:
        """One response, without its length."""
        (length,) = struct.unpack(">i", self.read_exactly(4))
        return self.read_exactly(length)

    def call(self, message: object, version: int, response: type, *, correlation_id: int = 7):
        """One request in exactly this version, answered in its own."""
        api_key: int = message.API_KEY  # pyright: ignore[reportAttributeAccessIssue]
        self.send(frame(api_key, version, encode(message, version), correlation_id=correlation_id))  # pyright: ignore[reportArgumentType]
        data = self.read_frame()
        header, start = decode_response_header(data, api_key, version)
        assert header.correlation_id == correlation_id
        return decode(response, version, data, start)

    def is_closed(self) -> bool:
        """Whether the broker closes the connection, without a further byte, before the timeout."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False


def produce(
    cluster: Brokers,
    topic: str,
    records: bytes | None,
    *,
    partition: int = 0,
    acks: int = -1,
    version: int = 12,
    broker: int | None = None,
    timeout_ms: int = 10_000,
    transactional_id: str | None = None,
) -> m.ProduceResponse.PartitionProduceResponse:
    """Produce one batch to the leader, or to the given broker; the answer of its one partition."""
    asked = cluster.leader(topic, partition) if broker is None else broker
    topic_id = ZERO_UUID
    with cluster.connect(asked) as connection:
        if version >= 13:
            described = calls.describe_topic(connection, topic)
            topic_id = described.topic_id if described is not None else ZERO_UUID
        request = m.ProduceRequest(
            transactional_id=transactional_id,
            acks=acks,
            timeout_ms=timeout_ms,
            topic_data=[
                m.ProduceRequest.TopicProduceData(
                    name=topic,
                    topic_id=topic_id,
                    partition_data=[m.ProduceRequest.PartitionProduceData(index=partition, records=records)],
                )
            ],
        )
        answer = connection.call(request, m.ProduceResponse, timeout_s=timeout_ms / 1000 + 10, highest=version)
    return answer.responses[0].partition_responses[0]


def new_producer_id(cluster: Brokers, broker: int | None = None) -> int:
    """A producer id of an idempotent producer; a broker that has none left fetches more, and says so meanwhile."""
    request = m.InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=1000)
    with cluster.connect(broker) as connection:
        answer = eventually(lambda: connection.call(request, m.InitProducerIdResponse), lambda seen: seen.error_code == 0)
    return answer.producer_id
