"""Ids that the coordinator gives out."""


def uuid_text(value: bytes) -> str:
    """A UUID in its usual form, 8-4-4-4-12 hexadecimal digits."""
    digits = value.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
