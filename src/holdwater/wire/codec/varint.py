"""Unsigned varints of the protocol: seven bits a byte, low bits first, at most five bytes, values of 32 bits."""

from holdwater.wire.codec.errors import EncodeError, ProtocolError

MAX_STRING_BYTES = 32767
"""Kafka refuses longer strings in either form."""


def read_varint(data: bytes, position: int) -> tuple[int, int]:
    """The value at ``position`` and the position after it. Raises ``ProtocolError`` when it is cut short or too long."""
    try:
        first = data[position]
        if first < 128:
            return first, position + 1
        return long_varint(data, position + 1, first)
    except IndexError:
        raise ProtocolError("varint cut short") from None


def long_varint(data: bytes, position: int, first: int) -> tuple[int, int]:
    """Go on with a varint whose first byte is at least 128. Raises ``IndexError`` at the end of the data."""
    value = first & 127
    for shift in (7, 14, 21, 28):
        byte = data[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            if value > 0xFFFFFFFF:
                break
            return value, position
    raise ProtocolError("varint longer than 32 bits")


def long_length(data: bytes, position: int, first_less_one: int) -> tuple[int, int]:
    """A compact length whose first byte, less one, was at least 127; the result is the length itself."""
    value, position = long_varint(data, position, first_less_one + 1)
    return value - 1, position


def long_string_length(data: bytes, position: int, first_less_one: int) -> tuple[int, int]:
    """``long_length`` for a string, whose length is limited."""
    value, position = long_varint(data, position, first_less_one + 1)
    if value > MAX_STRING_BYTES + 1:
        raise ProtocolError(f"string of {value - 1} bytes; the protocol allows {MAX_STRING_BYTES}")
    return value - 1, position


def put_varint(out: bytearray, value: int) -> None:
    """Append ``value`` (0 to 2**32 - 1). Raises ``EncodeError`` outside of that."""
    if not 0 <= value <= 0xFFFFFFFF:
        raise EncodeError(f"{value} is not an unsigned 32-bit number")
    while value > 127:
        out.append((value & 127) | 128)
        value >>= 7
    out.append(value)


def put_string_length(out: bytearray, length_plus_one: int) -> None:
    """Append the compact length of a string. Raises ``EncodeError`` when the string is too long for the protocol."""
    if length_plus_one > MAX_STRING_BYTES + 1:
        raise EncodeError(f"string of {length_plus_one - 1} bytes; the protocol allows {MAX_STRING_BYTES}")
    put_varint(out, length_plus_one)
