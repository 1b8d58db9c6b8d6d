"""XXH3 with 64 bits and seed 0, for input of four bytes and more: the hash that Kafka keeps of a group's topics.

Nothing depends on its quality. It is the same as Kafka's so that a coordinator of either kind takes over a group without a rebalance.
"""

from struct import unpack_from

from holdwater.kernel.invariant import invariant

_MASK = (1 << 64) - 1
_PRIME32 = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D)
_PRIME64 = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5)
_MIX1 = 0x165667919E3779F9
_MIX2 = 0x9FB21C651E98DF25
_SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221"
    "b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
    "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb"
    "170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e"
)
_STRIPE_BYTES = 64
_STRIPES_PER_BLOCK = 16
_BLOCK_BYTES = _STRIPE_BYTES * _STRIPES_PER_BLOCK


def xxh3(data: bytes) -> int:
    """The hash, as an unsigned number."""
    length = len(data)
    invariant(length >= 4, "this hash is for four bytes and more")
    if length <= 8:
        return _up_to_8(data)
    if length <= 16:
        return _up_to_16(data)
    if length <= 128:
        return _up_to_128(data)
    if length <= 240:
        return _up_to_240(data)
    return _long(data)


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 8], "little")


def _rotated(value: int, bits: int) -> int:
    return ((value << bits) | (value >> (64 - bits))) & _MASK


def _folded(left: int, right: int) -> int:
    product = left * right
    return (product & _MASK) ^ (product >> 64)


def _avalanche(value: int) -> int:
    value ^= value >> 37
    value = value * _MIX1 & _MASK
    return value ^ value >> 32


def _mixed(data: bytes, at: int, secret_at: int) -> int:
    return _folded(_word(data, at) ^ _word(_SECRET, secret_at), _word(data, at + 8) ^ _word(_SECRET, secret_at + 8))


def _up_to_8(data: bytes) -> int:
    first, last = int.from_bytes(data[:4], "little"), int.from_bytes(data[-4:], "little")
    value = (last + (first << 32)) ^ _word(_SECRET, 8) ^ _word(_SECRET, 16)
    value ^= _rotated(value, 49) ^ _rotated(value, 24)
    value = value * _MIX2 & _MASK
    value ^= (value >> 35) + len(data)
    value = value * _MIX2 & _MASK
    return value ^ value >> 28


def _up_to_16(data: bytes) -> int:
    low = _word(data, 0) ^ _word(_SECRET, 24) ^ _word(_SECRET, 32)
    high = _word(data, len(data) - 8) ^ _word(_SECRET, 40) ^ _word(_SECRET, 48)
    swapped = int.from_bytes(low.to_bytes(8, "little"), "big")
    return _avalanche((len(data) + swapped + high + _folded(low, high)) & _MASK)


def _up_to_128(data: bytes) -> int:
    """Pairs of 16 bytes, one from each end, towards the middle."""
    length = len(data)
    total = length * _PRIME64[0]
    for pair in range((length - 1) // 32 + 1):
        total += _mixed(data, 16 * pair, 32 * pair) + _mixed(data, length - 16 * (pair + 1), 32 * pair + 16)
    return _avalanche(total & _MASK)


def _up_to_240(data: bytes) -> int:
    length = len(data)
    total = length * _PRIME64[0]
    for each in range(8):
        total += _mixed(data, 16 * each, 16 * each)
    total = _avalanche(total & _MASK)
    for each in range(8, length // 16):
        total += _mixed(data, 16 * each, 16 * (each - 8) + 3)
    return _avalanche((total + _mixed(data, length - 16, 119)) & _MASK)


def _long(data: bytes) -> int:
    length = len(data)
    lanes = [_PRIME32[2], *_PRIME64[:4], _PRIME32[1], _PRIME64[4], _PRIME32[0]]
    scramble_at = len(_SECRET) - _STRIPE_BYTES
    scramble = unpack_from("<8Q", _SECRET, scramble_at)
    full_blocks = (length - 1) // _BLOCK_BYTES
    for stripe in range((length - 1) // _STRIPE_BYTES):
        _accumulate(lanes, data, stripe * _STRIPE_BYTES, stripe % _STRIPES_PER_BLOCK * 8)
        if stripe % _STRIPES_PER_BLOCK == _STRIPES_PER_BLOCK - 1 and stripe // _STRIPES_PER_BLOCK < full_blocks:
            lanes[:] = [(lane ^ lane >> 47 ^ word) * _PRIME32[0] & _MASK for lane, word in zip(lanes, scramble, strict=True)]
    _accumulate(lanes, data, length - _STRIPE_BYTES, scramble_at - 7)
    total = length * _PRIME64[0]
    for pair in range(4):
        at = 11 + 16 * pair
        total += _folded(lanes[2 * pair] ^ _word(_SECRET, at), lanes[2 * pair + 1] ^ _word(_SECRET, at + 8))
    return _avalanche(total & _MASK)


def _accumulate(lanes: list[int], data: bytes, at: int, secret_at: int) -> None:
    words = unpack_from("<8Q", data, at)
    secrets = unpack_from("<8Q", _SECRET, secret_at)
    for lane in range(8):
        keyed = words[lane] ^ secrets[lane]
        lanes[lane ^ 1] = (lanes[lane ^ 1] + words[lane]) & _MASK
        lanes[lane] = (lanes[lane] + (keyed & 0xFFFFFFFF) * (keyed >> 32)) & _MASK
