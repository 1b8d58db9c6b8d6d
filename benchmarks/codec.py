"""Encode and decode times of the messages that matter most. ``python -m benchmarks.codec``

Prints microseconds per call, the best of several repeats, beside what the design's prototype took on the same kind of machine. Nothing is
asserted: machines differ.
"""

import gc
import time
from collections.abc import Callable

from holdwater.wire.codec import ElementBudget, decoder, encode, encoder, segment_encoder
from holdwater.wire.codec.classes import Message
from holdwater.wire.codec.frames import decode_request_header, encode_request
from holdwater.wire.messages import (
    FetchRequest,
    FetchResponse,
    HeartbeatRequest,
    MetadataResponse,
    OffsetCommitRequest,
    ProduceRequest,
    ProduceResponse,
)

RECORDS = bytes(range(256)) * 64
TOPIC_ID = bytes(range(16))
MEMBER = "consumer-1-3f7d7b7e-0000-4000-8000-000000000001"


def _produce_request() -> Message:
    partition = ProduceRequest.PartitionProduceData(3, RECORDS)
    return ProduceRequest(None, -1, 30_000, [ProduceRequest.TopicProduceData("orders-topic", partition_data=[partition])])


def _produce_response() -> Message:
    partition = ProduceResponse.PartitionProduceResponse(3, 0, 123_456, -1, 0)
    return ProduceResponse([ProduceResponse.TopicProduceResponse("orders-topic", partition_responses=[partition])])


def _fetch_request() -> Message:
    partitions = [FetchRequest.FetchPartition(number, 5, 1_000_000, 5, -1, 1 << 20) for number in range(6)]
    topic = FetchRequest.FetchTopic("orders-topic", TOPIC_ID, partitions)
    return FetchRequest(
        max_wait_ms=500, min_bytes=1, max_bytes=52_428_800, session_id=77, session_epoch=12, topics=[topic], rack_id="rack-a"
    )


def _fetch_response(records: bytes) -> Message:
    partitions = [FetchResponse.PartitionData(number, 0, 1_000_100, 1_000_100, 0, records=records) for number in range(6)]
    return FetchResponse(0, 0, 77, [FetchResponse.FetchableTopicResponse("orders-topic", TOPIC_ID, partitions)])


def _metadata_response() -> Message:
    brokers = [MetadataResponse.MetadataResponseBroker(number, "broker-1.example.internal", 9092) for number in (1, 2, 3)]
    partitions = [MetadataResponse.MetadataResponsePartition(0, number, 1, 5, [1, 2, 3], [1, 2, 3], []) for number in range(6)]
    topics = [MetadataResponse.MetadataResponseTopic(0, f"topic-number-{number:04}", TOPIC_ID, False, partitions) for number in range(100)]
    return MetadataResponse(0, brokers, "4L6g3nShT-eMCtK--X86sw", 1, topics)


def _offset_commit_request() -> Message:
    partitions = [OffsetCommitRequest.OffsetCommitRequestPartition(number, 1000, 5, "") for number in range(6)]
    return OffsetCommitRequest(
        "group-a", 7, MEMBER, topics=[OffsetCommitRequest.OffsetCommitRequestTopic("orders-topic", partitions=partitions)]
    )


CASES: list[tuple[str, Message, int, str]] = [
    ("ProduceRequest, 16 KiB", _produce_request(), 9, "1.1 / 1.6"),
    ("ProduceRequest, 16 KiB", _produce_request(), 12, "1.1 / 1.6"),
    ("ProduceResponse", _produce_response(), 12, "0.6 / 1.4"),
    ("FetchRequest, 6 partitions", _fetch_request(), 12, "1.4 / 2.9"),
    ("FetchRequest, 6 partitions", _fetch_request(), 17, "1.4 / 2.8"),
    ("FetchRequest, 6 partitions", _fetch_request(), 18, ""),
    ("FetchResponse, 6 x 16 KiB", _fetch_response(RECORDS), 12, "7.9 / 5.5"),
    ("FetchResponse, 6 empty", _fetch_response(b""), 17, "1.9 / 3.8"),
    ("FetchResponse, 6 empty", _fetch_response(b""), 18, ""),
    ("MetadataResponse, 100 x 6", _metadata_response(), 12, "351 / 441"),
    ("OffsetCommitRequest, 6", _offset_commit_request(), 8, "1.6 / 3.0"),
    ("HeartbeatRequest", HeartbeatRequest("group-a", 7, MEMBER), 4, "0.3 / 0.6"),
]


def best_us(function: Callable[[], object], repeats: int = 7, seconds: float = 0.03) -> float:
    """Microseconds of one call, the best repeat."""
    function()
    calls, best = 1, float("inf")
    while True:
        started = time.perf_counter()
        for _ in range(calls):
            function()
        took = time.perf_counter() - started
        if took >= seconds:
            break
        calls *= 2
    for _ in range(repeats):
        started = time.perf_counter()
        for _ in range(calls):
            function()
        best = min(best, (time.perf_counter() - started) / calls)
    return best * 1e6


def run() -> None:
    """Measure and print the table."""
    gc.disable()
    print(f"{'message':28} {'version':>7} {'bytes':>7} {'encode':>8} {'decode':>8}   prototype")
    for title, message, version, prototype in CASES:
        raw = encode(message, version)
        write, read = encoder(type(message), version), decoder(type(message), version)
        encode_us = best_us(lambda write=write, message=message: write(message, bytearray()))
        decode_us = best_us(lambda read=read, raw=raw: read(raw, 0, len(raw), ElementBudget.UNLIMITED))
        print(f"{title:28} {version:>7} {len(raw):>7} {encode_us:8.2f} {decode_us:8.2f}   {prototype}")
    message = _fetch_response(RECORDS)
    write_parts = segment_encoder(FetchResponse, 17)
    print(f"FetchResponse v17 in segments, 6 x 16 KiB: {best_us(lambda: write_parts(message, bytearray(), [])):.2f}")
    frame = encode_request(HeartbeatRequest("g"), 4, 1, "client-1")[4:]
    print(f"request header v2: {best_us(lambda: decode_request_header(frame)):.2f}")


if __name__ == "__main__":
    run()
