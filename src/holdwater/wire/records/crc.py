"""CRC-32C (Castagnoli), the checksum of record batches v2 and of Kafka's producer snapshot files."""

from collections.abc import Callable
from typing import Any

import google_crc32c

_module: Any = google_crc32c  # it has no type hints

crc32c: Callable[[bytes], int] = _module.value
"""CRC-32C of its argument, which must be ``bytes``: the C implementation reads nothing else."""


def require_fast_crc() -> None:
    """Check at start-up that CRC-32C runs in C. Raises ``RuntimeError``: in pure Python a broker would be some hundred times slower."""
    if _module.implementation != "c":
        raise RuntimeError(
            f"google-crc32c runs its '{_module.implementation}' implementation, holdwater needs 'c': install a binary wheel of "
            "google-crc32c for this Python and platform (pip install --only-binary :all: google-crc32c)"
        )
