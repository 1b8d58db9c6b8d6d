"""Ids that the coordinator gives out."""

PREFIX_MAX_BYTES = 32_767 - 37
"""A string of the older versions of the protocol and of GroupMetadataValue has 32,767 bytes at most."""

ID_FIRST_FROM = 4
"""From this version of JoinGroup on a dynamic member is first given an id and then joins with it (KIP-394)."""


def uuid_text(value: bytes) -> str:
    """A UUID in its usual form, 8-4-4-4-12 hexadecimal digits."""
    digits = value.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def new_member_id(prefix: str, uuid: bytes) -> str:
    """A member id as Kafka makes it: who asks, and a UUID. A prefix that no record could hold with it is cut."""
    kept = prefix.encode()[:PREFIX_MAX_BYTES].decode("utf-8", "ignore")
    return f"{kept}-{uuid_text(uuid)}"
