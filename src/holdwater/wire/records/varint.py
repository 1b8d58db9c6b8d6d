"""Zigzag varints as records use them (protocol buffers' signed varints): at most 5 bytes for 32 bits, 10 for 64."""

from holdwater.kernel.ports import CorruptRecords


def read_varint(data: bytes, position: int) -> tuple[int, int]:
    """The signed number at ``position`` and the position after it. Raises ``CorruptRecords`` past 10 bytes, ``IndexError`` past the end."""
    byte = data[position]
    position += 1
    if byte < 0x80:
        return (byte >> 1) ^ -(byte & 1), position
    value = byte & 0x7F
    shift = 7
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift > 63:
            raise CorruptRecords("a varint in a record runs over 10 bytes")
    value &= 0xFFFFFFFFFFFFFFFF
    return (value >> 1) ^ -(value & 1), position


def write_varint(out: bytearray, value: int) -> None:
    """Append ``value`` (64 bits, signed)."""
    zigzag = (value << 1) ^ (value >> 63)
    while zigzag > 0x7F:
        out.append((zigzag & 0x7F) | 0x80)
        zigzag >>= 7
    out.append(zigzag)


def varint_size(value: int) -> int:
    """Bytes that ``write_varint`` needs for ``value``."""
    zigzag = (value << 1) ^ (value >> 63)
    return max(1, (zigzag.bit_length() + 6) // 7)
