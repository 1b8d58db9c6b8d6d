"""Messages to bytes and back: ``encode``, ``decode``, and the compiled functions behind them.

A decoder trusts nothing: it allocates by the bytes that are there and never by a length that is claimed, stops at an element budget, and
raises ``ProtocolError`` alone. Functions are compiled for one message in one version when first used (a few milliseconds).
"""

from holdwater.wire.codec.compiled import ElementBudget, decode, decoder, encode, encode_segments, encoder, prefix_decoder, segment_encoder
from holdwater.wire.codec.errors import EncodeError, ProtocolError

__all__ = [
    "ElementBudget",
    "EncodeError",
    "ProtocolError",
    "decode",
    "decoder",
    "encode",
    "encode_segments",
    "encoder",
    "prefix_decoder",
    "segment_encoder",
]
