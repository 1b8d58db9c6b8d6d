"""Unsigned varints."""

import pytest

from holdwater.wire.codec import EncodeError, ProtocolError
from holdwater.wire.codec.varint import put_varint, read_varint

CASES = [
    (0, b"\x00"),
    (1, b"\x01"),
    (127, b"\x7f"),
    (128, b"\x80\x01"),
    (300, b"\xac\x02"),
    (2**21 - 1, b"\xff\xff\x7f"),
    (2**32 - 1, b"\xff\xff\xff\xff\x0f"),
]


@pytest.mark.parametrize(("value", "raw"), CASES)
def test_values_and_bytes(value: int, raw: bytes) -> None:
    out = bytearray(b"x")
    put_varint(out, value)
    assert bytes(out) == b"x" + raw
    assert read_varint(bytes(out) + b"y", 1) == (value, len(out))


@pytest.mark.parametrize("raw", [b"", b"\x80", b"\xff\xff\xff\xff", b"\xff\xff\xff\xff\x10", b"\x80\x80\x80\x80\x80\x00"])
def test_bytes_that_are_no_varint(raw: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_varint(raw, 0)


@pytest.mark.parametrize("value", [-1, 2**32])
def test_values_that_do_not_fit(value: int) -> None:
    with pytest.raises(EncodeError):
        put_varint(bytearray(), value)
