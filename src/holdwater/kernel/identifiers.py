"""Names of things: topic partitions, Kafka's UUIDs in their text form, legal topic names."""

import base64
import binascii
import re
from typing import NamedTuple

ZERO_UUID = bytes(16)
METADATA_TOPIC = "__cluster_metadata"
METADATA_TOPIC_ID = bytes(15) + b"\x01"
NO_NODE = -1
NO_EPOCH = -1
NO_OFFSET = -1

_TOPIC_NAME = re.compile(r"[a-zA-Z0-9._-]{1,249}", re.ASCII)


class TopicPartition(NamedTuple):
    """A partition by topic name and number."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}"


def uuid_to_text(uuid: bytes) -> str:
    """Kafka's text form of a UUID: 22 characters of URL-safe base64 without padding."""
    return base64.urlsafe_b64encode(uuid).decode("ascii").rstrip("=")


def uuid_from_text(text: str) -> bytes:
    """The 16 bytes behind Kafka's text form. Raises ``ValueError`` when the text is not one."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(f"'{text}' is not a Kafka UUID (22 characters of URL-safe base64)") from error
    if len(raw) != 16:
        raise ValueError(f"'{text}' is not a Kafka UUID (22 characters of URL-safe base64)")
    return raw


def is_legal_topic_name(name: str) -> bool:
    """Whether Kafka accepts the name: 1 to 249 of ``a-z A-Z 0-9 . _ -``, and neither ``.`` nor ``..``."""
    return _TOPIC_NAME.fullmatch(name) is not None and name not in {".", ".."}
