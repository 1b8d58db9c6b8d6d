"""The codec over every message in every version: round trips, and bytes that somebody damaged."""

import contextlib
import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.messages import MessageMaker, Mutator, message_versions

from holdwater.wire.codec import ElementBudget, ProtocolError, decode, decoder, encode, encode_segments

ALL = list(message_versions())
SEEDS = range(8)
MUTATIONS = 60
"""Damaged copies of each message version: 744 times this many decodes a run."""

SLOWEST_DECODE_SECONDS = 0.05


@pytest.mark.parametrize("seed", SEEDS)
def test_every_message_version_survives_the_round_trip(seed: int) -> None:
    maker = MessageMaker(seed)
    for message_class, version in ALL:
        message = maker.message(message_class, version)
        raw = encode(message, version)
        again = decode(message_class, version, raw)
        assert again == message, (message_class, version)
        assert encode(again, version) == raw, (message_class, version)
        assert b"".join(encode_segments(message, version)) == raw, (message_class, version)


@pytest.mark.parametrize("seed", range(4))
def test_damaged_messages_raise_protocol_errors_alone(seed: int) -> None:
    maker, mutator = MessageMaker(1000 + seed), Mutator(seed)
    refused = decoded = 0
    slowest = 0.0
    other = b"\x00"
    for message_class, version in ALL:
        raw, function = encode(maker.message(message_class, version), version), decoder(message_class, version)
        for _ in range(MUTATIONS // 4):
            damaged = mutator.damage(raw, other)
            started = time.thread_time()
            try:
                message = function(damaged, 0, len(damaged), ElementBudget.CLIENT)
                decoded += 1
                encode(message, version)  # what a decoder lets in, an encoder can write
            except ProtocolError:
                refused += 1
            slowest = max(slowest, time.thread_time() - started)
        other = raw
    assert refused > 10_000 // 4
    assert decoded > 1_000 // 4
    assert slowest < SLOWEST_DECODE_SECONDS


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(ALL), st.binary(max_size=300))
def test_any_bytes_decode_or_raise_a_protocol_error(target: Any, data: bytes) -> None:
    message_class, version = target
    try:
        message = decode(message_class, version, data)
    except ProtocolError:
        return
    raw = encode(message, version)
    assert encode(decode(message_class, version, raw), version) == raw


def test_claims_of_gigabytes_allocate_nothing() -> None:
    claims = (b"\xff\xff\xff\xff\x0f", b"\x7f\xff\xff\xff", b"\xfe\xff\xff\xff\x07")
    for message_class, version in ALL:
        decoder(message_class, version)
    tracemalloc.start()
    try:
        for message_class, version in ALL:
            function, low = decoder(message_class, version), b""
            for length in (0, 1, 2, 3, 4, 6, 8, 12):
                for claim in claims:
                    data = low.ljust(length, b"\x00") + claim + bytes(64)
                    tracemalloc.reset_peak()
                    before = tracemalloc.get_traced_memory()[0]
                    with contextlib.suppress(ProtocolError):
                        function(data, 0, len(data), ElementBudget.CLIENT)
                    assert tracemalloc.get_traced_memory()[1] - before < 100_000, (message_class, version, length)
    finally:
        tracemalloc.stop()
