"""Bytes to messages and back."""

from holdwater.wire.codec.errors import EncodeError, ProtocolError

__all__ = ["EncodeError", "ProtocolError"]
