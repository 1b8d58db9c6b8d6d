"""Bytes to values and back: Kafka's messages (``messages``, ``codec``), the frames around them, and record batches (``records``).

Pure functions over ``bytes``. What a peer sent is never trusted: malformed input ends in ``ProtocolError``, nothing is allocated from a length
that is only claimed. Nothing here knows what a message means.
"""
