"""Bytes that are no Kafka, on the port of a live broker: the connection ends, one line says so, and everybody else is served.

A frame that never ends is no offence; it only may not cost anything. The cluster's fixture makes sure that no broker wrote a traceback.
"""

import random
import struct
import time
from collections.abc import Iterator

import pytest
from tests.support.cluster import RunningCluster, eventually
from tests.support.requests import RawConnection, frame

from holdwater.wire import messages as m
from holdwater.wire.codec import encode

BROKER = 1
MEBIBYTE = 1024 * 1024


def prefixed(data: bytes) -> bytes:
    return struct.pack(">i", len(data)) + data


def header(api_key: int, version: int) -> bytes:
    """A request header of version 1: no tagged fields."""
    return struct.pack(">hhih", api_key, version, 1, -1)


def metadata(version: int = 9) -> bytes:
    return frame(3, version, encode(m.MetadataRequest(topics=[]), version))


_RANDOM = random.Random(20)

CLOSED: dict[str, bytes] = {
    "http": b"GET /index.html HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "tls hello": bytes.fromhex("16030102000100") + bytes(200),
    "ssh": b"SSH-2.0-OpenSSH_9.6\r\n",
    "a frame of 2 GiB": struct.pack(">i", 2**31 - 1) + bytes(100),
    "a frame just over the limit": struct.pack(">i", 100 * MEBIBYTE + 1),
    "a frame of negative length": struct.pack(">i", -1) + bytes(100),
    "the smallest negative length": struct.pack(">i", -(2**31)),
    "an empty frame": prefixed(b""),
    "half a header": prefixed(b"\x00\x03\x00"),
    "a header without its client id": prefixed(struct.pack(">hhi", 3, 9, 1)),
    "a client id longer than the frame": prefixed(struct.pack(">hhih", 3, 8, 1, 30_000)),
    "a negative length of the client id": prefixed(struct.pack(">hhih", 3, 8, 1, -7)),
    "an API key that does not exist": prefixed(header(999, 0)),
    "a negative API key": prefixed(header(-3, 0)),
    "an API that is not served": frame(76, 1, b"\0" * 40),
    "an API of the controllers": frame(52, 0, b"\0" * 40),
    "a version too high": prefixed(header(3, 99)),
    "a negative version": prefixed(header(3, -1)),
    "a version that Kafka has removed": prefixed(header(1, 3) + bytes(40)),
    "produce of version 2": prefixed(header(0, 2) + struct.pack(">hii", 1, 1000, 0)),
    "a body cut short": prefixed(metadata()[4:-3]),
    "no body": prefixed(header(2, 1)),
    "an array of two billion": prefixed(header(3, 1) + struct.pack(">i", 2**31 - 1)),
    "a negative array": prefixed(header(2, 1) + struct.pack(">ii", -1, -5)),
    "a compact array of five billion": prefixed(header(3, 9) + b"\0" + b"\xff\xff\xff\xff\x0f"),
    "a varint without an end": prefixed(header(3, 9) + b"\0" + b"\xff" * 20),
    "a string that is no UTF-8": prefixed(header(3, 1) + struct.pack(">ih", 1, 2) + b"\xff\xfe"),
    "a million tiny topics": prefixed(header(3, 1) + struct.pack(">i", 1_000_000) + b"\0\x01a" * 1_000_000),
    "tagged fields without an end": prefixed(struct.pack(">hhih", 3, 9, 1, -1) + b"\xff\xff\xff\xff\x07"),
    "noise": _RANDOM.randbytes(5000),
    "zeros": bytes(5000),
}


@pytest.fixture
def watched(cluster: RunningCluster) -> Iterator[RunningCluster]:
    """The cluster; at the end broker 1 still is the process that it was, and answers."""
    pid = cluster.status()[BROKER]["pid"]
    yield cluster
    assert cluster.status()[BROKER]["pid"] == pid
    with RawConnection(cluster.ports[BROKER]) as connection:
        assert len(connection.call(m.MetadataRequest(topics=[]), 9, m.MetadataResponse).brokers) == 3


def complaints(cluster: RunningCluster) -> list[str]:
    return [line for line in cluster.log(BROKER).splitlines() if "clos" in line]


@pytest.mark.parametrize("name", CLOSED)
def test_the_connection_is_closed_with_one_line(watched: RunningCluster, name: str) -> None:
    before = len(complaints(watched))
    with RawConnection(watched.ports[BROKER]) as connection:
        connection.send(CLOSED[name])
        assert connection.is_closed()
    said = eventually(lambda: complaints(watched)[before:], lambda lines: len(lines) >= 1)
    assert len(said) == 1, said
    assert len(said[0]) < 500


def test_the_same_on_the_controllers_listener(watched: RunningCluster) -> None:
    for name in ("http", "a frame of 2 GiB", "an API that is not served", "noise"):
        with RawConnection(watched.controller_ports[BROKER]) as connection:
            connection.send(CLOSED[name])
            assert connection.is_closed(), name


def test_an_api_of_clients_is_not_served_to_controllers(watched: RunningCluster) -> None:
    with RawConnection(watched.controller_ports[BROKER]) as connection:
        connection.send(metadata())
        assert connection.is_closed()


def test_an_unknown_version_of_api_versions_is_answered_with_version_0(watched: RunningCluster) -> None:
    with RawConnection(watched.ports[BROKER]) as connection:
        connection.send(prefixed(struct.pack(">hhih", 18, 99, 5, -1) + b"\0whatever"))
        answer = connection.read_frame()
        low, high = 0, 5
        assert answer == struct.pack(">ihihhh", 5, 35, 1, 18, low, high)
        connection.call(m.ApiVersionsRequest("test", "1"), 3, m.ApiVersionsResponse)  # the connection lives on


def test_an_answer_to_what_came_before_the_garbage_still_leaves(watched: RunningCluster) -> None:
    with RawConnection(watched.ports[BROKER]) as connection:
        connection.send(metadata() + prefixed(header(999, 0)))
        assert connection.read_frame()[:4] == struct.pack(">i", 7)
        assert connection.is_closed()


def test_bytes_after_a_request_are_passed_over(watched: RunningCluster) -> None:
    """As Kafka does, and as librdkafka 2.16 needs, which sends three bytes too many when it asks for all topics."""
    with RawConnection(watched.ports[BROKER]) as connection:
        for rest in (b"\0\0\0", b"x" * 1000):
            connection.send(frame(3, 13, encode(m.MetadataRequest(topics=None), 13) + rest))
            assert len(connection.read_frame()) > 50


def test_requests_in_one_piece_and_byte_by_byte(watched: RunningCluster) -> None:
    with RawConnection(watched.ports[BROKER]) as connection:
        connection.send(metadata() * 50)
        assert len({connection.read_frame() for _ in range(50)}) == 1
        for byte in metadata():
            connection.send(bytes([byte]))
        connection.read_frame()


def test_a_frame_that_never_ends_costs_little_and_holds_up_nobody(watched: RunningCluster) -> None:
    before = _resident_bytes(watched)
    connections = [RawConnection(watched.ports[BROKER]) for _ in range(100)]
    try:
        for connection in connections:
            connection.send(struct.pack(">i", 90 * MEBIBYTE) + bytes(1000))
        started = time.monotonic()
        with RawConnection(watched.ports[BROKER]) as other:
            other.call(m.MetadataRequest(topics=[]), 9, m.MetadataResponse)
        assert time.monotonic() - started < 2
        assert _resident_bytes(watched) - before < 64 * MEBIBYTE
    finally:
        for connection in connections:
            connection.socket.close()


def _resident_bytes(cluster: RunningCluster) -> int:
    with open(f"/proc/{cluster.status()[BROKER]['pid']}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096


def test_connections_that_end_in_the_middle(watched: RunningCluster) -> None:
    for data in (b"", b"\0", metadata()[:6], metadata()[:-1], metadata()):
        for _ in range(20):
            connection = RawConnection(watched.ports[BROKER])
            connection.send(data)
            connection.socket.close()


def test_random_damage_to_good_requests(watched: RunningCluster) -> None:
    """Whatever is hit, the connection is answered or ended, at once."""
    chance = random.Random(7)
    good = [
        metadata(),
        frame(18, 3, encode(m.ApiVersionsRequest("test", "1"), 3)),
        frame(2, 1, encode(m.ListOffsetsRequest(replica_id=-1, topics=[m.ListOffsetsRequest.ListOffsetsTopic(name="a")]), 1)),
        frame(60, 0, encode(m.DescribeClusterRequest(), 0)),
    ]
    for _ in range(300):
        data = bytearray(chance.choice(good))
        for _ in range(chance.randint(1, 3)):
            data[chance.randrange(4, len(data))] = chance.randrange(256)
        with RawConnection(watched.ports[BROKER]) as connection:
            connection.send(bytes(data))
            connection.socket.recv(1 << 16)
