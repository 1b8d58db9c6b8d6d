"""What the codec raises: ``ProtocolError`` for what a peer sent, ``EncodeError`` for what we were asked to send."""


class ProtocolError(Exception):
    """Bytes that break the protocol. It closes the connection they came from and nothing else; no other exception leaves a decoder."""


class EncodeError(ValueError):
    """A message that cannot be written in the version asked for: a value the version lacks or that its type cannot hold."""
